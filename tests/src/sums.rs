//! Counts of what a run went through, which are added up over many runs.

/// Defines a struct of `u64`s and its `plus`, which adds field by field, beyond the largest number from zero again.
#[macro_export]
macro_rules! sums {
    ($(#[$about:meta])* $visible:vis struct $name:ident { $($(#[$field_about:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        $visible struct $name {
            $($(#[$field_about])* $visible $field: u64,)*
        }

        impl $name {
            /// Adds up what several runs went through.
            #[must_use]
            $visible const fn plus(self, other: Self) -> Self {
                Self { $($field: self.$field.wrapping_add(other.$field),)* }
            }
        }
    };
}

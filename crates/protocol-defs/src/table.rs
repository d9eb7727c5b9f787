//! The one macro by which every word of the wire is declared.

/// Declares a group: the typed open constants, their docs and their registry entries, from one line each.
///
/// ```text
/// wire_table! {
///     /// What the group is, who uses it.
///     names Topic(str) in "client_api.topic", from "nvflare.client.cell.defs:Topic";
///
///     /// What the word means.
///     HELLO = "client_api.hello";
///     /// Another; options stand behind the value.
///     BYE = "client_api.bye", unspoken;
/// }
/// ```
///
/// * `names Type(str)` makes a newtype over `&str`, `names Type(u8)` (or another unsigned integer) one over the
///   number: open types, in which a value that a peer invents has its place, with an associated constant per line. Two
///   equal values in such a group do not compile, unless the second line gives an `alias "reason"`.
/// * `quantities Type` makes an uninhabited type with plain constants, each line with a type of its own:
///   `CHUNK_SIZE: usize = 1_048_576;`.
///
/// Options of a line: `unspoken`, `extension`, `retired`, `since "x.y.z"`, `alias "reason"`, `from "source"`.
///
/// A source says where the reference implementation has the value, for `cargo xtask wire --against-reference`:
/// `package.module:Name.member` is a constant; a group's source is a class or a module, whose members bear the names
/// of the lines; `literal:package.module` is a literal in that module's text; `attribute:package.module:Class` is the
/// name of an attribute that the class sets on itself; `struct:package.module:NAME:index:offset` (or `size`) is a field
/// of a binary layout; `default:package.module:function:parameter` is a default; `type:` says that the value itself is
/// the dotted name of a type.
macro_rules! wire_table {
    (
        $(#[doc = $about:literal])+
        names $Type:ident(str) in $group:literal $(, from $source:literal)? ;
        $( $(#[doc = $doc:literal])+ $NAME:ident = $value:literal $(, $option:ident $($argument:literal)?)* ; )+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Type<'a>(&'a str);

        impl $Type<'static> {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nOn the wire: `", $value, "`.")]
                pub const $NAME: Self = Self($value);
            )+

            pub(crate) const GROUP: &'static crate::registry::Group = &crate::registry::Group {
                name: $group,
                type_name: stringify!($Type),
                kind: crate::registry::Kind::Names,
                source: wire_table!(@source $($source)?),
                doc: concat!($($about, "\n"),+),
                entries: &[$(
                    crate::registry::Entry::new(
                        stringify!($NAME),
                        crate::registry::Value::str($value),
                        concat!($($doc, "\n"),+),
                    )$(.$option($($argument)?))*
                ),+],
            };
        }

        const _: () = crate::registry::assert_unique($Type::GROUP.entries);

        impl<'a> $Type<'a> {
            /// A value as it came from a peer or from an application; any text is one.
            pub const fn new(value: &'a str) -> Self {
                Self(value)
            }

            /// The value as it stands on the wire.
            pub const fn as_str(self) -> &'a str {
                self.0
            }

            /// The name of the constant that has this value, if one has.
            pub fn name(self) -> Option<&'static str> {
                crate::registry::name_of_str($Type::GROUP, self.0)
            }
        }

        impl AsRef<str> for $Type<'_> {
            fn as_ref(&self) -> &str {
                self.0
            }
        }

        impl PartialEq<str> for $Type<'_> {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        /// The value as it stands on the wire.
        impl core::fmt::Display for $Type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.0)
            }
        }

        impl core::fmt::Debug for $Type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, concat!(stringify!($Type), "::{}"), name),
                    None => write!(f, concat!(stringify!($Type), "({:?})"), self.0),
                }
            }
        }
    };

    (
        $(#[doc = $about:literal])+
        names $Type:ident($number:ident) in $group:literal $(, from $source:literal)? ;
        $( $(#[doc = $doc:literal])+ $NAME:ident = $value:literal $(, $option:ident $($argument:literal)?)* ; )+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Type($number);

        impl $Type {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nOn the wire: `", $value, "`.")]
                pub const $NAME: Self = Self($value);
            )+

            pub(crate) const GROUP: &'static crate::registry::Group = &crate::registry::Group {
                name: $group,
                type_name: stringify!($Type),
                kind: crate::registry::Kind::Names,
                source: wire_table!(@source $($source)?),
                doc: concat!($($about, "\n"),+),
                entries: &[$(
                    crate::registry::Entry::new(
                        stringify!($NAME),
                        crate::registry::Value::$number($value),
                        concat!($($doc, "\n"),+),
                    )$(.$option($($argument)?))*
                ),+],
            };

            /// A value as it came from a peer; any number is one.
            pub const fn new(value: $number) -> Self {
                Self(value)
            }

            /// The value as it stands on the wire.
            pub const fn get(self) -> $number {
                self.0
            }

            /// The name of the constant that has this value, if one has.
            pub fn name(self) -> Option<&'static str> {
                crate::registry::name_of_int(Self::GROUP, i128::from(self.0))
            }
        }

        const _: () = crate::registry::assert_unique($Type::GROUP.entries);

        /// The number as it stands on the wire.
        impl core::fmt::Display for $Type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }

        impl core::fmt::Debug for $Type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, concat!(stringify!($Type), "::{}"), name),
                    None => write!(f, concat!(stringify!($Type), "({})"), self.0),
                }
            }
        }
    };

    (
        $(#[doc = $about:literal])+
        quantities $Type:ident in $group:literal $(, from $source:literal)? ;
        $(
            $(#[doc = $doc:literal])+
            $NAME:ident : $number:ident = $value:literal $(, $option:ident $($argument:literal)?)* ;
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $Type {}

        impl $Type {
            $(
                $(#[doc = $doc])+
                pub const $NAME: $number = $value;
            )+

            pub(crate) const GROUP: &'static crate::registry::Group = &crate::registry::Group {
                name: $group,
                type_name: stringify!($Type),
                kind: crate::registry::Kind::Quantities,
                source: wire_table!(@source $($source)?),
                doc: concat!($($about, "\n"),+),
                entries: &[$(
                    crate::registry::Entry::new(
                        stringify!($NAME),
                        crate::registry::Value::$number($value),
                        concat!($($doc, "\n"),+),
                    )$(.$option($($argument)?))*
                ),+],
            };
        }
    };

    (@source $source:literal) => { Some($source) };
    (@source) => { None };
}

pub(crate) use wire_table;

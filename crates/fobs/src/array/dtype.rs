//! Element types of arrays, as numpy writes them.

use core::fmt;

use super::ArrayError;
use crate::Text;

/// An element type: what `<f4` says.
///
/// Numbers can be read through [`Array::elements`](super::Array::elements); the others are carried as they are, bytes
/// of a known size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DType {
    kind: Kind,
    order: ByteOrder,
    size: usize,
    unit: Option<Text>,
}

/// What the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Truth values, one byte each.
    Bool,
    /// Whole numbers with a sign; 1, 2, 4 or 8 bytes.
    Int,
    /// Whole numbers without a sign; 1, 2, 4 or 8 bytes.
    UInt,
    /// Floating point numbers; 2, 4, 8 bytes, or the 12 or 16 of an extended precision.
    Float,
    /// Pairs of floats; 8, 16, 24 or 32 bytes.
    Complex,
    /// Byte strings of a fixed length.
    Bytes,
    /// Texts of a fixed number of characters, four bytes each.
    Text,
    /// Bytes without a meaning.
    Void,
    /// Moments, a count of the unit since 1970; 8 bytes.
    Moment,
    /// Durations, a count of the unit; 8 bytes.
    Duration,
}

/// In which order the bytes of an element stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant first; also said of elements that have no order.
    Little,
    /// Most significant first.
    Big,
}

impl Kind {
    const fn letter(self) -> char {
        match self {
            Self::Bool => 'b',
            Self::Int => 'i',
            Self::UInt => 'u',
            Self::Float => 'f',
            Self::Complex => 'c',
            Self::Bytes => 'S',
            Self::Text => 'U',
            Self::Void => 'V',
            Self::Moment => 'M',
            Self::Duration => 'm',
        }
    }

    const fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'b' => Self::Bool,
            b'i' => Self::Int,
            b'u' => Self::UInt,
            b'f' => Self::Float,
            b'c' => Self::Complex,
            b'S' => Self::Bytes,
            b'U' => Self::Text,
            b'V' => Self::Void,
            b'M' => Self::Moment,
            b'm' => Self::Duration,
            _ => return None,
        })
    }

    const fn allows(self, size: usize) -> bool {
        match self {
            Self::Bool => size == 1,
            Self::Int | Self::UInt => matches!(size, 1 | 2 | 4 | 8),
            Self::Float => matches!(size, 2 | 4 | 8 | 12 | 16),
            Self::Complex => matches!(size, 8 | 16 | 24 | 32),
            Self::Moment | Self::Duration => size == 8,
            Self::Bytes | Self::Text | Self::Void => true,
        }
    }
}

impl DType {
    /// Numbers of this kind and size in little endian.
    pub(crate) const fn little(kind: Kind, size: usize) -> Self {
        Self { kind, order: ByteOrder::Little, size, unit: None }
    }

    /// Reads numpy's notation.
    ///
    /// # Errors
    ///
    /// Python objects and anything else that is not one of the kinds above.
    pub fn parse(descr: &[u8]) -> Result<Self, ArrayError> {
        let unknown = || ArrayError::UnknownType(String::from_utf8_lossy(descr).into_owned());
        let [order, letter, rest @ ..] = descr else { return Err(unknown()) };
        if *letter == b'O' {
            return Err(ArrayError::Objects);
        }
        let kind = Kind::of_letter(*letter).ok_or_else(unknown)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, unit) = rest.split_at_checked(digits).ok_or_else(unknown)?;
        let size = super::npy::number(number).ok_or_else(unknown)?;
        let ordered = size > 1 && !matches!(kind, Kind::Bytes | Kind::Void) || kind == Kind::Text;
        let order = match order {
            b'<' => ByteOrder::Little,
            b'>' if ordered => ByteOrder::Big,
            b'>' => ByteOrder::Little,
            b'|' if !ordered => ByteOrder::Little,
            _ => return Err(unknown()),
        };
        let unit = match (kind, unit) {
            (_, []) => None,
            (Kind::Moment | Kind::Duration, [b'[', name @ .., b']'])
                if name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'/') =>
            {
                Some(Text::inline(name).ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        };
        if !kind.allows(size) {
            return Err(unknown());
        }
        Ok(Self { kind, order, size, unit })
    }

    /// What the elements are.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// In which order their bytes stand.
    pub const fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// The unit of moments and durations, if they have one.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_ref().map(Text::as_str)
    }

    /// Bytes of one element.
    pub const fn item_size(&self) -> usize {
        if matches!(self.kind, Kind::Text) { self.size.saturating_mul(4) } else { self.size }
    }
}

/// numpy's notation.
impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unordered = matches!(self.kind, Kind::Bytes | Kind::Void | Kind::Bool)
            || self.size == 1 && matches!(self.kind, Kind::Int | Kind::UInt);
        let order = match self.order {
            _ if unordered => '|',
            ByteOrder::Little => '<',
            ByteOrder::Big => '>',
        };
        write!(f, "{order}{}{}", self.kind.letter(), self.size)?;
        match &self.unit {
            Some(unit) => write!(f, "[{unit}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(descr: &str, expected: Option<(usize, &str)>) {
        let dtype = DType::parse(descr.as_bytes()).ok();
        let found = dtype.map(|dtype| (dtype.item_size(), dtype.to_string()));
        assert_eq!(found.as_ref().map(|(size, text)| (*size, text.as_str())), expected, "{descr}");
    }

    #[test]
    fn the_notation_is_read_and_written() {
        for (descr, size) in [
            ("<f4", 4),
            (">f8", 8),
            ("<f2", 2),
            ("<f16", 16),
            ("|b1", 1),
            ("|i1", 1),
            ("|u1", 1),
            ("<i8", 8),
            (">u2", 2),
            ("<c8", 8),
            (">c16", 16),
            ("|S2", 2),
            ("<U3", 12),
            (">U1", 4),
            ("|V7", 7),
            ("<M8[D]", 8),
            ("<m8[25us]", 8),
            ("<M8", 8),
            ("|S0", 0),
            ("<U0", 0),
        ] {
            check(descr, Some((size, descr)));
        }
        check("<i1", Some((1, "|i1")));
    }

    #[test]
    fn what_is_no_element_type_is_refused() {
        for descr in
            ["", "<", "f4", "|O", "|O8", "<i3", "|f4", "=f4", "<f4x", "<f", "<f99999999999999999999", "<M8[", "<f4[s]"]
        {
            check(descr, None);
        }
    }
}

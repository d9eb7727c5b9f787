//! Heads of msgpack values: what a value is and how long, read from a slice and written to a buffer.
//!
//! Public for the layer that reads message headers, which are msgpack without FOBS.

use rmp::Marker;

/// The first byte of a value and the number behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head {
    /// Nil, Python's `None`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above the range of [`Head::Int`].
    UInt(u64),
    /// A number with floating point.
    Float(f64),
    /// Text of so many bytes.
    Str(u32),
    /// A byte string of so many bytes.
    Bin(u32),
    /// A list of so many values.
    Array(u32),
    /// A map of so many entries.
    Map(u32),
    /// An extension value with its code, of so many bytes.
    Ext(i8, u32),
    /// The one byte that begins nothing.
    Reserved,
}

impl Head {
    /// Whether the head is the whole value.
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Null | Self::Bool(_) | Self::Int(_) | Self::UInt(_) | Self::Float(_))
    }
}

/// Longest head, in bytes: marker and a number of eight.
pub const MAX_HEAD: usize = 9;

/// Splits the head off; none if the bytes end within it.
#[inline]
#[must_use]
pub fn head(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    macro_rules! number {
        ($type:ty) => {{
            let (number, rest) = rest.split_first_chunk()?;
            (<$type>::from_be_bytes(*number), rest)
        }};
    }
    macro_rules! with {
        ($type:ty, $head:expr) => {{
            let (number, rest) = number!($type);
            ($head(number.into()), rest)
        }};
    }
    macro_rules! ext {
        ($type:ty) => {{
            let (len, rest) = number!($type);
            let (&[code], rest) = rest.split_first_chunk()?;
            (Head::Ext(code.cast_signed(), len.into()), rest)
        }};
    }
    macro_rules! fixed_ext {
        ($len:literal) => {{
            let (&[code], rest) = rest.split_first_chunk()?;
            (Head::Ext(code.cast_signed(), $len), rest)
        }};
    }
    Some(match Marker::from_u8(first) {
        Marker::FixPos(number) => (Head::Int(number.into()), rest),
        Marker::FixNeg(number) => (Head::Int(number.into()), rest),
        Marker::Null => (Head::Null, rest),
        Marker::True => (Head::Bool(true), rest),
        Marker::False => (Head::Bool(false), rest),
        Marker::U8 => with!(u8, Head::Int),
        Marker::U16 => with!(u16, Head::Int),
        Marker::U32 => with!(u32, Head::Int),
        Marker::U64 => {
            let (number, rest) = number!(u64);
            (i64::try_from(number).map_or(Head::UInt(number), Head::Int), rest)
        }
        Marker::I8 => with!(i8, Head::Int),
        Marker::I16 => with!(i16, Head::Int),
        Marker::I32 => with!(i32, Head::Int),
        Marker::I64 => with!(i64, Head::Int),
        Marker::F32 => with!(f32, Head::Float),
        Marker::F64 => with!(f64, Head::Float),
        Marker::FixStr(len) => (Head::Str(len.into()), rest),
        Marker::Str8 => with!(u8, Head::Str),
        Marker::Str16 => with!(u16, Head::Str),
        Marker::Str32 => with!(u32, Head::Str),
        Marker::Bin8 => with!(u8, Head::Bin),
        Marker::Bin16 => with!(u16, Head::Bin),
        Marker::Bin32 => with!(u32, Head::Bin),
        Marker::FixArray(len) => (Head::Array(len.into()), rest),
        Marker::Array16 => with!(u16, Head::Array),
        Marker::Array32 => with!(u32, Head::Array),
        Marker::FixMap(len) => (Head::Map(len.into()), rest),
        Marker::Map16 => with!(u16, Head::Map),
        Marker::Map32 => with!(u32, Head::Map),
        Marker::FixExt1 => fixed_ext!(1),
        Marker::FixExt2 => fixed_ext!(2),
        Marker::FixExt4 => fixed_ext!(4),
        Marker::FixExt8 => fixed_ext!(8),
        Marker::FixExt16 => fixed_ext!(16),
        Marker::Ext8 => ext!(u8),
        Marker::Ext16 => ext!(u16),
        Marker::Ext32 => ext!(u32),
        Marker::Reserved => (Head::Reserved, rest),
    })
}

// Writing: each in the shortest form, as the reference's encoder does.

fn number<const N: usize>(out: &mut Vec<u8>, marker: Marker, number: [u8; N]) {
    out.push(marker.to_u8());
    out.extend_from_slice(&number);
}

/// Appends nil, Python's `None`.
pub fn put_null(out: &mut Vec<u8>) {
    out.push(Marker::Null.to_u8());
}

/// Appends a truth value.
pub fn put_bool(out: &mut Vec<u8>, bit: bool) {
    out.push(if bit { Marker::True } else { Marker::False }.to_u8());
}

/// Appends a whole number.
pub fn put_int(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u64::try_from(value) {
        return put_uint(out, value);
    }
    if value >= -32 {
        out.push(value.to_le_bytes()[0]);
    } else if let Ok(value) = i8::try_from(value) {
        number(out, Marker::I8, value.to_be_bytes());
    } else if let Ok(value) = i16::try_from(value) {
        number(out, Marker::I16, value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        number(out, Marker::I32, value.to_be_bytes());
    } else {
        number(out, Marker::I64, value.to_be_bytes());
    }
}

/// Appends a whole number without a sign.
pub fn put_uint(out: &mut Vec<u8>, value: u64) {
    if value < 128 {
        out.push(value.to_le_bytes()[0]);
    } else if let Ok(value) = u8::try_from(value) {
        number(out, Marker::U8, value.to_be_bytes());
    } else if let Ok(value) = u16::try_from(value) {
        number(out, Marker::U16, value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        number(out, Marker::U32, value.to_be_bytes());
    } else {
        number(out, Marker::U64, value.to_be_bytes());
    }
}

/// Appends a 64-bit floating point number, the only float that the reference writes.
pub fn put_float(out: &mut Vec<u8>, value: f64) {
    number(out, Marker::F64, value.to_be_bytes());
}

/// A length behind the narrowest of three markers that has room for it. Lists and maps have none for one byte.
fn length(out: &mut Vec<u8>, len: u32, [in_one, in_two, in_four]: [Marker; 3]) {
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if in_one != in_two => number(out, in_one, len.to_be_bytes()),
        (_, Ok(len)) => number(out, in_two, len.to_be_bytes()),
        _ => number(out, in_four, len.to_be_bytes()),
    }
}

/// Appends the head of a text of `len` bytes; the bytes follow.
#[inline]
pub fn put_str_head(out: &mut Vec<u8>, len: u32) {
    if len < 32 {
        return out.push(FIX_STR | len.to_le_bytes()[0]);
    }
    length(out, len, [Marker::Str8, Marker::Str16, Marker::Str32]);
}

/// Appends the head of a byte string of `len` bytes; the bytes follow.
pub fn put_bin_head(out: &mut Vec<u8>, len: u32) {
    length(out, len, [Marker::Bin8, Marker::Bin16, Marker::Bin32]);
}

/// Appends the head of a list of `len` values; the values follow.
pub fn put_array_head(out: &mut Vec<u8>, len: u32) {
    if len < 16 {
        return out.push(0x90 | len.to_le_bytes()[0]);
    }
    length(out, len, [Marker::Array16, Marker::Array16, Marker::Array32]);
}

/// Appends the head of a map of `len` entries; key, value, key, value follow.
pub fn put_map_head(out: &mut Vec<u8>, len: u32) {
    if len < 16 {
        return out.push(0x80 | len.to_le_bytes()[0]);
    }
    length(out, len, [Marker::Map16, Marker::Map16, Marker::Map32]);
}

/// Appends the head of an extension value of `len` bytes; the bytes follow.
pub fn put_ext_head(out: &mut Vec<u8>, code: i8, len: u32) {
    match len {
        1 => out.push(Marker::FixExt1.to_u8()),
        2 => out.push(Marker::FixExt2.to_u8()),
        4 => out.push(Marker::FixExt4.to_u8()),
        8 => out.push(Marker::FixExt8.to_u8()),
        16 => out.push(Marker::FixExt16.to_u8()),
        _ => length(out, len, [Marker::Ext8, Marker::Ext16, Marker::Ext32]),
    }
    out.push(code.cast_unsigned());
}

/// A text in its shortest form, its bytes and those behind it; none if the bytes begin with anything else, a longer text
/// included, or end within it.
#[inline]
#[must_use]
pub fn short_str(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if first & 0xe0 != FIX_STR {
        return None;
    }
    rest.split_at_checked(usize::from(first & 0x1f))
}

/// The marker of texts of up to 31 bytes, whose length is in its lower bits.
const FIX_STR: u8 = 0xa0;

/// The bytes behind the first value; none if they end within it, or if it begins with the byte that begins nothing.
///
/// Neither the nesting nor a declared length costs stack or memory.
#[inline]
#[must_use]
pub fn skip(bytes: &[u8]) -> Option<&[u8]> {
    // Most values are short texts, truth values and 64-bit numbers.
    match short_str(bytes) {
        Some((_, rest)) => Some(rest),
        None => skip_any(bytes),
    }
}

fn skip_any(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let mut owed = 1_usize;
    while owed > 0 {
        let (head, behind) = head(rest)?;
        rest = behind;
        owed -= 1;
        match head {
            Head::Str(len) | Head::Bin(len) | Head::Ext(_, len) => rest = rest.get(usize::try_from(len).ok()?..)?,
            Head::Array(len) => owed = owed.checked_add(usize::try_from(len).ok()?)?,
            Head::Map(len) => owed = owed.checked_add(usize::try_from(len).ok()?.checked_mul(2)?)?,
            Head::Reserved => return None,
            Head::Null | Head::Bool(_) | Head::Int(_) | Head::UInt(_) | Head::Float(_) => {}
        }
        // Every value has a byte at least.
        if owed > rest.len() {
            return None;
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(write: impl Fn(&mut Vec<u8>), expected: Head, len: usize) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(out.len(), len, "{expected:?}");
        assert_eq!(head(&out), Some((expected, &[][..])));
        for cut in 0..len {
            assert_eq!(head(&out[..cut]), None, "{expected:?} cut at {cut}");
        }
    }

    #[test]
    fn numbers_take_the_shortest_form() {
        for (value, len) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (255, 2),
            (256, 3),
            (65_535, 3),
            (65_536, 5),
            (u32::MAX.into(), 5),
            (i64::from(u32::MAX) + 1, 9),
            (i64::MAX, 9),
            (-1, 1),
            (-32, 1),
            (-33, 2),
            (-128, 2),
            (-129, 3),
            (-32_768, 3),
            (-32_769, 5),
            (i32::MIN.into(), 5),
            (i64::from(i32::MIN) - 1, 9),
            (i64::MIN, 9),
        ] {
            check(|out| put_int(out, value), Head::Int(value), len);
        }
        check(|out| put_uint(out, u64::MAX), Head::UInt(u64::MAX), 9);
        check(|out| put_float(out, 1.5), Head::Float(1.5), 9);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        for (len, size) in [(0, 1), (31, 1), (32, 2), (255, 2), (256, 3), (65_535, 3), (65_536, 5)] {
            check(|out| put_str_head(out, len), Head::Str(len), size);
        }
        for (len, size) in [(0, 2), (255, 2), (256, 3), (65_536, 5)] {
            check(|out| put_bin_head(out, len), Head::Bin(len), size);
        }
        for (len, size) in [(0, 1), (15, 1), (16, 3), (65_535, 3), (65_536, 5)] {
            check(|out| put_array_head(out, len), Head::Array(len), size);
            check(|out| put_map_head(out, len), Head::Map(len), size);
        }
        for (len, size) in [(0, 3), (1, 2), (2, 2), (3, 3), (16, 2), (17, 3), (256, 4), (65_536, 6)] {
            check(|out| put_ext_head(out, -1, len), Head::Ext(-1, len), size);
        }
    }

    #[test]
    fn a_value_is_skipped_whole_or_not_at_all() {
        let values: [&[u8]; 8] = [
            b"\x07",
            b"\xc0",
            b"\xa2ab",
            b"\xc4\x01\x00",
            b"\x92\x01\x91\x02",
            b"\x81\xa1a\x82\x01\x02\x03\x04",
            b"\xd4\x05\x00",
            b"\xcb\0\0\0\0\0\0\0\0",
        ];
        for value in values {
            assert_eq!(skip(&[value, b"rest"].concat()), Some(b"rest".as_slice()), "{value:?}");
            for cut in 0..value.len() {
                assert_eq!(skip(&value[..cut]), None, "{value:?} cut at {cut}");
            }
        }
        assert_eq!(skip(b"\xc1"), None);
        assert_eq!(skip(b"\xdd\xff\xff\xff\xff\x01"), None);
        assert_eq!(skip(b"\xdf\xff\xff\xff\xff\x01"), None);
        assert_eq!(skip(&[vec![0x91; 100_000], vec![0xc0]].concat()), Some(&[][..]));
    }
}

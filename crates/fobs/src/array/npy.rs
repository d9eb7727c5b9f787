//! The `.npy` format: how an array's type, shape and order stand before its elements.

use fedcell_protocol_defs::fobs::{NpyKey, NpyLayout};

use super::{Array, ArrayError, ArrayLayout, DType, Order};
use crate::Blob;

const MAGIC: [u8; 6] = [NpyLayout::MAGIC_FIRST, b'N', b'U', b'M', b'P', b'Y'];

/// Reads a `.npy` file. The elements are a view of its bytes.
pub(super) fn parse(file: &Blob) -> Result<Array, ArrayError> {
    let (header, elements) = split_header(file)?;
    let header = header.to_bytes();
    Array::with_layout(Literal(&header).layout()?, elements)
}

/// Reads the beginning of a file: the layout, and where the elements begin. None if it is not all there yet.
pub(super) fn parse_prefix(bytes: &[u8]) -> Result<Option<(ArrayLayout, usize)>, ArrayError> {
    let Some((magic, rest)) = bytes.split_at_checked(NpyLayout::MAGIC_SIZE) else { return Ok(None) };
    let width = length_width(magic)?;
    let Some((length, rest)) = rest.split_at_checked(width) else { return Ok(None) };
    let length = header_length(length.iter().copied())?;
    let Some((header, _)) = rest.split_at_checked(length) else { return Ok(None) };
    Ok(Some((Literal(header).layout()?, NpyLayout::MAGIC_SIZE + width + length)))
}

/// How many bytes count the header, from what stands before them.
fn length_width(magic: &[u8]) -> Result<usize, ArrayError> {
    let [version @ .., _minor] = magic.strip_prefix(&MAGIC).ok_or(ArrayError::NotNpy)? else {
        return Err(ArrayError::NotNpy);
    };
    // Version 1 counts its header in two bytes, the later ones in four; numpy writes 1 whenever it is enough.
    match version {
        [1] => Ok(NpyLayout::LENGTH_SIZE),
        [2 | 3] => Ok(size_of::<u32>()),
        _ => Err(ArrayError::NotNpy),
    }
}

fn header_length(bytes: impl Iterator<Item = u8>) -> Result<usize, ArrayError> {
    let length = bytes.enumerate().fold(0, |sum, (at, byte)| sum | usize::from(byte) << (8 * at));
    if length > NpyLayout::MAX_HEADER_SIZE { Err(ArrayError::HeaderLength(length)) } else { Ok(length) }
}

/// Cuts a file into the text of its header and its elements.
fn split_header(file: &Blob) -> Result<(Blob, Blob), ArrayError> {
    let (magic, rest) = file.split_at(NpyLayout::MAGIC_SIZE).ok_or(ArrayError::NotNpy)?;
    let (length, rest) = rest.split_at(length_width(&magic.to_bytes())?).ok_or(ArrayError::NotNpy)?;
    rest.split_at(header_length(length.iter())?).ok_or(ArrayError::NotNpy)
}

/// Writes everything before the elements, as numpy does.
pub(super) fn header(array: &ArrayLayout) -> Vec<u8> {
    let mut text = format!(
        "{{'{}': '{}', '{}': {}, '{}': ({}), }}",
        NpyKey::DESCR,
        array.dtype(),
        NpyKey::FORTRAN_ORDER,
        if array.order() == Order::Fortran { "True" } else { "False" },
        NpyKey::SHAPE,
        Shape(array.shape()),
    );
    let growing = if array.order() == Order::Fortran { array.shape().last() } else { array.shape().first() };
    if let Some(growing) = growing {
        let spare = NpyLayout::GROWTH_DIGITS.saturating_sub(growing.checked_ilog10().unwrap_or(0) as usize + 1);
        text.extend(core::iter::repeat_n(' ', spare));
    }
    let prefix = NpyLayout::MAGIC_SIZE + NpyLayout::LENGTH_SIZE;
    let unpadded = prefix + text.len() + 1;
    // A header that ends on the boundary already gets a whole row of spaces, as numpy's does.
    let padding = NpyLayout::ALIGNMENT - unpadded % NpyLayout::ALIGNMENT;
    let length = text.len() + 1 + padding;

    let mut header = Vec::with_capacity(prefix + length);
    header.extend_from_slice(&MAGIC);
    match u16::try_from(length) {
        Ok(length) => {
            header.extend_from_slice(&[NpyLayout::VERSION_MAJOR, NpyLayout::VERSION_MINOR]);
            header.extend_from_slice(&length.to_le_bytes());
        }
        // Thousands of axes; no array of a model comes here, but the format has an answer.
        Err(_) => {
            header.extend_from_slice(&[2, 0]);
            header.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
    header.extend_from_slice(text.as_bytes());
    header.extend(core::iter::repeat_n(b' ', padding));
    header.push(b'\n');
    header
}

/// A shape as Python writes a tuple, without its parentheses.
struct Shape<'a>(&'a [usize]);

impl core::fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            [] => Ok(()),
            [only] => write!(f, "{only},"),
            [first, rest @ ..] => {
                write!(f, "{first}")?;
                rest.iter().try_for_each(|axis| write!(f, ", {axis}"))
            }
        }
    }
}

/// What is left of a Python literal.
struct Literal<'a>(&'a [u8]);

impl<'a> Literal<'a> {
    fn layout(mut self) -> Result<ArrayLayout, ArrayError> {
        let (mut dtype, mut shape, mut order) = (None, None, None);
        self.expect(b'{')?;
        while !self.skip(b'}') {
            let key = self.quoted()?;
            self.expect(b':')?;
            if key == NpyKey::DESCR.as_str().as_bytes() {
                dtype = Some(self.descr()?);
            } else if key == NpyKey::FORTRAN_ORDER.as_str().as_bytes() {
                order = Some(if self.truth()? { Order::Fortran } else { Order::C });
            } else if key == NpyKey::SHAPE.as_str().as_bytes() {
                shape = Some(self.tuple()?);
            } else {
                return Err(ArrayError::Header);
            }
            if !self.skip(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        self.space();
        match (dtype, shape, order) {
            (Some(dtype), Some(shape), Some(order)) if self.0.is_empty() => Ok(ArrayLayout::new(dtype, shape, order)),
            _ => Err(ArrayError::Header),
        }
    }

    fn descr(&mut self) -> Result<DType, ArrayError> {
        self.space();
        // A list of fields, or a tuple of a type and a shape: a structure.
        if matches!(self.0.first(), Some(b'[' | b'(')) {
            return Err(ArrayError::Structured);
        }
        DType::parse(self.quoted()?)
    }

    fn tuple(&mut self) -> Result<Vec<usize>, ArrayError> {
        let mut items = Vec::new();
        self.expect(b'(')?;
        while !self.skip(b')') {
            self.space();
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, rest) = self.0.split_at_checked(digits).ok_or(ArrayError::Header)?;
            self.0 = rest;
            items.push(number(digits).ok_or(ArrayError::Header)?);
            if !self.skip(b',') {
                // Without a comma, one number in parentheses is a number and not a tuple.
                self.expect(b')')?;
                if items.len() == 1 {
                    return Err(ArrayError::Header);
                }
                break;
            }
        }
        Ok(items)
    }

    fn truth(&mut self) -> Result<bool, ArrayError> {
        self.space();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word.as_bytes()) {
                self.0 = rest;
                return Ok(truth);
            }
        }
        Err(ArrayError::Header)
    }

    fn quoted(&mut self) -> Result<&'a [u8], ArrayError> {
        self.space();
        let Some((&quote @ (b'\'' | b'"'), rest)) = self.0.split_first() else { return Err(ArrayError::Header) };
        let length = rest.iter().position(|&byte| byte == quote).ok_or(ArrayError::Header)?;
        let (text, rest) = rest.split_at_checked(length).ok_or(ArrayError::Header)?;
        self.0 = rest.get(1..).unwrap_or_default();
        if text.contains(&b'\\') { Err(ArrayError::Header) } else { Ok(text) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ArrayError> {
        if self.skip(byte) { Ok(()) } else { Err(ArrayError::Header) }
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.space();
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }
}

/// A decimal number without a sign.
pub(super) fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0_usize, |number, &byte| number.checked_mul(10)?.checked_add(char::from(byte).to_digit(10)? as usize))
}

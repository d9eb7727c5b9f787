//! How much an input may cost before it is refused.

use crate::error::{Error, ErrorKind};

/// Limits of one decoding. Memory is in proportion to the bytes received, never to a length that they declare.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Budget {
    /// Levels of lists, maps and envelopes; 64. Values above [`Budget::MAX_DEPTH`] count as that.
    pub depth: usize,
    /// Parts of the object: every value and every key is one; 1 000 000.
    pub items: usize,
    /// Bytes of memory per byte of input; 4.
    pub heap_factor: usize,
    /// Bytes of memory on top; 1 MiB.
    pub heap_allowance: usize,
    /// Longest text, in bytes; 1 GiB. It is a slice of the input, so its cost is the time to check that it is UTF-8.
    pub text_length: usize,
    /// Longest map key, in bytes; 64 KiB.
    pub key_length: usize,
}

impl Budget {
    /// Deepest nesting that can be asked for: the decoder calls itself once per level, and its stack must hold.
    pub const MAX_DEPTH: usize = 256;
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            depth: 64,
            items: 1_000_000,
            heap_factor: 4,
            heap_allowance: 1 << 20,
            text_length: 1 << 30,
            key_length: 1 << 16,
        }
    }
}

/// What is left of a budget while one input is decoded.
#[derive(Debug)]
pub(crate) struct Ledger<'a> {
    budget: &'a Budget,
    items: usize,
    heap: usize,
    limit: usize,
}

/// Kept back for the error that ends a decoding: its path and its parts.
const RESERVE: usize = 32 * 1024;

impl<'a> Ledger<'a> {
    pub(crate) fn new(budget: &'a Budget, input: usize) -> Self {
        let limit = input.saturating_mul(budget.heap_factor).saturating_add(budget.heap_allowance);
        Self { budget, items: budget.items, heap: limit.saturating_sub(RESERVE), limit }
    }

    pub(crate) fn depth(&self) -> usize {
        self.budget.depth.min(Budget::MAX_DEPTH)
    }

    /// Pays for one value.
    #[inline]
    pub(crate) fn item(&mut self) -> Result<(), Error> {
        self.items(1)
    }

    /// Pays for several values.
    #[inline]
    pub(crate) fn items(&mut self, count: usize) -> Result<(), Error> {
        match self.items.checked_sub(count) {
            Some(left) => {
                self.items = left;
                Ok(())
            }
            None => Err(ErrorKind::Items { limit: self.budget.items }.into()),
        }
    }

    /// Pays for memory before it is allocated. Nothing is ever paid back, so that the sum bounds the peak.
    #[inline]
    pub(crate) fn heap(&mut self, bytes: usize) -> Result<(), Error> {
        match self.heap.checked_sub(bytes) {
            Some(left) => {
                self.heap = left;
                Ok(())
            }
            None => Err(ErrorKind::Heap { limit: self.limit }.into()),
        }
    }

    /// Pays for a vector of so many elements.
    #[inline]
    pub(crate) fn vec<T>(&mut self, elements: usize) -> Result<(), Error> {
        self.heap(elements.saturating_mul(size_of::<T>()))
    }

    #[inline]
    pub(crate) fn text_length(&self, len: usize) -> Result<(), Error> {
        if len > self.budget.text_length {
            return Err(ErrorKind::TextLength { len, limit: self.budget.text_length }.into());
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn key_length(&self, len: usize) -> Result<(), Error> {
        if len > self.budget.key_length {
            return Err(ErrorKind::KeyLength { len, limit: self.budget.key_length }.into());
        }
        Ok(())
    }
}

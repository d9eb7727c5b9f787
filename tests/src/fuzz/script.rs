//! The bytes of a fuzzer as a script: what happens next, and with which values.

/// Bytes that are taken one by one; zeroes when there are no more.
pub(super) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn number(&mut self) -> i64 {
        let byte = i64::from(self.byte());
        match byte {
            // Numbers at the edge, and what is no number of anything at all.
            0..=31 => byte,
            250 => i64::MAX,
            251 => i64::MIN,
            252 => -1,
            253 => 1 << 40,
            _ => byte * 37,
        }
    }

    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

//! CRC-32 (the polynomial of Ethernet and zip), eight bytes at a time.

/// Table `n` has what a byte does that stands `n` bytes before the end.
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let (mut byte, mut number) = (0, 0_u32);
    while byte < 256 {
        let mut value = number;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
        number += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// A checksum under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checksum(u32);

impl Checksum {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut state = self.0;
        let chunks = bytes.chunks_exact(8);
        let rest = chunks.remainder();
        for chunk in chunks {
            let mixed = state.to_le_bytes();
            state = 0;
            for (at, byte) in chunk.iter().enumerate() {
                let byte = if at < 4 { byte ^ mixed[at] } else { *byte };
                state ^= TABLES[7 - at][usize::from(byte)];
            }
        }
        for byte in rest {
            state = TABLES[0][usize::from(state.to_le_bytes()[0] ^ byte)] ^ (state >> 8);
        }
        self.0 = state;
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

/// Checksum of bytes in one piece.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    let mut sum = Checksum::new();
    sum.update(bytes);
    sum.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(of(b""), 0);
        assert_eq!(of(b"123456789"), 0xcbf4_3926);
        assert_eq!(of(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..=bytes.len() {
            let mut sum = Checksum::new();
            sum.update(&bytes[..cut]);
            sum.update(&bytes[cut..]);
            assert_eq!(sum.value(), of(&bytes));
        }
    }
}

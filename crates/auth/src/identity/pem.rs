//! PEM blocks, bounded: the armour in which certificates and keys are stored and sent.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{Field, IdentityError, Problem};
use crate::base64;

/// Most bytes of PEM that are read, from a file or from a peer: what a peer may cost before it is authenticated.
pub const MAX_PEM_LENGTH: usize = 64 * 1024;

/// One block: the words after `BEGIN`, and the decoded body, which may be a secret.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Reads a file of at most [`MAX_PEM_LENGTH`] bytes into a buffer that is wiped.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(|cause| IdentityError::unreadable(&file, cause))?;
    // Reserved at once: a buffer that grew would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PEM_LENGTH + 1));
    let limit = u64::try_from(MAX_PEM_LENGTH).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(limit).read_to_end(&mut bytes).map_err(|cause| IdentityError::unreadable(&file, cause))?;
    Ok(bytes)
}

/// All blocks in `bytes`, in order. Text outside of blocks is skipped, as OpenSSL does.
pub(crate) fn blocks(file: &str, bytes: &[u8]) -> Result<Vec<Block>, IdentityError> {
    if bytes.len() > MAX_PEM_LENGTH {
        return Err(IdentityError::new(file, Field::Pem, Problem::TooLong(MAX_PEM_LENGTH)));
    }
    let malformed = || IdentityError::new(file, Field::Pem, Problem::Malformed);
    let mut blocks = Vec::new();
    let mut open: Option<(&[u8], Vec<&[u8]>)> = None;
    for line in bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        match &mut open {
            None => open = marker(line, b"-----BEGIN ").map(|label| (label, Vec::new())),
            Some((label, lines)) => {
                if let Some(end) = marker(line, b"-----END ") {
                    if end != *label {
                        return Err(malformed());
                    }
                    blocks.push(decode(label, lines).ok_or_else(malformed)?);
                    open = None;
                } else if line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED") {
                    return Err(IdentityError::new(file, Field::PrivateKey, Problem::Encrypted));
                } else {
                    lines.push(line);
                }
            }
        }
    }
    if open.is_some() { Err(malformed()) } else { Ok(blocks) }
}

fn marker<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

fn decode(label: &[u8], lines: &[&[u8]]) -> Option<Block> {
    let letters: usize = lines.iter().map(|line| line.len()).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(letters / 4 * 3 + 3));
    base64::decode_into(lines.iter().flat_map(|line| line.iter().copied()), &mut body).ok()?;
    Some(Block { label: str::from_utf8(label).ok()?.to_owned(), body })
}

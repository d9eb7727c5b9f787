//! The fixed parts of an archive with one stored member, written byte for byte as Python's `zipfile` writes them.

use fedcell_protocol_defs::download::ArchiveLayout as Layout;

/// Bytes in the extra field before the member: its id, its length, both lengths of the member.
const LOCAL_EXTRA: usize = 20;

/// What is before the member. The lengths stand in the extra field, always, since the writer of the reference does not
/// know them when it begins.
pub(super) fn local(name: &[u8], sum: u32, size: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(Layout::LOCAL_SIZE + name.len() + LOCAL_EXTRA);
    put32(&mut out, Layout::LOCAL_SIGNATURE);
    put16(&mut out, Layout::VERSION);
    put16(&mut out, flags(name));
    put16(&mut out, Layout::STORED);
    put16(&mut out, Layout::TIME);
    put16(&mut out, Layout::DATE);
    put32(&mut out, sum);
    put32(&mut out, Layout::IN_LONG_FIELD);
    put32(&mut out, Layout::IN_LONG_FIELD);
    put16(&mut out, narrow(name.len()));
    put16(&mut out, narrow(LOCAL_EXTRA));
    out.extend_from_slice(name);
    put16(&mut out, Layout::LONG_FIELD);
    put16(&mut out, narrow(LOCAL_EXTRA - 4));
    put64(&mut out, size);
    put64(&mut out, size);
    out
}

/// What is behind the member: the directory and its end. `offset` is where the directory begins.
pub(super) fn directory(name: &[u8], sum: u32, size: u64, offset: u64) -> Vec<u8> {
    // As `zipfile`: long lengths from 2 GiB on, long offsets too.
    let is_long = size > u64::from(u32::MAX >> 1);
    let is_far = offset > u64::from(u32::MAX >> 1);
    let extra: u16 = if is_long { 20 } else { 0 };
    let mut out = Vec::with_capacity(256 + name.len());
    put32(&mut out, Layout::ENTRY_SIGNATURE);
    put16(&mut out, Layout::VERSION | Layout::MADE_ON << 8);
    put16(&mut out, Layout::VERSION);
    put16(&mut out, flags(name));
    put16(&mut out, Layout::STORED);
    put16(&mut out, Layout::TIME);
    put16(&mut out, Layout::DATE);
    put32(&mut out, sum);
    let short = if is_long { Layout::IN_LONG_FIELD } else { clamp(size) };
    put32(&mut out, short);
    put32(&mut out, short);
    put16(&mut out, narrow(name.len()));
    put16(&mut out, extra);
    // Length of the comment, disk, attributes of the content.
    put16(&mut out, 0);
    put16(&mut out, 0);
    put16(&mut out, 0);
    put32(&mut out, Layout::ATTRIBUTES);
    // Where the member begins.
    put32(&mut out, 0);
    out.extend_from_slice(name);
    if is_long {
        put16(&mut out, Layout::LONG_FIELD);
        put16(&mut out, extra - 4);
        put64(&mut out, size);
        put64(&mut out, size);
    }
    let length = out.len() as u64;
    if is_far {
        put32(&mut out, Layout::LONG_END_SIGNATURE);
        // Counted from behind this number.
        put64(&mut out, (Layout::LONG_END_SIZE - 12) as u64);
        put16(&mut out, Layout::VERSION);
        put16(&mut out, Layout::VERSION);
        put32(&mut out, 0);
        put32(&mut out, 0);
        put64(&mut out, 1);
        put64(&mut out, 1);
        put64(&mut out, length);
        put64(&mut out, offset);
        put32(&mut out, Layout::LOCATOR_SIGNATURE);
        put32(&mut out, 0);
        put64(&mut out, offset.saturating_add(length));
        put32(&mut out, 1);
    }
    put32(&mut out, Layout::END_SIGNATURE);
    put16(&mut out, 0);
    put16(&mut out, 0);
    put16(&mut out, 1);
    put16(&mut out, 1);
    put32(&mut out, clamp(length));
    put32(&mut out, clamp(offset));
    put16(&mut out, 0);
    out
}

/// Length of what [`directory`] writes.
pub(super) const fn directory_len(name: usize, size: u64, offset: u64) -> usize {
    let long = if size > (u32::MAX >> 1) as u64 { 20 } else { 0 };
    let far = if offset > (u32::MAX >> 1) as u64 { Layout::LONG_END_SIZE + Layout::LOCATOR_SIZE } else { 0 };
    Layout::ENTRY_SIZE + name + long + far + Layout::END_SIZE
}

/// Length of what [`local`] writes.
pub(super) const fn local_len(name: usize) -> usize {
    Layout::LOCAL_SIZE + name + LOCAL_EXTRA
}

/// A name of other letters than ASCII is said to be UTF-8.
fn flags(name: &[u8]) -> u16 {
    if name.is_ascii() { 0 } else { Layout::FLAG_UTF8 }
}

fn narrow(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn clamp(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

//! What the fuzz targets do with their bytes, one module per subject.
//!
//! The targets themselves (`tests/fuzz`) are a package outside of the workspace, as they need libFuzzer; the functions
//! stand here so that `cargo test` runs the committed corpora through them as well.

pub mod auth;
pub mod cell;
pub mod download;
pub mod fobs;
pub mod objects;
mod script;
pub mod session;
pub mod stream;

/// A target's name, which is also the folder of its corpus in `tests/fuzz/corpus`, and what it does with its bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("auth_certificate", auth::certificate),
    ("auth_challenge", auth::challenge),
    ("auth_envelope", auth::envelope),
    ("auth_session", session::handshake),
    ("cell_address", cell::address),
    ("cell_bulk", cell::bulk),
    ("cell_frames", cell::frames),
    ("cell_headers", cell::headers),
    ("cell_introduction", cell::introduction),
    ("cell_url", cell::url),
    ("download_archive", download::archive),
    ("download_body", download::body),
    ("fobs_decode", fobs::decoding),
    ("fobs_round_trip", fobs::round_trip),
    ("objects", objects::requests),
    ("stream", stream::messages),
];

//! Peers that mean harm, on raw sockets, against a cell in a process of its own: it stays up, honest traffic goes on,
//! and its memory follows the bytes that it has received.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod after_handshake;
mod before_handshake;
mod fixture;
mod floods;
mod identity;

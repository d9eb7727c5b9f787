//! Identity challenge, tokens, session proofs and sealed messages, without a socket, a clock or a generator in it.

pub mod session;
pub mod time;

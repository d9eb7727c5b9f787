//! The Client API handshake: token scopes, proofs, and the manager of one session token.

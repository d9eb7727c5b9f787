//! The session proof of version 1: what a training process computes to show that it holds the session token.
//!
//! The proof is an HMAC-SHA-256 in hex, keyed by the token's text, over a sequence of netstrings (decimal byte length,
//! `:`, the bytes, `,`): the domain tag, the nonce, and then each field of the token's scope as its type name, a colon
//! and its value in the form that Python's `repr` gives.
//!
//! ```text
//!  33:nvflare.client_api.hello_proof.v1,32:<nonce>,14:str:'job-0001',…,5:int:1,
//! ```
//!
//! Scope fields, in this order: job id, site name, attach id, target FQCN, trainer FQCN, rank policy, protocol version.
//! Release 2.9.0 shows the launch token itself instead, so nothing here is spoken by it.

use crate::table::wire_table;

wire_table! {
    /// Fixed text in the message that a proof covers.
    names ProofSyntax(str) in "client_api.proof";

    /// First netstring: what the proof is for, so that it can stand for nothing else.
    DOMAIN = "nvflare.client_api.hello_proof.v1", unspoken;
    /// Between the length and the bytes of a netstring.
    NETSTRING_SEPARATOR = ":", unspoken;
    /// After the bytes of a netstring.
    NETSTRING_END = ",", unspoken;
    /// Between the type name and the value of a scope field, and between the parts of two combined nonces.
    FIELD_SEPARATOR = ":", unspoken, alias "type tag and netstring are both written with a colon";
    /// Type name of a text.
    TYPE_STR = "str", unspoken;
    /// Type name of an integer.
    TYPE_INT = "int", unspoken;
}

wire_table! {
    /// Sizes of tokens, nonces and proofs.
    quantities ProofSize in "client_api.proof_size";

    /// Random bytes in a session token, which is written in hex, twice as long.
    TOKEN_BYTES: usize = 32, unspoken;
    /// Random bytes in a nonce, which is written in hex.
    NONCE_BYTES: usize = 16, unspoken;
    /// Fewest random bytes that a token or nonce may be made of.
    MIN_RANDOM_BYTES: usize = 16, unspoken;
    /// Characters in a proof; another length is refused before anything is computed.
    PROOF_HEX_LEN: usize = 64, unspoken;
    /// Characters in the SHA-256 digest of a token, the only form of it that may be stored.
    DIGEST_HEX_LEN: usize = 64, unspoken;
    /// Nonces that may be outstanding at once; the oldest gives way.
    MAX_PENDING_NONCES: usize = 1024, unspoken;
}

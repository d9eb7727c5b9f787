//! Who a cell is: keys of the identity challenge, exchange of certificates, and the sealed envelope of payloads.

use crate::table::wire_table;

wire_table! {
    /// Keys of the challenge and of the proofs that follow it.
    ///
    /// A challenge request carries `cn` and `nonce` as headers; its reply carries all four in the body; the
    /// registration request carries `cert`, `signature` and `cn` in the body.
    names IdentityKey(str) in "cell.identity", from "nvflare.fuel.f3.cellnet.defs:IdentityChallengeKey";

    /// Text (UUID): what the other side has to sign.
    NONCE = "nonce";
    /// Bytes, PEM: certificate of the signer, with its intermediates if it has any.
    CERT = "cert";
    /// Bytes: RSA-PSS with SHA-256 over the signer's common name followed by the other side's nonce.
    SIGNATURE = "signature";
    /// Text: common name of the certificate.
    COMMON_NAME = "cn";
}

wire_table! {
    /// The channel on which two cells exchange certificates before the first sealed payload.
    names CertChannel(str) in "cell.cert_channel";

    /// Direct requests from the cell that is about to seal or open to the cell at the other end.
    CREDENTIAL_MANAGER = "credential_manager", from "nvflare.fuel.f3.cellnet.core_cell:_SM_CHANNEL";
}

wire_table! {
    /// Topics of the channel for certificates.
    names CertTopic(str) in "cell.cert_topic";

    /// Request and reply: here is my certificate, give me yours. Both sides keep what they got.
    KEY_EXCHANGE = "key_exchange", from "nvflare.fuel.f3.cellnet.core_cell:_SM_TOPIC";
}

wire_table! {
    /// Body keys of a certificate exchange, request and reply alike.
    names CertKey(str) in "cell.cert_key", from "nvflare.fuel.f3.cellnet.credential_manager";

    /// Bytes, PEM: certificate of the sender, followed by its intermediates.
    CERT_CONTENT = "cert_content";
    /// Bytes, PEM: root certificate that the sender trusts.
    CERT_CA_CONTENT = "cert_ca_content";
    /// Text, reply only, in place of the other two: why there is no certificate.
    CERT_ERROR = "cert_error";
    /// Declared by the reference and not sent.
    CERT_TARGET = "cert_target", unspoken;
    /// Declared by the reference and not sent.
    CERT_ORIGIN = "cert_origin", unspoken;
}

wire_table! {
    /// The sealed payload: sizes and offsets in bytes.
    ///
    /// ```text
    ///  0       1      13             269            525
    ///  ┌───────┬──────┬──────────────┬──────────────┬─ ─ ─ ─ ─ ─ ─┬─────┐
    ///  │version│nonce │wrapped key   │signature     │ciphertext   │ tag │
    ///  └───────┴──────┴──────────────┴──────────────┴─ ─ ─ ─ ─ ─ ─┴─────┘
    /// ```
    ///
    /// The content is sealed with AES-256-GCM; its key is wrapped for the receiver with RSA-OAEP and SHA-256; the
    /// sender signs version, nonce, wrapped key, ciphertext and tag with RSA-PSS and SHA-256. Authenticated data of the
    /// seal: version and wrapped key. The sizes of the wrapped key and of the signature fix RSA at 2048 bits.
    quantities Envelope in "cell.envelope";

    /// Value of the version byte.
    VERSION: u8 = 1;
    /// Size of the version.
    VERSION_SIZE: usize = 1, from "nvflare.fuel.f3.cellnet.cell_cipher:VERSION_LENGTH";
    /// Offset of the version.
    VERSION_OFFSET: usize = 0;
    /// Size of the nonce, random for every message.
    NONCE_SIZE: usize = 12, from "nvflare.fuel.f3.cellnet.cell_cipher:NONCE_LENGTH";
    /// Offset of the nonce.
    NONCE_OFFSET: usize = 1;
    /// Size of the key that seals the content, before it is wrapped.
    KEY_SIZE: usize = 32, from "nvflare.fuel.f3.cellnet.cell_cipher:KEY_LENGTH";
    /// Size of the wrapped key.
    WRAPPED_KEY_SIZE: usize = 256, from "nvflare.fuel.f3.cellnet.cell_cipher:KEY_ENC_LENGTH";
    /// Offset of the wrapped key.
    WRAPPED_KEY_OFFSET: usize = 13;
    /// Size of the signature.
    SIGNATURE_SIZE: usize = 256, from "nvflare.fuel.f3.cellnet.cell_cipher:SIGNATURE_LENGTH";
    /// Offset of the signature.
    SIGNATURE_OFFSET: usize = 269;
    /// Size of everything before the ciphertext, and so its offset.
    HEADER_SIZE: usize = 525, from "nvflare.fuel.f3.cellnet.cell_cipher:SIMPLE_HEADER_LENGTH";
    /// Size of the authentication tag at the end.
    TAG_SIZE: usize = 16, from "nvflare.fuel.f3.cellnet.cell_cipher:TAG_LENGTH";
    /// What sealing adds to a payload, and so the size of the smallest envelope.
    OVERHEAD: usize = 541, from "nvflare.fuel.f3.cellnet.cell_cipher:MIN_CIPHER_LENGTH";
    /// Salt length of every RSA-PSS signature of the protocol that we make: the largest that a 2048-bit key and SHA-256
    /// leave room for. A verifier takes shorter ones too.
    PSS_SALT_SIZE: usize = 222;
    /// Bits of every RSA key.
    RSA_BITS: usize = 2048;
}

//! Bodies and headers of the messages about this site, written and read.

use core::net::Ipv4Addr;
use std::net::UdpSocket;

use bytes::Bytes;
use fedcell_auth::Signature;
use fedcell_auth::challenge::{ChallengeReply, RegistrationClaim};
use fedcell_fobs::typed::{FlContext, FobsType as _, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::IdentityKey;
use fedcell_protocol_defs::federation::{AuthHeaderKey, AuthPlaceholder, RegistrationKey};

/// A shareable that holds nothing but who speaks.
pub(super) fn greeting(context: FlContext) -> Shareable {
    let mut greeting = Shareable::new();
    greeting.set_peer_context(context);
    greeting
}

/// The body of a registration.
pub(super) fn registration(
    context: FlContext,
    claim: Option<RegistrationClaim>,
    site_config: Option<&Map>,
) -> Shareable {
    let mut body = greeting(context);
    let entries = body.entries_mut();
    if let Some(claim) = claim {
        entries.insert(IdentityKey::CERT.as_str(), Value::Bytes(Bytes::from(claim.certificate).into()));
        entries.insert(IdentityKey::SIGNATURE.as_str(), Value::Bytes(Bytes::from(claim.signature).into()));
        entries.insert(IdentityKey::COMMON_NAME.as_str(), claim.common_name);
    }
    if let Some(config) = site_config {
        entries.insert(RegistrationKey::SITE_CONFIG.as_str(), config.clone());
    }
    body
}

/// Reads the reply to a challenge. The signature may come as base64 text.
///
/// # Errors
///
/// What is missing.
pub(super) fn challenge_reply(body: Value) -> Result<ChallengeReply, &'static str> {
    let body = Shareable::from_value(body).map_err(|_| "a shareable")?;
    let entry = |key: IdentityKey<'_>| body.entries().get(key.as_str());
    let text = |key: IdentityKey<'_>| entry(key).and_then(Value::as_str).map(str::to_owned);
    let bytes = |key: IdentityKey<'_>| entry(key).and_then(Value::as_blob).map(|blob| blob.to_bytes().to_vec());
    let signature = match text(IdentityKey::SIGNATURE) {
        Some(text) => Signature::from_base64(&text).ok().map(|signature| signature.as_bytes().to_vec()),
        None => bytes(IdentityKey::SIGNATURE),
    };
    Ok(ChallengeReply {
        common_name: text(IdentityKey::COMMON_NAME).ok_or("the server's name")?,
        nonce: text(IdentityKey::NONCE).ok_or("a nonce")?,
        certificate: bytes(IdentityKey::CERT).ok_or("the server's certificate")?,
        signature: signature.ok_or("a signature")?,
    })
}

/// What a registration brought, unchecked.
pub(super) struct Grant {
    pub(super) token: String,
    pub(super) signature: String,
    pub(super) session: String,
}

/// Reads the reply to a registration. None if it names no token: the server does not accept who asks.
///
/// # Errors
///
/// What is missing.
pub(super) fn grant(body: &Value) -> Result<Option<Grant>, &'static str> {
    let body = body.as_map().ok_or("a map")?;
    let text = |key: AuthHeaderKey<'_>| body.get(key.as_str()).and_then(Value::as_str).map(str::to_owned);
    let none = || AuthPlaceholder::NOT_AVAILABLE.as_str().to_owned();
    let Some(token) = text(AuthHeaderKey::TOKEN).filter(|token| !token.is_empty()) else { return Ok(None) };
    Ok(Some(Grant {
        token,
        signature: text(AuthHeaderKey::TOKEN_SIGNATURE).unwrap_or_else(none),
        session: text(AuthHeaderKey::SSID).unwrap_or_default(),
    }))
}

/// The address from which this machine would reach others; only shown to people. Nothing is sent to find it.
pub(super) fn own_address() -> String {
    let elsewhere = (Ipv4Addr::new(10, 255, 255, 255), 1);
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect(elsewhere).and_then(|()| socket.local_addr()))
        .map_or_else(|_| Ipv4Addr::LOCALHOST.to_string(), |address| address.ip().to_string())
}

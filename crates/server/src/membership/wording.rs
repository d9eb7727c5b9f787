//! Bodies and headers of the messages about membership, read and written.

use std::collections::BTreeSet;

use bytes::Bytes;
use fedcell_auth::Signature;
use fedcell_auth::challenge::{ChallengeReply, ChallengeRequest, RegistrationClaim};
use fedcell_cell::Request;
use fedcell_fobs::convert::JsonView;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::IdentityKey;
use fedcell_protocol_defs::federation::{
    AuthHeaderKey, AuthPlaceholder, ContextKey, HeaderKey, Protocol, RegistrationDefaults, RegistrationKey,
};

use super::candidate::{Applicant, Granted};
use super::refusal::Refusal;

/// Longest path of a site in the hierarchy of sites, in bytes: sixteen names of the longest that certificates have.
const LONGEST_FQSN: usize = 1024;

/// A header that is text; empty if it is missing or something else.
pub(super) fn header(request: &Request, key: impl AsRef<str>) -> &str {
    request.headers().text(key).ok().flatten().unwrap_or_default()
}

/// Reads a challenge.
pub(super) fn challenge(request: &Request) -> ChallengeRequest {
    ChallengeRequest {
        common_name: header(request, IdentityKey::COMMON_NAME).to_owned(),
        nonce: header(request, IdentityKey::NONCE).to_owned(),
    }
}

/// Writes the answer to a challenge.
pub(super) fn challenge_reply(reply: ChallengeReply) -> Value {
    let mut body = Shareable::new();
    let entries = body.entries_mut();
    entries.insert(IdentityKey::NONCE.as_str(), reply.nonce);
    entries.insert(IdentityKey::SIGNATURE.as_str(), Value::Bytes(Bytes::from(reply.signature).into()));
    entries.insert(IdentityKey::COMMON_NAME.as_str(), reply.common_name);
    entries.insert(IdentityKey::CERT.as_str(), Value::Bytes(Bytes::from(reply.certificate).into()));
    body.into_value()
}

/// Reads a registration.
///
/// # Errors
///
/// [`Refusal`] if the body is no shareable, or says who stands above the site at too great a length.
pub(super) fn applicant(request: &Request) -> Result<Applicant, Refusal> {
    let body = request.value().ok().and_then(|value| Shareable::from_value(value).ok());
    let body = body.ok_or_else(|| Refusal::malformed("expected the body of a registration to be a Shareable"))?;
    let name = header(request, HeaderKey::CLIENT_NAME);
    let mut applicant = Applicant::new(name, header(request, HeaderKey::PROJECT_NAME));
    applicant.kind = header(request, HeaderKey::CLIENT_TYPE).to_owned();
    applicant.address = header(request, HeaderKey::CLIENT_IP).to_owned();
    applicant.software = header(request, HeaderKey::NVFLARE_VERSION).to_owned();
    applicant.claim = claim(&body, name);
    applicant.site_config = site_config(&body, name);
    if let Ok(Some(context)) = body.peer_context() {
        applicant.fqsn = context.get(ContextKey::FQSN.as_str()).and_then(Value::as_str).map(str::to_owned);
        if applicant.fqsn.as_ref().is_some_and(|fqsn| fqsn.len() > LONGEST_FQSN) {
            return Err(Refusal::malformed(format!("expected an FQSN of at most {LONGEST_FQSN} bytes")));
        }
        applicant.is_leaf = context.get(ContextKey::IS_LEAF.as_str()).and_then(Value::as_bool).unwrap_or(true);
    }
    Ok(applicant)
}

/// The proof in a registration. Older clients send no common name, which the reference never reads.
fn claim(body: &Shareable, name: &str) -> Option<RegistrationClaim> {
    let entry = |key: IdentityKey<'_>| body.entries().get(key.as_str());
    let certificate = entry(IdentityKey::CERT)?.as_blob()?.to_bytes().to_vec();
    let signature = match entry(IdentityKey::SIGNATURE)? {
        Value::Bytes(bytes) => bytes.to_bytes().to_vec(),
        text => Signature::from_base64(text.as_str()?).ok()?.as_bytes().to_vec(),
    };
    let common_name = entry(IdentityKey::COMMON_NAME).and_then(Value::as_str).unwrap_or(name).to_owned();
    Some(RegistrationClaim { client_name: name.to_owned(), common_name, certificate, signature })
}

/// What a site tells about itself, if it is a map that is not too large; dropped otherwise, as in the reference.
fn site_config(body: &Shareable, name: &str) -> Option<Map> {
    let value = body.entries().get(RegistrationKey::SITE_CONFIG.as_str())?;
    let most = RegistrationDefaults::MAX_SITE_CONFIG_SIZE;
    // So much of byte strings and arrays is counted, too.
    let size = serde_json::to_vec(&JsonView::new(value).showing(most)).map_or(usize::MAX, |json| json.len());
    if size > most {
        tracing::warn!(client = name, size, "dropped a site configuration that is too large");
        return None;
    }
    let map = value.as_map().cloned();
    if map.is_none() {
        tracing::warn!(client = name, kind = value.kind(), "dropped a site configuration that is no map");
    }
    map
}

/// Writes the answer to a registration: empty if the applicant was not believed.
pub(super) fn grant(granted: Option<&Granted>) -> Value {
    let mut body = Map::new();
    if let Some(granted) = granted {
        body.insert(AuthHeaderKey::TOKEN.as_str(), granted.token.expose());
        body.insert(AuthHeaderKey::TOKEN_SIGNATURE.as_str(), granted.signature.expose());
        body.insert(AuthHeaderKey::SSID.as_str(), AuthPlaceholder::NOT_AVAILABLE.as_str());
        body.insert(HeaderKey::FEDERATION_PROTOCOL_VERSION.as_str(), i64::from(Protocol::VERSION));
        body.insert(HeaderKey::NVFLARE_VERSION.as_str(), concat!("fedcell ", env!("CARGO_PKG_VERSION")));
    }
    body.into()
}

/// The jobs that a heartbeat names.
pub(super) fn jobs(request: &Request) -> BTreeSet<String> {
    let listed = request.headers().texts(HeaderKey::JOB_IDS).ok().flatten();
    listed.map(|jobs| jobs.iter().map(str::to_owned).collect()).unwrap_or_default()
}

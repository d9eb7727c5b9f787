//! Putting a URL together.

use core::fmt::Write as _;

use fedcell_protocol_defs::config::{Scheme, UrlSyntax};

use super::{ConnUrl, UrlError};

impl ConnUrl {
    /// The URL of a host and port, without a path; no host stands for all interfaces and is written `0`.
    ///
    /// # Errors
    ///
    /// If scheme or host could not be read back.
    pub fn of_host(scheme: Scheme<'_>, host: Option<&str>, port: Option<u16>) -> Result<Self, UrlError> {
        let host = host.filter(|host| !host.is_empty()).unwrap_or(UrlSyntax::EMPTY_HOST.as_str());
        let mut text = format!("{scheme}://{host}");
        if let Some(port) = port {
            // Writing to a string does not fail.
            let _ = write!(text, ":{port}");
        }
        Self::parse(&text)
    }

    /// The URL by which a participant of a project dials: the scheme of its kit, spelled as its connection security
    /// wants, and the `host:port` of its kit.
    ///
    /// # Errors
    ///
    /// [`UrlError::Unprovisionable`] for a scheme that a kit cannot name, and the errors of [`parse`](Self::parse).
    pub fn of_kit(scheme: Scheme<'_>, address: &str, is_secure: bool) -> Result<Self, UrlError> {
        let scheme = if is_secure { super::secure_spelling(scheme) } else { super::clear_spelling(scheme) }?;
        Self::parse(&format!("{scheme}://{address}"))
    }

    /// The same URL with one more pair in its query, or another value for a key that is there.
    ///
    /// # Errors
    ///
    /// [`UrlError::ReservedKey`] if the key is the name of a part of a URL.
    pub fn with_parameter(&self, key: &str, value: &str) -> Result<Self, UrlError> {
        let mut pairs: Vec<(&str, &str)> = self.parameters().filter(|(known, _)| *known != key).collect();
        pairs.push((key, value));
        let query: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", quote(key), quote(value))).collect();
        let host = self.host().unwrap_or(UrlSyntax::EMPTY_HOST.as_str());
        let mut text = format!("{}://{host}", self.scheme());
        if let Some(port) = self.port() {
            let _ = write!(text, ":{port}");
        }
        text.push_str(self.path());
        for (mark, part) in [(";", self.path_parameters()), ("?", &query.join("&")), ("#", self.fragment())] {
            if !part.is_empty() {
                text.push_str(mark);
                text.push_str(part);
            }
        }
        Self::parse(&text)
    }
}

/// Escapes a text for a query: all bytes but letters, digits and `_.-~`; a blank becomes a plus sign.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

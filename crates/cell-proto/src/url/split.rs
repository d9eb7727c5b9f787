//! Taking a URL apart.

use core::fmt;
use core::str::FromStr;

use fedcell_protocol_defs::config::{ConnectionSecurity, DriverParam, Scheme, SecureScheme, UrlSyntax};

use super::{Transport, UrlError};

/// Schemes whose path may end in parameters behind a semicolon; in others the semicolon belongs to the path.
const WITH_PATH_PARAMETERS: [&str; 2] = [Scheme::HTTP.as_str(), Scheme::HTTPS.as_str()];

/// Keys that a query must not set, because the reference would take them for the parts of the URL itself.
const RESERVED: [DriverParam<'static>; 8] = [
    DriverParam::URL,
    DriverParam::SCHEME,
    DriverParam::HOST,
    DriverParam::PORT,
    DriverParam::PATH,
    DriverParam::PARAMS,
    DriverParam::QUERY,
    DriverParam::FRAG,
];

/// The URL of a connection, taken apart and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnUrl {
    text: String,
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
    path_parameters: String,
    query: String,
    fragment: String,
    parameters: Vec<(String, String)>,
}

impl ConnUrl {
    /// Takes a URL apart.
    ///
    /// As in the reference, blanks and control characters before it and tabs and line ends anywhere do not count, and
    /// the scheme is put into lower case. Unlike the reference, which would dial something else than what is meant, it
    /// refuses addresses of IPv6, user names, and ports that are no numbers.
    ///
    /// # Errors
    ///
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let cleaned: String =
            text.trim_start_matches(|c: char| c <= ' ').chars().filter(|c| !matches!(c, '\t' | '\r' | '\n')).collect();
        let (scheme, rest) = cleaned.split_once("://").ok_or(UrlError::NoScheme)?;
        let is_scheme_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(is_scheme_char) {
            return Err(UrlError::NoScheme);
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (host, port) = split_authority(authority)?;
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, path_parameters) =
            if WITH_PATH_PARAMETERS.contains(&&*scheme) { split_path_parameters(path) } else { (path, "") };
        let url = Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            path_parameters: path_parameters.to_owned(),
            query: query.to_owned(),
            fragment: fragment.to_owned(),
            parameters: parse_query(query)?,
            scheme,
        };
        Ok(url)
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> Scheme<'_> {
        Scheme::new(&self.scheme)
    }

    /// The host; none stands for all interfaces of a listener, and is written `0`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        Some(&*self.host).filter(|host| !host.is_empty())
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path with its leading slash; empty if there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What stands behind a semicolon in the last part of the path of an http URL; empty if nothing does.
    #[must_use]
    pub fn path_parameters(&self) -> &str {
        &self.path_parameters
    }

    /// The query, undivided; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The fragment; empty if there is none.
    #[must_use]
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// The pairs of the query, each key once, in the order in which the keys came first.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of a key of the query.
    #[must_use]
    pub fn parameter(&self, key: impl AsRef<str>) -> Option<&str> {
        self.parameters().find(|(known, _)| *known == key.as_ref()).map(|(_, value)| value)
    }

    /// How the bytes travel; none for a scheme that is not known.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        Transport::of(self.scheme())
    }

    /// Whether the scheme means TLS by itself. A listener with a plain scheme may have TLS switched on elsewhere.
    #[must_use]
    pub fn is_secure_scheme(&self) -> bool {
        const SECURE: [SecureScheme<'static>; 6] = [
            SecureScheme::HTTPS,
            SecureScheme::GRPCS,
            SecureScheme::AGRPCS,
            SecureScheme::NGRPCS,
            SecureScheme::STCP,
            SecureScheme::SATCP,
        ];
        SECURE.iter().any(|secure| secure.as_str() == self.scheme)
    }

    /// Whether the listener of this URL takes administrators.
    #[must_use]
    pub fn is_admin_listener(&self) -> bool {
        self.parameter(UrlSyntax::ADMIN_LISTENER).is_some_and(is_true)
    }

    /// The security that the URL asks for, if it does.
    #[must_use]
    pub fn connection_security(&self) -> Option<ConnectionSecurity<'_>> {
        self.parameter(DriverParam::CONNECTION_SECURITY).map(ConnectionSecurity::new)
    }
}

impl FromStr for ConnUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// The text as it was given.
impl fmt::Display for ConnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The texts that the reference takes for true, in any letter case.
fn is_true(text: &str) -> bool {
    ["yes", "true", "t", "y", "1"].iter().any(|known| text.eq_ignore_ascii_case(known))
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    // Letters, digits, dots, dashes and underscores: names as they occur, and IPv4 addresses.
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if authority.contains(['[', '@']) || !host.chars().all(is_host_char) {
        return Err(UrlError::Host { host: authority.to_owned() });
    }
    let port = match port {
        // The standard library would take a plus sign.
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
            Some(text.parse().map_err(|_| UrlError::Port { port: text.to_owned() })?)
        }
        Some(text) => return Err(UrlError::Port { port: text.to_owned() }),
        None => None,
    };
    Ok((if host == UrlSyntax::EMPTY_HOST.as_str() { "" } else { host }, port))
}

/// Cuts at the first semicolon behind the last slash.
fn split_path_parameters(path: &str) -> (&str, &str) {
    let last = path.rfind('/').unwrap_or(0);
    let cut = path.get(last..).and_then(|part| part.find(';')).map(|at| last + at);
    cut.and_then(|at| Some((path.get(..at)?, path.get(at + 1..)?))).unwrap_or((path, ""))
}

/// The pairs of a query; such without a value do not count.
fn parse_query(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&') {
        let Some((key, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) else { continue };
        let (key, value) = (unquote(key), unquote(value));
        if RESERVED.iter().any(|reserved| reserved.as_str() == key) {
            return Err(UrlError::ReservedKey { key });
        }
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, older)) => *older = value,
            None => pairs.push((key, value)),
        }
    }
    Ok(pairs)
}

/// Undoes the escapes of a query: plus signs are blanks, `%41` is a byte of UTF-8. An escape that is none stays; bytes
/// that are no UTF-8 become the replacement character.
fn unquote(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Escaped bytes join with neighbouring ASCII only, as in Python; this matters where they are no UTF-8.
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let ahead = rest.as_str();
        match c {
            '+' => bytes.push(b' '),
            '%' => match ahead.get(..2).and_then(hex_byte) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = ahead.get(2..).unwrap_or_default().chars();
                }
                None => bytes.push(b'%'),
            },
            c if c.is_ascii() => bytes.extend(u8::try_from(c)),
            c => {
                out.push_str(&String::from_utf8_lossy(&bytes));
                bytes.clear();
                out.push(c);
            }
        }
    }
    out.push_str(&String::from_utf8_lossy(&bytes));
    out
}

fn hex_byte(digits: &str) -> Option<u8> {
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

//! Ranges of ports that a listener may choose from.

use core::ops::RangeInclusive;

use fedcell_protocol_defs::config::{DriverNumber, UrlSyntax};

use super::UrlError;

/// Ports to choose from: `8000`, `8000-8010`, `8000-` or `-8010`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(RangeInclusive<u16>);

impl PortRange {
    /// Reads a range. An open end is 1025 below and 65535 above.
    ///
    /// # Errors
    ///
    /// [`UrlError::Port`] if an end is no port, or the range has none.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError::Port { port: text.to_owned() };
        let end = |digits: &str, open: u16| match digits.trim() {
            "" => Ok(open),
            digits => digits.parse().map_err(|_| wrong()),
        };
        let range = match text.split_once(UrlSyntax::PORT_RANGE_SEPARATOR.as_str()) {
            Some((low, high)) => end(low, DriverNumber::LO_PORT)?..=end(high, DriverNumber::HI_PORT)?,
            None => {
                let port = text.trim().parse().map_err(|_| wrong())?;
                port..=port
            }
        };
        if range.is_empty() { Err(wrong()) } else { Ok(Self(range)) }
    }

    /// The ports.
    #[must_use]
    pub fn ports(&self) -> RangeInclusive<u16> {
        self.0.clone()
    }
}

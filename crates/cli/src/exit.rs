//! Exit codes, and the failures that lead to them.

use core::fmt;
use std::process::ExitCode;

use fedcell_cell::download::FetchError;
use fedcell_cell::stream::FileError;
use fedcell_cell::{RequestError, StartError};
use fedcell_client::communicator::RegisterError;
use fedcell_client::kit::KitError;
use fedcell_protocol_defs::cell::ReturnCode;

/// What the help says about exit codes.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  something failed on this machine
  2  the command line is wrong
  3  the configuration cannot be used: a name, a URL, a port, a certificate
  4  there is no connection, or no way to the target
  5  no reply within the timeout
  6  the target refused, or answered with an error";

/// Which exit code a failure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Local = 1,
    Usage = 2,
    Configuration = 3,
    Network = 4,
    Timeout = 5,
    Answered = 6,
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, error: error.into() }
    }

    /// A failure in words.
    pub(crate) fn text(kind: Kind, text: impl fmt::Display) -> Self {
        Self { kind, error: anyhow::anyhow!("{text}") }
    }

    pub(crate) fn local(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Local, error)
    }

    /// Says what was attempted.
    #[must_use]
    pub(crate) fn context(self, text: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self { kind: self.kind, error: self.error.context(text) }
    }

    /// Says behind everything else what to do.
    #[must_use]
    pub(crate) fn advice(self, text: &str) -> Self {
        Self::text(self.kind, format!("{self:#}; {text}"))
    }

    #[cfg(test)]
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let is_listener = matches!(error, StartError::Listen { .. });
        let failure = Self::new(Kind::Configuration, error);
        // What the system says about a listener does not say what to do.
        if is_listener { failure.advice("stop what listens there, or take another port or address") } else { failure }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        // A cell on the way says `comm_error` when it knows no way on.
        let is_lost = matches!(error.return_code(), ReturnCode::COMM_ERROR | ReturnCode::TARGET_UNREACHABLE);
        let kind = match &error {
            RequestError::Target(_) | RequestError::Body(_) => Kind::Usage,
            RequestError::Answered { .. } if !is_lost => Kind::Answered,
            other if other.return_code() == ReturnCode::TIMEOUT => Kind::Timeout,
            _ => Kind::Network,
        };
        Self::new(kind, error)
    }
}

impl From<KitError> for Failure {
    fn from(error: KitError) -> Self {
        Self::new(Kind::Configuration, error)
    }
}

impl From<RegisterError> for Failure {
    fn from(error: RegisterError) -> Self {
        let kind = match &error {
            RegisterError::Unreachable { .. } | RegisterError::Request(_) => Kind::Network,
            RegisterError::NoCell { .. } | RegisterError::Aborted | RegisterError::Signing(_) => Kind::Local,
            _ => Kind::Answered,
        };
        Self::new(kind, error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Open(error) => error.into(),
            FileError::Stream(error) if error.return_code() == ReturnCode::TIMEOUT => Self::new(Kind::Timeout, error),
            FileError::Stream(error) => Self::new(Kind::Network, error),
            other => Self::local(other),
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Failed { .. } | FetchError::Kind { .. } => Self::new(Kind::Answered, error),
            FetchError::Source(_) => Self::new(Kind::Usage, error),
            FetchError::Disk(_) => Self::local(error),
            other => Self::new(Kind::Network, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_code() {
        for kind in [Kind::Local, Kind::Usage, Kind::Configuration, Kind::Network, Kind::Timeout, Kind::Answered] {
            assert!(CODES.contains(&format!("\n  {}  ", kind as u8)), "{kind:?}");
        }
    }
}

//! The kinds of transport and what each can do.

use core::fmt;

use fedcell_protocol_defs::config::Scheme;

/// Scheme of URLs of the in-memory transport; no word of the wire, because it never leaves the process.
const MEMORY_SCHEME: &str = "memory";

/// A kind of transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportKind {
    /// Frames back to back on a TCP connection, with or without TLS.
    Tcp,
    /// Frames back to back on a pipe within this process.
    Memory,
}

/// What a transport can do, for those who must not ask which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Idle connections are kept alive by PING frames.
    pub heartbeat: bool,
    /// The transport can be protected by TLS.
    pub tls: bool,
}

impl TransportKind {
    /// The transport that a URL scheme stands for.
    ///
    /// The reference has two drivers with the same bytes on TCP; this one answers to the names of both.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        const TCP: [Scheme<'static>; 4] = [Scheme::TCP, Scheme::STCP, Scheme::ATCP, Scheme::SATCP];
        if TCP.iter().any(|known| known.as_str() == scheme) {
            Some(Self::Tcp)
        } else if scheme == MEMORY_SCHEME {
            Some(Self::Memory)
        } else {
            None
        }
    }

    /// What the reference calls its driver for it in the statistics.
    pub(crate) const fn driver_name(self) -> &'static str {
        match self {
            Self::Tcp => "TcpDriver",
            Self::Memory => "MemoryDriver",
        }
    }

    /// What it can do.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Self::Tcp => Capabilities { heartbeat: true, tls: true },
            Self::Memory => Capabilities { heartbeat: false, tls: false },
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => Scheme::TCP.as_str(),
            Self::Memory => MEMORY_SCHEME,
        })
    }
}

//! The TLS handshake of either side, from a participant's credentials.

use core::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{IpAddr, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::credentials::{Credentials, certificates, private_key};
use super::error::{SecurityError, SecurityProblem};
use super::mode::SecurityMode;
use super::peer::{PeerIdentity, ShownAs};
use super::roots::TrustedRoots;

/// TLS 1.2 is what the reference insists on at least.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// The one provider, passed to every configuration: a library installs no default for the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The dialling side.
#[derive(Clone)]
pub(crate) struct TlsClient {
    connector: TlsConnector,
    roots: Arc<TrustedRoots>,
}

impl TlsClient {
    /// Reads the files. `None` if the mode is [`SecurityMode::Clear`].
    pub(crate) fn load(credentials: &Credentials, mode: SecurityMode) -> Result<Option<Self>, SecurityError> {
        let provider = provider();
        let (root, pair) = match mode {
            SecurityMode::Clear => return Ok(None),
            SecurityMode::Tls => (credentials.proxy_root(), None),
            SecurityMode::Mtls => {
                let pair = credentials
                    .dialling_pair()
                    .ok_or_else(|| SecurityError::new(credentials.root(), SecurityProblem::NoKeyPair))?;
                (credentials.root(), Some(pair))
            }
        };
        let roots = TrustedRoots::load(root, root != credentials.root(), &provider)?;
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(VERSIONS)
            .map_err(|cause| SecurityError::caused(root, SecurityProblem::Mismatch, cause))?
            .dangerous()
            .with_custom_certificate_verifier(roots.clone());
        let mut config = match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_auth_cert(certificates(&pair.certificate)?, private_key(&pair.private_key)?)
                .map_err(|cause| SecurityError::caused(&pair.certificate, SecurityProblem::Mismatch, cause))?,
        };
        // A resumed session would bring a certificate that was verified at another time.
        config.resumption = Resumption::disabled();
        Ok(Some(Self { connector: TlsConnector::from(Arc::new(config)), roots }))
    }

    /// Shakes hands over `stream`; `host` becomes the SNI if it is a name.
    ///
    /// With `expected`, the common name of the server's certificate has to be that.
    pub(crate) async fn handshake<S>(
        &self,
        stream: S,
        host: &str,
        peer_address: core::net::IpAddr,
        expected: Option<&str>,
    ) -> io::Result<(TlsStream<S>, PeerIdentity)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host)
            .map_or_else(|_| ServerName::IpAddress(IpAddr::from(peer_address)), |name| name.to_owned());
        let stream = self.connector.connect(name, stream).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let identity = PeerIdentity::assertion(chain, ShownAs::Server, &self.roots);
        match expected {
            Some(expected) if identity.common_name() != Some(expected) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                WrongIdentity {
                    expected: expected.to_owned(),
                    shown: identity.common_name().unwrap_or_default().to_owned(),
                },
            )),
            _ => Ok((TlsStream::Client(stream), identity)),
        }
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

/// The server holds a valid certificate of the project, but somebody else's.
#[derive(Debug, thiserror::Error)]
#[error("the server shows the certificate of `{shown}`, expected `{expected}`")]
pub(crate) struct WrongIdentity {
    expected: String,
    shown: String,
}

/// The listening side.
#[derive(Clone)]
pub(crate) struct TlsServer {
    acceptor: TlsAcceptor,
    /// By which clients are verified, if they have to show a certificate.
    roots: Option<Arc<TrustedRoots>>,
}

impl TlsServer {
    /// Reads the files. `None` if the mode is [`SecurityMode::Clear`].
    pub(crate) fn load(credentials: &Credentials, mode: SecurityMode) -> Result<Option<Self>, SecurityError> {
        let provider = provider();
        if mode == SecurityMode::Clear {
            return Ok(None);
        }
        let pair = credentials
            .listening_pair()
            .ok_or_else(|| SecurityError::new(credentials.root(), SecurityProblem::NoKeyPair))?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(VERSIONS)
            .map_err(|cause| SecurityError::caused(credentials.root(), SecurityProblem::Mismatch, cause))?;
        let roots = match mode {
            SecurityMode::Mtls => Some(TrustedRoots::load(credentials.root(), false, &provider)?),
            _ => None,
        };
        let builder = match &roots {
            Some(roots) => builder.with_client_cert_verifier(roots.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(certificates(&pair.certificate)?, private_key(&pair.private_key)?)
            .map_err(|cause| SecurityError::caused(&pair.certificate, SecurityProblem::Mismatch, cause))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(config)), roots }))
    }

    /// Shakes hands over `stream`. The identity is `None` if the peer shows no certificate, which only mode `tls` allows.
    pub(crate) async fn handshake<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<PeerIdentity>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self.acceptor.accept(stream).await?;
        let chain = stream.get_ref().1.peer_certificates().filter(|chain| !chain.is_empty());
        let identity = chain.zip(self.roots.as_ref());
        let identity = identity.map(|(chain, roots)| PeerIdentity::assertion(chain, ShownAs::Client, roots));
        Ok((TlsStream::Server(stream), identity))
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

//! Certificates, clocks and generators of this crate's tests.

use core::convert::Infallible;
use std::sync::Arc;

use fedcell_auth::challenge::{ChallengeLimits, ClientChallenge, ClientParty, ServerChallenge, VerifiedClient};
use fedcell_auth::identity::{CertificateChain, Identity, PrivateKey, ProjectRoot};
use fedcell_auth::rand_core::{TryCryptoRng, TryRng};
use fedcell_auth::{CommonName, UnixTime};

/// 2026-01-01T00:00:00Z, when every certificate of the test data is valid.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

/// A generator that gives the same bytes in every run. Good for tests and for nothing else.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(u32::try_from(self.0 >> 32).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.try_next_u32()?) << 32 | u64::from(self.try_next_u32()?))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for byte in out {
            *byte = self.try_next_u32()?.to_le_bytes()[3];
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

fn file(name: &str) -> &'static [u8] {
    match name {
        "rootCA.pem" => include_bytes!("../testdata/keys/rootCA.pem"),
        "server.crt" => include_bytes!("../testdata/keys/server.crt"),
        "server.key" => include_bytes!("../testdata/keys/server.key"),
        "site-1.crt" => include_bytes!("../testdata/keys/site-1.crt"),
        "site-1.key" => include_bytes!("../testdata/keys/site-1.key"),
        "site-2.crt" => include_bytes!("../testdata/keys/site-2.crt"),
        "site-2.key" => include_bytes!("../testdata/keys/site-2.key"),
        other => panic!("no test data {other}"),
    }
}

/// The root of the project, in PEM.
pub(crate) fn root_pem() -> &'static [u8] {
    file("rootCA.pem")
}

/// The root of the project.
pub(crate) fn root() -> ProjectRoot {
    ProjectRoot::from_pem("rootCA.pem", root_pem()).unwrap()
}

/// Certificate and key of `server`, `site-1` or `site-2`.
pub(crate) fn identity(holder: &str) -> Arc<Identity> {
    let certificate = format!("{holder}.crt");
    let chain = CertificateChain::from_pem(&certificate, file(&certificate)).unwrap();
    let key = PrivateKey::from_pem("key", file(&format!("{holder}.key"))).unwrap();
    Arc::new(Identity::new(&certificate, chain, key).unwrap())
}

/// A client that has proved itself to the server from this origin.
pub(crate) fn challenged_client(holder: &str, origin: &str) -> VerifiedClient {
    let mut rng = TestRng(3);
    let mut server = ServerChallenge::new(identity("server"), root(), ChallengeLimits::default()).unwrap();
    let party = ClientParty::new(identity(holder), root(), CommonName::parse("server1").unwrap()).unwrap();
    let challenge = ClientChallenge::start(&party, NOW, &mut rng);
    let reply = server.handle_challenge(NOW, &mut rng, origin, &challenge.request()).unwrap();
    let (registration, _) = challenge.verify_server(&reply, NOW).unwrap().register().unwrap();
    server.handle_registration(NOW, origin, registration.claim()).unwrap()
}

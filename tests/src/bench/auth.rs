//! Identity, tokens and sealed messages beside the reference's classes, each measured in turn in one run.
//!
//! Both sides work on the same keys (RSA-2048, made for the run) on one core. A round measures every case, ours and then
//! theirs; the figure is the median of the rounds.

use core::hint::black_box;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::Context;
use fedcell_auth::challenge::{ChallengeLimits, ClientChallenge, ClientParty, Rate, ServerChallenge};
use fedcell_auth::identity::{CertificateChain, Identity, PrivateKey, ProjectRoot, Purpose};
use fedcell_auth::sealed::{OpenLimits, Opener, SealLimits, Sealer};
use fedcell_auth::token::{RegistryLimits, TokenRegistry, TokenVerifier};
use fedcell_auth::{CommonName, Token, UnixTime};
use fedcell_cell::SystemRandom;
use serde_json::json;

use crate::line_driver::LineDriver;

/// What is measured, and how many times faster than the reference it is meant to be.
const CASES: [(&str, f64); 10] = [
    ("sign", 1.0),
    ("verify", 1.0),
    ("seal 1 KiB", 1.0),
    ("open 1 KiB", 1.0),
    ("seal 1 MiB", 1.0),
    ("open 1 MiB", 1.0),
    ("load key", 10.0),
    ("load certificate", 10.0),
    ("register, files read", 10.0),
    ("register, files at hand", 10.0),
];

/// Runs the benchmark and prints the table.
///
/// # Errors
///
/// If the reference cannot be run.
pub fn run(options: crate::Options) -> super::Outcome {
    let (rounds, seconds) = if options.quick { (3, 0.1) } else { (7, 0.4) };
    let folder = tempfile::tempdir()?;
    let mut reference = Reference::start(folder.path())?;
    let mut ours = cases(folder.path())?;
    let mut figures = vec![(Vec::new(), Vec::new()); CASES.len()];
    for _ in 0..rounds {
        for (index, (name, _)) in CASES.iter().enumerate() {
            let (our, their) = &mut figures[index];
            our.push(measure(&mut ours[index], seconds)?);
            their.push(reference.measure(name, seconds)?);
        }
    }
    print(&figures, options.print);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(figures: &[(Vec<f64>, Vec<f64>)], records: bool) {
    println!("| case | ours, µs | reference, µs | times faster | aim | reached |");
    println!("|---|---|---|---|---|---|");
    for ((name, aim), (our, their)) in CASES.iter().zip(figures) {
        let (our, their) = (median(our) / 1e3, median(their) / 1e3);
        let ratio = their / our;
        let reached = if ratio >= *aim { "yes" } else { "no" };
        println!("| {name} | {our:.1} | {their:.1} | {ratio:.2} | {aim} | {reached} |");
    }
    if records {
        for ((name, aim), (our, their)) in CASES.iter().zip(figures) {
            println!("{}", json!({"case": name, "aim": aim, "ours_ns": our, "reference_ns": their}));
        }
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

type Case = Box<dyn FnMut() -> anyhow::Result<()>>;

/// Nanoseconds for one operation.
fn measure(run: &mut Case, seconds: f64) -> anyhow::Result<f64> {
    run()?;
    let start = Instant::now();
    let span = Duration::from_secs_f64(seconds);
    let mut count = 0_u32;
    while start.elapsed() < span {
        run()?;
        count += 1;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

fn now() -> anyhow::Result<UnixTime> {
    Ok(UnixTime::since_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?))
}

/// The cases in the order of [`CASES`].
fn cases(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let file = |name: &str| folder.join(name);
    let (server_crt, server_key) = (file("server-2048-legacy.crt"), file("server-2048-legacy.key"));
    let (client_crt, client_key) = (file("client-2048-legacy.crt"), file("client-2048-legacy.key"));
    let root_file = file("rootCA.pem");
    let root = ProjectRoot::load(&root_file)?;
    let server = Arc::new(Identity::load(&server_crt, &server_key)?);
    let client = Arc::new(Identity::load(&client_crt, &client_key)?);
    let now = now()?;
    let as_server = root.verify(server.chain(), now, Purpose::Server)?;
    let as_client = root.verify(client.chain(), now, Purpose::Client)?;

    let registry = TokenRegistry::new(Arc::clone(&server), RegistryLimits::default())?;
    let mut rng = SystemRandom::new();
    let token = Token::random(&mut rng);
    let signature = {
        // The only way to a signature over a chosen pair is a job's credential.
        let mut registry = TokenRegistry::new(Arc::clone(&server), RegistryLimits::default())?;
        registry.register_server_job(token.expose(), "server.job", now)?.signature_text()
    };
    let verifier = TokenVerifier::new(as_server.clone());
    let job_name = CommonName::parse("server_job")?;

    let (small, large) = (vec![0; 1024], vec![0; 1 << 20]);
    let sealer = Arc::new(Sealer::new(Arc::clone(&client), SealLimits::default())?);
    let opener = Arc::new(Opener::new(Arc::clone(&server), OpenLimits::default())?);
    let sealed_small = sealer.seal(now, &mut rng, &as_server, &small)?;
    let sealed_large = sealer.seal(now, &mut rng, &as_server, &large)?;
    let certificate = std::fs::read(&client_crt)?;

    let sealing = |plaintext: Vec<u8>| -> Case {
        let (sealer, target, mut rng) = (Arc::clone(&sealer), as_server.clone(), SystemRandom::new());
        Box::new(move || {
            black_box(sealer.seal(now, &mut rng, &target, &plaintext)?);
            Ok(())
        })
    };
    let opening = |envelope: Vec<u8>| -> Case {
        let (opener, sender) = (Arc::clone(&opener), as_client.clone());
        Box::new(move || {
            let _ = black_box(opener.open(now, &sender, &envelope)?);
            Ok(())
        })
    };
    let mut parties = Parties::new(&root, &server)?;
    let mut other_parties = Parties::new(&root, &server)?;
    let expected = server.name().clone();
    let party = ClientParty::new(Arc::clone(&client), root.clone(), expected.clone())?;
    Ok(vec![
        Box::new(move || {
            black_box(registry.own_credential()?);
            Ok(())
        }),
        Box::new(move || {
            black_box(verifier.accept(&job_name, token.expose(), &signature)?);
            Ok(())
        }),
        sealing(small),
        opening(sealed_small),
        sealing(large),
        opening(sealed_large),
        {
            let key = client_key.clone();
            Box::new(move || {
                black_box(PrivateKey::load(&key)?);
                Ok(())
            })
        },
        Box::new(move || {
            black_box(CertificateChain::from_pem("client.crt", &certificate)?);
            Ok(())
        }),
        Box::new(move || {
            // What the reference's client reads for every registration.
            let root = ProjectRoot::load(&root_file)?;
            let client = Arc::new(Identity::load(&client_crt, &client_key)?);
            parties.register(&ClientParty::new(client, root, expected.clone())?)
        }),
        Box::new(move || other_parties.register(&party)),
    ])
}

/// The server's two machines.
struct Parties {
    server: ServerChallenge,
    registry: TokenRegistry,
    rng: SystemRandom,
    now: UnixTime,
}

impl Parties {
    fn new(root: &ProjectRoot, server: &Arc<Identity>) -> anyhow::Result<Self> {
        // The benchmark is a flood of one origin: the rates are what an honest client never meets.
        let mut limits = ChallengeLimits::default();
        limits.per_origin = Rate { burst: u32::MAX, interval: Duration::from_nanos(1) };
        limits.overall = limits.per_origin;
        Ok(Self {
            server: ServerChallenge::new(Arc::clone(server), root.clone(), limits)?,
            registry: TokenRegistry::new(Arc::clone(server), RegistryLimits::default())?,
            rng: SystemRandom::new(),
            now: now()?,
        })
    }

    fn register(&mut self, party: &ClientParty) -> anyhow::Result<()> {
        let (rng, now) = (&mut self.rng, self.now);
        let challenge = ClientChallenge::start(party, now, rng);
        let reply = self.server.handle_challenge(now, rng, "client", &challenge.request())?;
        let (registration, verifier) = challenge.verify_server(&reply, now)?.register()?;
        let client = self.server.handle_registration(now, "client", registration.claim())?;
        let issued = self.registry.issue(&client, now, rng)?;
        let signature = issued.signature_text();
        black_box(verifier.accept(party.identity().name(), issued.expose_token(), &signature)?);
        Ok(())
    }
}

/// The reference in a child process.
struct Reference(LineDriver);

impl Reference {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut driver = LineDriver::start("auth_bench.py")?;
        driver.ask(&json!({"dir": folder}))?;
        Ok(Self(driver))
    }

    fn measure(&mut self, case: &str, seconds: f64) -> anyhow::Result<f64> {
        let reply = self.0.ask(&json!({"case": case, "seconds": seconds}))?;
        reply["ns"].as_f64().context("the reference gave no figure")
    }
}

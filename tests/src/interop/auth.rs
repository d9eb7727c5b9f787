//! Identity, tokens and sealed messages against the reference's own classes, both directions, all kinds of certificate.
//!
//! `tests/reference/auth_driver.py` makes a project with the reference's certificate builder and then answers requests
//! with its asserter, verifier, token verifier and cell cipher. Each cell of the matrix is one direction of one flow:
//! the honest message has to be accepted, and the same message with one bit changed has to be refused.

#![expect(clippy::needless_pass_by_value, reason = "every request is made for the one call that sends it")]

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use fedcell_auth::challenge::{
    ChallengeLimits, ChallengeReply, ChallengeRequest, ClientChallenge, ClientParty, RegistrationClaim, ServerChallenge,
};
use fedcell_auth::identity::{Identity, ProjectRoot, Purpose};
use fedcell_auth::sealed::{Freshness, OpenLimits, Opener, SealLimits, Sealer};
use fedcell_auth::token::{RegistryLimits, TokenRegistry, TokenVerifier};
use fedcell_auth::{Nonce, Signature, Token, UnixTime};
use fedcell_cell::SystemRandom;
use serde_json::{Value, json};

use crate::line_driver::LineDriver;

const SIZES: [usize; 3] = [2048, 3072, 4096];
/// How a kit's certificate may look: as the provisioner makes it, with both usage extensions, and both below an
/// intermediate authority.
const KINDS: [&str; 4] = ["legacy", "usages", "intermediate", "intermediate-usages"];
/// Lengths of the plaintexts that are sealed.
const LENGTHS: [usize; 5] = [0, 1, 15, 1000, 300_000];

const FLOWS: [&str; 4] = ["challenge", "registration", "token", "sealed"];

/// Runs the matrix and prints it; in a quick run for the smallest key only.
///
/// # Errors
///
/// If any cell is not as it should be, or the reference cannot be run.
pub fn run(options: crate::Options) -> super::Outcome {
    let sizes = if options.quick { &SIZES[..1] } else { &SIZES[..] };
    let folder = tempfile::tempdir()?;
    let mut reference = Reference::start()?;
    reference.ok(json!({"op": "world", "dir": folder.path(), "bits": sizes, "kinds": KINDS}))?;
    let mut table = vec![heading()];
    let mut failures = Vec::new();
    for &size in sizes {
        for kind in KINDS {
            let mut row = vec![size.to_string(), kind.to_owned()];
            for flow in FLOWS {
                for ours_first in [true, false] {
                    let mut pair = Pair::new(&mut reference, folder.path(), size, kind)?;
                    let result = match flow {
                        "challenge" if ours_first => pair.our_server_convinces_them(),
                        "challenge" => pair.their_server_convinces_us(),
                        "registration" if ours_first => pair.our_client_convinces_them(),
                        "registration" => pair.their_client_convinces_us(),
                        "token" if ours_first => pair.they_accept_our_token(),
                        "token" => pair.we_accept_their_token(),
                        _ if size != 2048 => pair.neither_seals(ours_first),
                        _ if ours_first => pair.they_open_ours(),
                        _ => pair.we_open_theirs(),
                    };
                    row.push(match result {
                        Ok(cell) => cell.to_owned(),
                        Err(error) => {
                            failures.push(format!("RSA-{size} {kind} {flow}, ours first {ours_first}: {error:#}"));
                            "FAILED".to_owned()
                        }
                    });
                }
            }
            table.push(row);
        }
    }
    print(&table);
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn heading() -> Vec<String> {
    let mut heading = vec!["RSA".to_owned(), "certificate".to_owned()];
    for flow in FLOWS {
        heading.push(format!("{flow} ours→theirs"));
        heading.push(format!("{flow} theirs→ours"));
    }
    heading
}

#[expect(clippy::print_stdout, reason = "the matrix is what the command is for")]
fn print(table: &[Vec<String>]) {
    for (index, row) in table.iter().enumerate() {
        println!("| {} |", row.join(" | "));
        if index == 0 {
            println!("|{}", "---|".repeat(row.len()));
        }
    }
    println!("accepted: the honest message is, the same with one bit changed is not.");
    println!("neither: RSA of this size does not fit the envelope; the reference cannot open its own, ours says so.");
}

/// The reference's classes in a child process.
struct Reference(LineDriver);

impl Reference {
    fn start() -> anyhow::Result<Self> {
        LineDriver::start("auth_driver.py").map(Self)
    }

    /// Asks; the inner result is what the reference's class said.
    fn ask(&mut self, request: Value) -> anyhow::Result<Result<Value, String>> {
        let mut reply = self.0.ask(&request)?;
        Ok(match reply.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(reply["ok"].take()),
        })
    }

    fn ok(&mut self, request: Value) -> anyhow::Result<Value> {
        self.ask(request)?.map_err(|error| anyhow::anyhow!("the reference refused: {error}"))
    }

    fn refuses(&mut self, request: Value) -> anyhow::Result<()> {
        match self.ask(request)? {
            Err(_) | Ok(Value::Bool(false)) => Ok(()),
            Ok(value) => bail!("the reference accepted what was spoiled: {value}"),
        }
    }
}

/// A server and a client of one size and kind; either side may play either.
struct Pair<'a> {
    reference: &'a mut Reference,
    root: ProjectRoot,
    server: Arc<Identity>,
    client: Arc<Identity>,
    now: UnixTime,
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).context("the reference did not answer with text")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

fn spoiled(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

impl<'a> Pair<'a> {
    fn new(reference: &'a mut Reference, folder: &Path, size: usize, kind: &str) -> anyhow::Result<Self> {
        let load = |role: &str| {
            let stem = folder.join(format!("{role}-{size}-{kind}"));
            Identity::load(&stem.with_extension("crt"), &stem.with_extension("key")).map(Arc::new)
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Self {
            reference,
            root: ProjectRoot::load(&folder.join("rootCA.pem"))?,
            server: load("server")?,
            client: load("client")?,
            now: UnixTime::since_epoch(now),
        })
    }

    fn our_server(&self) -> anyhow::Result<ServerChallenge> {
        Ok(ServerChallenge::new(Arc::clone(&self.server), self.root.clone(), ChallengeLimits::default())?)
    }

    fn our_client(&self) -> anyhow::Result<ClientChallenge> {
        let party = ClientParty::new(Arc::clone(&self.client), self.root.clone(), self.server.name().clone())?;
        Ok(ClientChallenge::start(&party, self.now, &mut SystemRandom::new()))
    }

    fn client_request(&self, nonce: &Nonce) -> ChallengeRequest {
        ChallengeRequest { common_name: self.client.name().to_string(), nonce: nonce.as_str().to_owned() }
    }

    /// What the reference's asserter of `who` signs for this nonce: certificate and signature.
    fn they_sign(&mut self, who: &str, nonce: &str) -> anyhow::Result<(String, Vec<u8>, Vec<u8>)> {
        let signed = self.reference.ok(json!({"op": "sign_name", "who": who, "nonce": nonce}))?;
        Ok((text(&signed["cn"])?, text(&signed["cert"])?.into_bytes(), unhex(&text(&signed["signature"])?)?))
    }

    /// The reference's verifier has to accept this and refuse it spoiled.
    fn they_verify(
        &mut self,
        role: &str,
        (name, nonce): (&str, &str),
        (certificate, signature): (&[u8], &[u8]),
    ) -> anyhow::Result<&'static str> {
        let request = |signature: &[u8]| {
            json!({
                "op": "verify_name", "cert": String::from_utf8_lossy(certificate), "cn": name, "nonce": nonce,
                "signature": hex(signature), "role": role,
            })
        };
        self.reference.ok(request(signature))?;
        self.reference.refuses(request(&spoiled(signature)))?;
        Ok("accepted")
    }

    fn our_server_convinces_them(&mut self) -> anyhow::Result<&'static str> {
        let nonce = Nonce::random(&mut SystemRandom::new());
        let request = self.client_request(&nonce);
        let reply = self.our_server()?.handle_challenge(self.now, &mut SystemRandom::new(), "client", &request)?;
        let signed = (reply.certificate.as_slice(), reply.signature.as_slice());
        self.they_verify("server", (&reply.common_name, nonce.as_str()), signed)
    }

    /// The reply of the reference's server to our client's challenge.
    fn their_reply(&mut self, challenge: &ClientChallenge) -> anyhow::Result<ChallengeReply> {
        let who = self.server.name().to_string();
        let (common_name, certificate, signature) = self.they_sign(&who, &challenge.request().nonce)?;
        let nonce = Nonce::random(&mut SystemRandom::new()).as_str().to_owned();
        Ok(ChallengeReply { common_name, nonce, certificate, signature })
    }

    fn their_server_convinces_us(&mut self) -> anyhow::Result<&'static str> {
        let challenge = self.our_client()?;
        let reply = self.their_reply(&challenge)?;
        challenge.verify_server(&reply, self.now)?;
        let challenge = self.our_client()?;
        let mut reply = self.their_reply(&challenge)?;
        reply.signature = spoiled(&reply.signature);
        ensure!(challenge.verify_server(&reply, self.now).is_err(), "we accepted what was spoiled");
        Ok("accepted")
    }

    fn our_client_convinces_them(&mut self) -> anyhow::Result<&'static str> {
        let challenge = self.our_client()?;
        let reply = self.their_reply(&challenge)?;
        let (registration, _) = challenge.verify_server(&reply, self.now)?.register()?;
        let claim = registration.claim();
        let signed = (claim.certificate.as_slice(), claim.signature.as_slice());
        self.they_verify("client", (&claim.client_name, &reply.nonce), signed)
    }

    /// The reference's client registers with our server.
    fn their_registration(&mut self, server: &mut ServerChallenge) -> anyhow::Result<RegistrationClaim> {
        let request = self.client_request(&Nonce::random(&mut SystemRandom::new()));
        let reply = server.handle_challenge(self.now, &mut SystemRandom::new(), "client", &request)?;
        let who = self.client.name().to_string();
        let (common_name, certificate, signature) = self.they_sign(&who, &reply.nonce)?;
        Ok(RegistrationClaim { client_name: common_name.clone(), common_name, certificate, signature })
    }

    fn their_client_convinces_us(&mut self) -> anyhow::Result<&'static str> {
        let mut server = self.our_server()?;
        let registration = self.their_registration(&mut server)?;
        server.handle_registration(self.now, "client", &registration)?;
        let mut registration = self.their_registration(&mut server)?;
        registration.signature = spoiled(&registration.signature);
        let result = server.handle_registration(self.now, "client", &registration);
        ensure!(result.is_err(), "we accepted what was spoiled");
        Ok("accepted")
    }

    fn they_accept_our_token(&mut self) -> anyhow::Result<&'static str> {
        let mut server = self.our_server()?;
        let registration = self.their_registration(&mut server)?;
        let client = server.handle_registration(self.now, "client", &registration)?;
        let mut registry = TokenRegistry::new(Arc::clone(&self.server), RegistryLimits::default())?;
        let credential = registry.issue(&client, self.now, &mut SystemRandom::new())?;
        let request = |token: &str| {
            json!({
                "op": "verify_token", "cert": String::from_utf8_lossy(self.server.chain().pem()),
                "client": credential.name().as_str(), "token": token,
                "signature": credential.signature_text(),
            })
        };
        let said = self.reference.ok(request(credential.expose_token()))?;
        ensure!(said == Value::Bool(true), "the reference did not accept our token");
        self.reference.refuses(request(Token::random(&mut SystemRandom::new()).expose()))?;
        Ok("accepted")
    }

    fn we_accept_their_token(&mut self) -> anyhow::Result<&'static str> {
        let token = Token::random(&mut SystemRandom::new());
        let (server, client) = (self.server.name().clone(), self.client.name().clone());
        let request = json!({
            "op": "sign_token", "who": server.as_str(), "client": client.as_str(), "token": token.expose(),
        });
        let signature = text(&self.reference.ok(request)?)?;
        let verifier = TokenVerifier::new(self.root.verify(self.server.chain(), self.now, Purpose::Server)?);
        verifier.accept(&client, token.expose(), &signature)?;
        let changed = spoiled(Signature::from_base64(&signature)?.as_bytes());
        let changed = Signature::from_bytes(&changed)?.to_base64();
        ensure!(verifier.accept(&client, token.expose(), &changed).is_err(), "we accepted what was spoiled");
        Ok("accepted")
    }

    fn they_open_ours(&mut self) -> anyhow::Result<&'static str> {
        let sealer = Sealer::new(Arc::clone(&self.client), SealLimits::default())?;
        let target = self.root.verify(self.server.chain(), self.now, Purpose::Sealing)?;
        let origin = String::from_utf8_lossy(self.client.chain().pem()).into_owned();
        let who = self.server.name().to_string();
        for length in LENGTHS {
            let plaintext = vec![0x5a; length];
            let envelope = sealer.seal(self.now, &mut SystemRandom::new(), &target, &plaintext)?;
            let request =
                |envelope: &[u8]| json!({"op": "open", "who": who, "origin": origin, "envelope": hex(envelope)});
            let opened = self.reference.ok(request(&envelope))?;
            ensure!(unhex(&text(&opened)?)? == plaintext, "the reference opened another text of {length} bytes");
            self.reference.refuses(request(&spoiled(&envelope)))?;
        }
        Ok("accepted")
    }

    fn we_open_theirs(&mut self) -> anyhow::Result<&'static str> {
        let opener = Opener::new(Arc::clone(&self.client), OpenLimits::default())?;
        let sender = self.root.verify(self.server.chain(), self.now, Purpose::Sealing)?;
        let target = String::from_utf8_lossy(self.client.chain().pem()).into_owned();
        let who = self.server.name().to_string();
        for length in LENGTHS {
            let plaintext = vec![0xa5; length];
            let request = json!({"op": "seal", "who": who, "target": target, "plaintext": hex(&plaintext)});
            let envelope = unhex(&text(&self.reference.ok(request)?)?)?;
            let opened = opener.open(self.now, &sender, &envelope)?.into_fresh()?;
            ensure!(opened == plaintext, "we opened another text of {length} bytes");
            let again = opener.open(self.now, &sender, &envelope)?;
            ensure!(again.freshness() == Freshness::Repeat, "a replay was not noticed");
            ensure!(opener.open(self.now, &sender, &spoiled(&envelope)).is_err(), "we accepted what was spoiled");
        }
        Ok("accepted")
    }

    /// The envelope has room for RSA-2048 only: the reference makes one that it cannot open, ours refuses beforehand.
    fn neither_seals(&mut self, ours: bool) -> anyhow::Result<&'static str> {
        if ours {
            ensure!(Sealer::new(Arc::clone(&self.client), SealLimits::default()).is_err(), "we seal after all");
            ensure!(Opener::new(Arc::clone(&self.client), OpenLimits::default()).is_err(), "we open after all");
            return Ok("neither");
        }
        let pem = |identity: &Identity| String::from_utf8_lossy(identity.chain().pem()).into_owned();
        let (server, client) = (self.server.name().to_string(), self.client.name().to_string());
        let request = json!({"op": "seal", "who": server, "target": pem(&self.client), "plaintext": "00"});
        let envelope = text(&self.reference.ok(request)?)?;
        let request = json!({"op": "open", "who": client, "origin": pem(&self.server), "envelope": envelope});
        self.reference.refuses(request)?;
        Ok("neither")
    }
}

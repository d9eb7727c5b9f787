//! The machine: decides on challenges, registrations, heartbeats and goodbyes, and knows all members.

use core::fmt;
use std::collections::{BTreeSet, VecDeque};

use fedcell_auth::challenge::{ChallengeRequest, ServerChallenge, UnsignedReply};
use fedcell_auth::rand_core::CryptoRng;
use fedcell_auth::token::{ClientCredential, IssueError, RegistryLimits, TokenIssuer, TokenRecord, TokenRegistry};
use fedcell_auth::{CommonName, SecretText, UnixTime};
use fedcell_cell_proto::address::Fqcn;
use fedcell_protocol_defs::federation::{ClientType, RefusalText};

use super::candidate::{Applicant, Candidate, Granted, NewToken, Proof, Proved};
use super::config::{RegistrarConfig, RegistrarError, ServerKeys};
use super::event::MembershipEvent;
use super::member::{Member, Presence};
use super::refusal::Refusal;
use super::roll::Roll;
use super::tokens::TokenTable;

struct Security {
    challenge: ServerChallenge,
    tokens: TokenTable,
    issuer: TokenIssuer,
}

/// What a heartbeat is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HeartbeatAnswer {
    /// Jobs that the site has to end.
    pub abort_jobs: Vec<String>,
}

/// Decides who takes part.
///
/// **Drain contract.** After every verb drain [`poll_event`](Self::poll_event), then ask
/// [`poll_timeout`](Self::poll_timeout) when to call [`handle_timeout`](Self::handle_timeout). Late draining loses
/// nothing.
pub struct Registrar {
    config: RegistrarConfig,
    security: Option<Security>,
    roll: Roll,
    disabled: BTreeSet<String>,
    /// Jobs that run in this federation; a site that reports another one is told to end it.
    jobs: BTreeSet<String>,
    events: VecDeque<MembershipEvent>,
    /// No living site has been silent for too long before this moment; a heartbeat does not move it.
    next_look: Option<UnixTime>,
}

impl Registrar {
    /// A registrar without members. Without `keys` nobody has to prove anything: for networks that are closed otherwise.
    ///
    /// # Errors
    ///
    /// [`RegistrarError`] if the server's certificate or key cannot be used.
    pub fn new(config: RegistrarConfig, keys: Option<ServerKeys>) -> Result<Self, RegistrarError> {
        let security = match keys {
            None => None,
            Some(keys) => {
                let challenge = ServerChallenge::new(keys.identity.clone(), keys.root, config.challenges)?;
                let registry = TokenRegistry::new(keys.identity, RegistryLimits::default())?;
                let issuer = registry.issuer();
                Some(Security { challenge, tokens: TokenTable::new(registry), issuer })
            }
        };
        Ok(Self {
            config,
            security,
            roll: Roll::default(),
            disabled: BTreeSet::new(),
            jobs: BTreeSet::new(),
            events: VecDeque::new(),
            next_look: None,
        })
    }

    /// The tokens that are good now, for whoever checks messages. None without keys: everybody is believed then.
    #[must_use]
    pub fn tokens(&self) -> Option<TokenTable> {
        self.security.as_ref().map(|security| security.tokens.clone())
    }

    /// Decides on a challenge from the cell `origin`. The reply is to be signed, which needs nothing of this.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn handle_challenge(
        &mut self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        origin: Fqcn<'_>,
        request: &ChallengeRequest,
    ) -> Result<UnsignedReply, Refusal> {
        let security = self.security.as_mut().ok_or_else(|| Refusal::known(RefusalText::NOT_SECURE))?;
        Ok(security.challenge.open_challenge(now, rng, origin.as_str(), request)?)
    }

    /// Takes a registration from the cell `origin`, whose challenge is spent by it. What comes is to
    /// [`prove`](Candidate::prove) what it claims, which takes long and needs nothing of this, and is then
    /// [admitted](Self::admit).
    ///
    /// # Errors
    ///
    /// [`Refusal`] for everything that is no secret.
    pub fn handle_registration(
        &mut self,
        now: UnixTime,
        origin: Fqcn<'_>,
        applicant: Applicant,
    ) -> Result<Candidate, Refusal> {
        if let Err(refusal) = self.may_apply(now, origin, &applicant) {
            if let Some(security) = &mut self.security {
                security.challenge.spend(origin.as_str(), now);
            }
            return Err(refusal);
        }
        let proof = match (&mut self.security, &applicant.claim) {
            (None, _) => Proof::Open,
            (Some(_), None) => Proof::Missing,
            (Some(security), Some(claim)) => match security.challenge.take_claim(now, origin.as_str(), claim) {
                Ok(claim) => Proof::Claim(claim, security.issuer.clone()),
                Err(_) => Proof::Missing,
            },
        };
        Ok(Candidate { applicant, origin: origin.to_owned(), proof })
    }

    /// Makes an applicant that has proved its name a member: its token is good from now on.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if it has been disabled since, or there is no room any more.
    pub fn admit(&mut self, now: UnixTime, proved: Proved) -> Result<Granted, Refusal> {
        let Proved { applicant, origin, organisation, token } = proved;
        self.may_join(&applicant)?;
        let granted = match (token, &self.security) {
            (NewToken::Open(granted), None) => granted,
            (NewToken::Signed(prepared), Some(security)) => {
                let mut tokens = security.tokens.write();
                let issued = tokens.accept(prepared).map_err(|error| Refusal::again(error.to_string()))?;
                let record = CommonName::parse(&applicant.name).ok().and_then(|name| tokens.record(&name));
                self.events.extend(record.map(|record| MembershipEvent::TokenIssued(Box::new(record))));
                Granted {
                    token: SecretText::new(issued.expose_token().to_owned()),
                    signature: SecretText::new(issued.signature_text()),
                }
            }
            // Proved to another registrar.
            _ => return Err(Refusal::known(RefusalText::NO_SESSION)),
        };
        let is_site = applicant.kind == ClientType::REGULAR.as_str();
        let name = applicant.name.clone();
        self.roll.insert(Member {
            fqsn: applicant.fqsn.unwrap_or_else(|| name.clone()),
            name: applicant.name,
            fqcn: origin,
            kind: applicant.kind,
            is_leaf: applicant.is_leaf,
            organisation,
            site_config: applicant.site_config.filter(|_| is_site),
            address: applicant.address,
            software: applicant.software,
            joined: now,
            seen: now,
            presence: Presence::Joined,
            jobs: BTreeSet::new(),
        });
        self.look_after(now);
        self.events.push_back(MembershipEvent::Joined { name });
        Ok(granted)
    }

    /// Notes that a site is alive and what runs there. Its credential has been checked before.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the project is wrong, or the client is unknown or disabled.
    pub fn handle_heartbeat(
        &mut self,
        now: UnixTime,
        client: &str,
        project: &str,
        jobs: &BTreeSet<String>,
    ) -> Result<HeartbeatAnswer, Refusal> {
        self.check_project(project)?;
        self.check_enabled(client)?;
        let running: BTreeSet<String> = jobs.intersection(&self.jobs).cloned().collect();
        let heard = self.roll.change(client, |member| {
            member.seen = now;
            let before = core::mem::replace(&mut member.presence, Presence::Alive);
            let gone: Vec<String> = member.jobs.difference(&running).cloned().collect();
            member.jobs = running;
            (before, gone)
        });
        let (before, gone) = heard.ok_or_else(|| Refusal::known(RefusalText::UNKNOWN_CLIENT))?;
        match before {
            Presence::Joined => self.events.push_back(MembershipEvent::Arrived { name: client.to_owned() }),
            Presence::Alive => {}
            Presence::Dead => self.events.push_back(MembershipEvent::Revived { name: client.to_owned() }),
        }
        let abort_jobs = jobs.difference(&self.jobs).cloned().collect();
        for job in gone.into_iter().filter(|job| self.jobs.contains(job)) {
            self.events.push_back(MembershipEvent::JobGone { client: client.to_owned(), job });
        }
        if before == Presence::Dead {
            self.look_after(now);
        }
        Ok(HeartbeatAnswer { abort_jobs })
    }

    /// Notes that a participant leaves.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the project is wrong or the client unknown.
    pub fn handle_quit(&mut self, client: &str, project: &str) -> Result<(), Refusal> {
        self.check_project(project)?;
        if self.remove(client) { Ok(()) } else { Err(Refusal::known(RefusalText::UNKNOWN_CLIENT)) }
    }

    /// Takes a member out and its token away. Whether there was one.
    pub fn remove(&mut self, client: &str) -> bool {
        let is_member = self.roll.remove(client);
        if is_member {
            self.events.push_back(MembershipEvent::Left { name: client.to_owned() });
        }
        if let (Some(security), Ok(name)) = (&mut self.security, CommonName::parse(client))
            && security.tokens.write().revoke_client(&name)
        {
            self.events.push_back(MembershipEvent::TokenRevoked { name: client.to_owned() });
        }
        is_member
    }

    /// Puts a client out and keeps it out until it is enabled.
    pub fn disable(&mut self, client: impl Into<String>) {
        let client = client.into();
        self.remove(&client);
        self.disabled.insert(client);
    }

    /// Lets a client in again. Whether it was kept out.
    pub fn enable(&mut self, client: &str) -> bool {
        self.disabled.remove(client)
    }

    /// Takes back a token that was issued before a restart, and with it its client, which counts as just heard of.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if the record is no good, there is no room, or the member is another one than the record's client.
    pub fn restore_member(&mut self, now: UnixTime, record: TokenRecord, member: Member) -> Result<(), IssueError> {
        let Some(security) = &mut self.security else { return Err(IssueError::BadRecord) };
        if member.name != record.client_name || member.fqcn.as_str() != record.origin {
            return Err(IssueError::BadRecord);
        }
        security.tokens.write().restore(record)?;
        let member = Member { seen: now, presence: Presence::Alive, jobs: BTreeSet::new(), ..member };
        self.roll.insert(member);
        self.look_after(now);
        Ok(())
    }

    /// The credential for the server's own messages; none without keys.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if our key cannot sign.
    pub fn own_credential(&self) -> Result<Option<ClientCredential>, IssueError> {
        self.security.as_ref().map(|security| security.tokens.read().own_credential()).transpose()
    }

    /// Takes a job of this server in: its cell may speak, and sites that run it are not told to end it. The credential is
    /// for the messages of the job's cell; none without keys.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if the id is no UUID or is taken.
    pub fn add_job(
        &mut self,
        now: UnixTime,
        job: &str,
        cell: Fqcn<'_>,
    ) -> Result<Option<ClientCredential>, IssueError> {
        let issue = |security: &Security| security.tokens.write().register_server_job(job, cell.as_str(), now);
        let credential = self.security.as_ref().map(issue).transpose()?;
        self.jobs.insert(job.to_owned());
        Ok(credential)
    }

    /// A job has ended: its cell may not speak any more, and sites that still run it are told to end it.
    pub fn remove_job(&mut self, job: &str) {
        self.jobs.remove(job);
        if let Some(security) = &self.security {
            security.tokens.write().revoke_server_job(job);
        }
    }

    /// Members by name.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roll.iter()
    }

    /// Members that are sites, by name.
    pub fn sites(&self) -> impl Iterator<Item = &Member> {
        self.members().filter(|member| member.is_site())
    }

    /// How many sites are alive.
    pub(super) const fn living_sites(&self) -> usize {
        self.roll.count().living
    }

    /// A member.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.roll.get(name)
    }

    /// The next thing that has become known.
    pub fn poll_event(&mut self) -> Option<MembershipEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) may next have something to do, if ever. Takes no look at the members,
    /// and heartbeats do not move it: there may turn out to be nothing to do yet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let open = self.security.as_ref().and_then(|security| security.challenge.poll_timeout());
        self.next_look.into_iter().chain(open).min()
    }

    /// Time has passed: silent sites count as dead, open challenges end.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        if self.next_look.is_some_and(|look| look <= now) {
            let (dead, next) = self.roll.bury(now, self.config.client_timeout);
            self.events.extend(dead.into_iter().map(|name| MembershipEvent::Dead { name }));
            self.next_look = next;
        }
        if let Some(security) = &mut self.security {
            security.challenge.handle_timeout(now);
        }
    }

    /// Somebody has been heard of now: there has to be a look when it could have been silent for too long.
    fn look_after(&mut self, now: UnixTime) {
        let due = now.saturating_add(self.config.client_timeout);
        self.next_look = Some(self.next_look.map_or(due, |look| look.min(due)));
    }

    /// What can be refused without looking at the proof.
    fn may_apply(&self, now: UnixTime, origin: Fqcn<'_>, applicant: &Applicant) -> Result<(), Refusal> {
        if self.security.as_ref().is_some_and(|security| !security.challenge.is_open(origin.as_str(), now)) {
            return Err(Refusal::known(RefusalText::NO_SESSION));
        }
        self.check_project(&applicant.project)?;
        self.may_join(applicant)
    }

    /// What may have changed until the proof was there.
    fn may_join(&self, applicant: &Applicant) -> Result<(), Refusal> {
        self.check_enabled(&applicant.name)?;
        let is_new_site = applicant.kind == ClientType::REGULAR.as_str() && self.roll.get(&applicant.name).is_none();
        if is_new_site && self.roll.count().sites >= self.config.max_clients {
            return Err(Refusal::known(RefusalText::TOO_MANY_CLIENTS));
        }
        Ok(())
    }

    fn check_enabled(&self, client: &str) -> Result<(), Refusal> {
        if self.disabled.contains(client) {
            return Err(Refusal::unauthenticated(format!("Client '{client}' is disabled")));
        }
        Ok(())
    }

    fn check_project(&self, project: &str) -> Result<(), Refusal> {
        if project == self.config.project { Ok(()) } else { Err(Refusal::known(RefusalText::WRONG_PROJECT)) }
    }
}

impl fmt::Debug for Registrar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar")
            .field("project", &self.config.project)
            .field("is_secure", &self.security.is_some())
            .field("count", &self.roll.count())
            .finish_non_exhaustive()
    }
}

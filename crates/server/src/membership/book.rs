//! The tokens on disk: a server that starts again takes them back, so that its clients need not register again.
//!
//! The book is a log of what was issued and revoked, of one server certificate. It holds digests, from which no token can
//! be made, and nothing else that is secret. Its length is bounded: when most of it is about tokens that are no more, it
//! is written anew. Whatever cannot be read is not believed: the file is put aside, and everybody registers again.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_auth::token::TokenRecord;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_durable::bincode::{Decode, Encode};
use fedcell_durable::{Error, Files, Log, Storage};
use fedcell_fobs::{Map, Value, decode, encode};

use super::keeper::{TokenChange, TokenKeeper};
use super::member::{Member, Presence};

/// Name of the file.
const FILE: &str = "tokens";

/// Name that it gets when it cannot be read.
const ASIDE: &str = "tokens.unreadable";

/// Lines that may be about nothing any more before the file is written anew, beside as many as there are members.
const IDLE_LINES: usize = 64;

/// Bytes of one record at most, about; a group of changes that has more goes into several.
const RECORD: usize = 256 * 1024;

/// One change, on disk. A new field is a new version of the format, see `fedcell_durable`.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
enum Line {
    /// Whose tokens these are: SHA-256 of the server's certificate. The first line.
    Server([u8; 32]),
    Issued(Box<Issued>),
    Revoked(String),
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
struct Issued {
    name: String,
    origin: String,
    token: [u8; 32],
    signature: [u8; 32],
    /// Time since 1970.
    issued: Duration,
    valid_until: Duration,
    fqsn: String,
    kind: String,
    is_leaf: bool,
    organisation: Option<String>,
    /// As FOBS.
    site_config: Option<Vec<u8>>,
    address: String,
    software: String,
}

/// The book of one server.
#[derive(Debug)]
pub struct TokenBook<S: Storage = Files>(Mutex<Open<S>>);

#[derive(Debug)]
struct Open<S: Storage> {
    log: Log<S, Vec<Line>>,
    server: Line,
    /// By name of the client.
    live: BTreeMap<String, Line>,
    /// Lines in the file.
    lines: usize,
    /// The file does not say what it should.
    is_behind: bool,
}

/// A token that was issued before the restart, and who has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeptToken {
    /// What the registry needs.
    pub token: TokenRecord,
    /// Who it is.
    pub member: Member,
}

impl<S: Storage> TokenBook<S> {
    /// Opens the book of the server whose certificate has this fingerprint, and gives what is in it. The book of another certificate is
    /// begun anew; one that cannot be read is put aside.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn open(mut storage: S, server: [u8; 32]) -> Result<(Self, Vec<KeptToken>), Error> {
        let server = Line::Server(server);
        let mut found = Vec::new();
        match Log::open(&mut storage, FILE, |lines: Vec<Line>, _| found.extend(lines)) {
            Ok(_) => {}
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the tokens on disk cannot be read, all clients have to register again");
                found.clear();
                let failed =
                    |source| Error::Io { operation: fedcell_durable::Operation::Rename, name: FILE.to_owned(), source };
                storage.rename(FILE, ASIDE).and_then(|()| storage.sync_names()).map_err(failed)?;
            }
        }
        let (log, _) = Log::open(storage, FILE, |_: Vec<Line>, _| {})?;
        let lines = found.len();
        let mut found = found.into_iter();
        let is_ours = found.next().as_ref() == Some(&server);
        let mut open = Open { log, server, live: BTreeMap::new(), lines, is_behind: !is_ours };
        if is_ours {
            found.for_each(|line| open.apply(line));
        } else {
            open.rewrite()?;
        }
        let kept = open.live.values().filter_map(Line::kept).collect();
        Ok((Self(Mutex::new(open)), kept))
    }
}

impl<S: Storage> Open<S> {
    fn apply(&mut self, line: Line) {
        match line {
            Line::Server(_) => {}
            Line::Revoked(name) => {
                self.live.remove(&name);
            }
            Line::Issued(ref issued) => {
                self.live.insert(issued.name.clone(), line);
            }
        }
    }

    fn note(&mut self, lines: Vec<Line>) -> Result<(), Error> {
        lines.iter().cloned().for_each(|line| self.apply(line));
        let is_long = self.lines + lines.len() > 2 * (self.live.len() + 1) + IDLE_LINES;
        if self.is_behind || is_long {
            return self.rewrite();
        }
        for record in records(lines) {
            let count = record.len();
            if let Err(error) = self.log.append(&record, &[]) {
                tracing::warn!(%error, "a token cannot be written to disk, writing all of them anew");
                return self.rewrite();
            }
            self.lines += count;
        }
        Ok(())
    }

    /// Writes everything anew. If that fails, there is no file: a token that was revoked must not come back with it.
    fn rewrite(&mut self) -> Result<(), Error> {
        let lines: Vec<_> = core::iter::once(&self.server).chain(self.live.values()).cloned().collect();
        self.lines = lines.len();
        let done = self.log.restart(&records(lines));
        self.is_behind = done.is_err();
        if self.is_behind {
            // What is wrong has been said already; the next change tries it again.
            _ = self.log.storage_mut().remove(FILE);
            _ = self.log.storage_mut().sync_names();
        }
        done
    }
}

/// The lines in records that are no larger than may be.
fn records(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut records: Vec<Vec<Line>> = Vec::new();
    let mut room = 0;
    for line in lines {
        let size = line.size();
        match records.last_mut() {
            Some(record) if size <= room => record.push(line),
            _ => {
                records.push(vec![line]);
                room = RECORD;
            }
        }
        room = room.saturating_sub(size);
    }
    records
}

impl Line {
    /// About how long it is on disk.
    fn size(&self) -> usize {
        match self {
            Self::Server(_) => 33,
            Self::Revoked(name) => 16 + name.len(),
            Self::Issued(issued) => {
                let texts =
                    [&issued.name, &issued.origin, &issued.fqsn, &issued.kind, &issued.address, &issued.software];
                let organisation = issued.organisation.as_ref().map_or(0, String::len);
                let config = issued.site_config.as_ref().map_or(0, Vec::len);
                256 + texts.iter().map(|text| text.len()).sum::<usize>() + organisation + config
            }
        }
    }

    /// A member that says too much about itself is not kept, rather than none that comes after it: it registers again
    /// after a restart.
    fn of(change: &TokenChange) -> Self {
        let line = match change {
            TokenChange::Revoked { name } => Self::Revoked(name.clone()),
            TokenChange::Issued { token, member } => Self::Issued(Box::new(Issued {
                name: token.client_name.clone(),
                origin: token.origin.clone(),
                token: token.token_digest,
                signature: token.signature_digest,
                issued: since_1970(token.issued),
                valid_until: since_1970(token.valid_until),
                fqsn: member.fqsn.clone(),
                kind: member.kind.clone(),
                is_leaf: member.is_leaf,
                organisation: member.organisation.clone(),
                site_config: member.site_config.as_ref().and_then(encoded),
                address: member.address.clone(),
                software: member.software.clone(),
            })),
        };
        if line.size() > RECORD
            && let Self::Issued(issued) = line
        {
            tracing::warn!(client = issued.name, "its token is not kept on disk, its registration is too long");
            return Self::Revoked(issued.name);
        }
        line
    }

    fn kept(&self) -> Option<KeptToken> {
        let Self::Issued(issued) = self else { return None };
        let moment = UnixTime::since_epoch(issued.issued);
        let token = TokenRecord {
            client_name: issued.name.clone(),
            origin: issued.origin.clone(),
            token_digest: issued.token,
            signature_digest: issued.signature,
            issued: moment,
            valid_until: UnixTime::since_epoch(issued.valid_until),
        };
        let member = Member {
            name: issued.name.clone(),
            fqcn: FqcnBuf::parse(&issued.origin).ok()?,
            kind: issued.kind.clone(),
            fqsn: issued.fqsn.clone(),
            is_leaf: issued.is_leaf,
            organisation: issued.organisation.clone(),
            site_config: issued.site_config.clone().and_then(decoded),
            address: issued.address.clone(),
            software: issued.software.clone(),
            joined: moment,
            seen: moment,
            presence: Presence::Alive,
            jobs: BTreeSet::new(),
        };
        Some(KeptToken { token, member })
    }
}

fn since_1970(moment: UnixTime) -> Duration {
    moment.saturating_since(UnixTime::from_secs(0))
}

/// What the site told about itself, for a restart. What cannot be written is not worth a token.
fn encoded(config: &Map) -> Option<Vec<u8>> {
    let message = encode(&Value::from(config.clone())).ok()?;
    Some(message.segments().iter().flat_map(|segment| segment.iter().copied()).collect())
}

fn decoded(bytes: Vec<u8>) -> Option<Map> {
    decode(&[Bytes::from(bytes)]).ok()?.as_map().cloned()
}

impl<S: Storage + Send> TokenKeeper for TokenBook<S> {
    fn keep(&self, changes: &[TokenChange]) -> io::Result<()> {
        let lines = changes.iter().map(Line::of).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(lines).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use fedcell_durable::SimulatedDisk;

    use super::*;

    const SERVER: [u8; 32] = [7; 32];

    fn issued(name: &str, token: u8) -> TokenChange {
        let line = Line::Issued(Box::new(Issued {
            name: name.to_owned(),
            origin: format!("relay-1.{name}"),
            token: [token; 32],
            signature: [1; 32],
            issued: Duration::from_millis(1500),
            valid_until: Duration::from_secs(1 << 40),
            fqsn: name.to_owned(),
            kind: "relay".to_owned(),
            is_leaf: false,
            organisation: Some("org".to_owned()),
            site_config: encoded(&Map::from([("gpus", 2)])),
            address: "10.0.0.1".to_owned(),
            software: "fedcell".to_owned(),
        }));
        let kept = line.kept().unwrap();
        TokenChange::Issued { token: kept.token, member: Box::new(kept.member) }
    }

    fn revoked(name: &str) -> TokenChange {
        TokenChange::Revoked { name: name.to_owned() }
    }

    fn open(disk: &SimulatedDisk) -> (TokenBook<SimulatedDisk>, Vec<KeptToken>) {
        TokenBook::open(disk.clone(), SERVER).unwrap()
    }

    fn tokens(kept: &[KeptToken]) -> Vec<(String, u8)> {
        kept.iter().map(|kept| (kept.token.client_name.clone(), kept.token.token_digest[0])).collect()
    }

    #[test]
    fn who_has_a_token_is_known_after_a_restart() {
        let disk = SimulatedDisk::new();
        let (book, kept) = open(&disk);
        assert!(kept.is_empty());
        book.keep(&[issued("site-1", 1), issued("site-2", 2)]).unwrap();
        book.keep(&[issued("site-1", 3), revoked("site-2"), issued("site-3", 4)]).unwrap();
        let (_, kept) = open(&disk);
        assert_eq!(tokens(&kept), [("site-1".to_owned(), 3), ("site-3".to_owned(), 4)]);
        let member = &kept[0].member;
        assert_eq!((member.fqcn.as_str(), member.kind.as_str(), member.is_leaf), ("relay-1.site-1", "relay", false));
        assert_eq!((member.organisation.as_deref(), member.joined), (Some("org"), kept[0].token.issued));
        assert_eq!(member.site_config.as_ref().and_then(|config| config.get("gpus")).and_then(Value::as_u64), Some(2));
    }

    #[test]
    fn a_crash_anywhere_leaves_what_was_kept_or_that_and_what_was_being_kept() {
        let changes = [issued("site-1", 1), issued("site-2", 2), revoked("site-1"), issued("site-2", 3)];
        let mut state = 1_u64;
        let mut choice = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % (most + 1)
        };
        let all = |count: usize| {
            let disk = SimulatedDisk::new();
            let (book, _) = open(&disk);
            changes.iter().take(count).for_each(|change| book.keep(core::slice::from_ref(change)).unwrap());
            tokens(&open(&disk).1)
        };
        for steps in (0..4000).step_by(7) {
            let disk = SimulatedDisk::new();
            let (book, _) = open(&disk);
            disk.stop_after(steps);
            let done = changes.iter().take_while(|change| book.keep(core::slice::from_ref(change)).is_ok()).count();
            let found = tokens(&open(&disk.crash(&mut choice)).1);
            assert!(found == all(done) || found == all(done + 1), "after {steps} steps and {done} changes: {found:?}");
        }
    }

    /// One client that says too much must not keep the server from keeping the tokens of others.
    #[test]
    fn a_member_that_is_too_long_is_not_kept_and_the_others_are() {
        let disk = SimulatedDisk::new();
        let (book, _) = open(&disk);
        let TokenChange::Issued { token, member } = issued("site-1", 2) else { unreachable!("it was issued") };
        let member = Box::new(Member { fqsn: "x".repeat(2 << 20), ..*member });
        book.keep(&[issued("site-1", 1)]).unwrap();
        book.keep(&[TokenChange::Issued { token, member }, issued("site-2", 3)]).unwrap();
        assert_eq!(tokens(&open(&disk).1), [("site-2".to_owned(), 3)]);
    }

    #[test]
    fn its_length_is_bounded() {
        let disk = SimulatedDisk::new();
        let (book, _) = open(&disk);
        let mut most = 0;
        for number in 0..1000_u32 {
            book.keep(&[issued("site-1", u8::try_from(number % 200).unwrap()), issued("site-2", 0)]).unwrap();
            book.keep(&[revoked("site-2")]).unwrap();
            most = most.max(disk.length(FILE).unwrap().unwrap());
        }
        assert!(most < 64 * 1024, "{most} bytes");
        assert_eq!(tokens(&open(&disk).1), [("site-1".to_owned(), 199)]);
    }

    #[test]
    fn what_cannot_be_read_or_is_of_another_server_is_not_believed() {
        let disk = SimulatedDisk::new();
        open(&disk).0.keep(&[issued("site-1", 1)]).unwrap();
        let (_, kept) = TokenBook::open(disk.clone(), [8; 32]).unwrap();
        assert!(kept.is_empty(), "tokens that another certificate has signed");

        let disk = SimulatedDisk::new();
        let (book, _) = open(&disk);
        book.keep(&[issued("site-1", 1)]).unwrap();
        book.keep(&[issued("site-2", 1)]).unwrap();
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut disk.reader(FILE).unwrap(), &mut bytes).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let mut damaged = SimulatedDisk::new();
        damaged.append(FILE, &[&bytes]).unwrap();
        let (book, kept) = open(&damaged);
        assert!(kept.is_empty(), "nothing of a damaged book is believed");
        assert_eq!(damaged.length(ASIDE).unwrap(), Some(bytes.len() as u64));
        book.keep(&[issued("site-3", 1)]).unwrap();
        assert_eq!(tokens(&open(&damaged).1), [("site-3".to_owned(), 1)]);
    }

    /// A revoked token must not come back because the disk was full for a while.
    #[test]
    fn a_disk_that_fails_leaves_no_book_and_is_tried_again() {
        let disk = SimulatedDisk::new();
        let (book, _) = open(&disk);
        book.keep(&[issued("site-1", 1), issued("site-2", 2)]).unwrap();
        disk.stop_after(0);
        assert!(book.keep(&[revoked("site-1")]).is_err());
        disk.stop_after(u64::MAX);
        book.keep(&[revoked("site-1"), issued("site-3", 3)]).unwrap();
        assert_eq!(tokens(&open(&disk).1), [("site-2".to_owned(), 2), ("site-3".to_owned(), 3)]);
    }
}

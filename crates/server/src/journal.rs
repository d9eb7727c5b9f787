//! The journal of a run: what a coordinator that starts again has to know, in the order in which it happened.
//!
//! It holds one round, and of those before it who has counted. When the round is over, the new model is on disk first, then a journal that begins with it takes
//! the place of the old one; a crash between the two closes the round a second time, with the same results.

use fedcell_durable::bincode::{Decode, Encode};
use fedcell_durable::{Error, Log, Replay, Storage};

/// Name of the journal's file.
const FILE: &str = "journal";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
pub(crate) enum Record {
    /// The run, as it was configured.
    Began { job: String, rounds: u32, sites: Vec<String> },
    /// A round began with a model.
    Opened { round: u32, model: String, best: Option<(u32, f64)>, without_better: u32 },
    /// A site's result counts; it is in the body.
    Counted { site: String },
    /// A site's result does not count.
    Failed { site: String },
    /// There are no more rounds.
    Ended { reason: Ending },
    /// A round is over.
    Closed(Closing),
}

/// A round that is over: whose results are in its model.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
#[non_exhaustive]
pub struct Closing {
    /// Number of the round.
    pub round: u32,
    /// Sites whose results counted, in the order in which they came, and their weights.
    pub counted: Vec<(String, f64)>,
}

/// How many rounds that are over a journal remembers.
pub(crate) const CLOSINGS: usize = 100;

/// Why there are no more rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
#[non_exhaustive]
pub enum Ending {
    /// The last round is over.
    AllRounds,
    /// The model is good enough, or has not become better for long enough.
    Stopped,
    /// A round had too few results.
    TooFewResults,
}

/// Reads from the folder of a run which rounds are over and whose results counted in them; the last 100.
///
/// # Errors
///
/// The disk's, or that the journal is damaged.
pub fn closings<S: Storage>(storage: S) -> Result<Vec<Closing>, Error> {
    let (_, recovered) = Journal::open(storage)?;
    Ok(recovered.records.into_iter().filter_map(Record::into_closing).collect())
}

impl Record {
    fn into_closing(self) -> Option<Closing> {
        if let Self::Closed(closing) = self { Some(closing) } else { None }
    }
}

/// What the journal of an earlier process says.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) records: Vec<Record>,
    pub(crate) replay: Replay,
}

/// The journal on disk.
#[derive(Debug)]
pub(crate) struct Journal<S> {
    log: Log<S, Record>,
}

impl<S: Storage> Journal<S> {
    /// Opens the journal and reads what is in it, without the results.
    pub(crate) fn open(storage: S) -> Result<(Self, Recovered), Error> {
        let mut records = Vec::new();
        let (log, replay) = Log::open(storage, FILE, |record, _| records.push(record))?;
        Ok((Self { log }, Recovered { records, replay }))
    }

    /// Gives every result that counts, in the order in which they came.
    pub(crate) fn results(&self, mut visit: impl FnMut(String, Vec<u8>)) -> Result<(), Error> {
        self.log.visit(|record, body| {
            if let Record::Counted { site } = record {
                visit(site, body);
            }
        })
    }

    pub(crate) fn append(&mut self, record: &Record, body: &[&[u8]]) -> Result<(), Error> {
        self.log.append(record, body)
    }

    pub(crate) fn restart(&mut self, records: &[Record]) -> Result<(), Error> {
        self.log.restart(records)
    }

    pub(crate) const fn storage_mut(&mut self) -> &mut S {
        self.log.storage_mut()
    }
}

//! The outbox: which tasks were begun and which results the server has not acknowledged, on disk.
//!
//! ```text
//!                begin                    submit                    acknowledged / refused
//!   (no entry) ────────► begun, on disk ────────► result, on disk ─────────────────────────► (no entry)
//!                            │                        │ next ─► send ─► no answer ─► next, later
//!      restart, take_over ───┴─► Interrupted          └─ restart, reconnection, registration ─► next, at once
//! ```
//!
//! A task is begun once: [`Outbox::begin`] is on disk before it returns, and says so when it is asked again. A result is
//! on disk when [`Outbox::submit`] returns, and is handed out by [`Outbox::next`] until the server has acknowledged it or
//! has said that it will never want it. The server counts it once because the task id that it bears is unique in a job.
//!
//! The outbox waits for nothing: the caller says what time it is, and when something happened. Its calls write and sync
//! files; an asynchronous caller makes them on a thread that may block.

mod entry;
mod error;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Instant;

use fedcell_durable::{Entries, Files, Storage};

pub use entry::{Submission, TaskKey};
pub use error::OutboxError;
pub use retry::RetryPolicy;

use entry::{Head, Stage};
use retry::Schedule;

use crate::metrics::OutboxMeters;

/// How much may wait for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxLimits {
    /// Tasks that were begun and results, together.
    pub entries: usize,
    /// Bytes of all results, as they are on disk.
    pub bytes: u64,
}

impl Default for OutboxLimits {
    /// 1024 entries, 64 GiB.
    fn default() -> Self {
        Self { entries: 1024, bytes: 1 << 36 }
    }
}

impl OutboxLimits {
    /// These numbers of entries and bytes.
    #[must_use]
    pub const fn new(entries: usize, bytes: u64) -> Self {
        Self { entries, bytes }
    }
}

/// What is known about a task that is to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Begin {
    /// It is new, and from now on it has been begun.
    Fresh,
    /// This process has begun it and has not submitted its result yet.
    Running,
    /// An earlier process began it and ended before there was a result. What it did before is not known.
    Interrupted,
    /// Its result waits for the server.
    Submitted,
}

/// Tasks and results that must survive this process.
#[derive(Debug)]
pub struct Outbox<S = Files> {
    entries: Entries<S, Head>,
    tasks: HashMap<TaskKey, Known>,
    next_number: u64,
    bytes: u64,
    limits: OutboxLimits,
    schedule: Schedule,
    meters: OutboxMeters,
}

/// What is kept in memory of an entry.
#[derive(Debug)]
struct Known {
    number: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The number says whether it was begun by this process.
    Begun {
        here: bool,
    },
    Waiting {
        bytes: u64,
    },
}

impl<S: Storage> Outbox<S> {
    /// Opens an outbox; results that are in it are due at once.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Disk`] if the folder cannot be read, or if an entry in it is damaged.
    pub fn open(storage: S, limits: OutboxLimits, retry: RetryPolicy, now: Instant) -> Result<Self, OutboxError> {
        let entries: Entries<S, Head> = Entries::open(storage)?;
        let mut outbox = Self {
            entries,
            tasks: HashMap::new(),
            next_number: 0,
            bytes: 0,
            limits,
            schedule: Schedule::new(retry),
            meters: OutboxMeters::new(),
        };
        for name in outbox.entries.names()? {
            // Files of other names are not ours.
            let Some(number) = entry::number(&name) else { continue };
            let Some((head, body)) = outbox.entries.read(&name)? else { continue };
            outbox.next_number = outbox.next_number.max(number + 1);
            let state = match head.stage {
                Stage::Begun => State::Begun { here: false },
                Stage::Result => {
                    outbox.bytes += body.len() as u64;
                    outbox.schedule.add(number, now);
                    State::Waiting { bytes: body.len() as u64 }
                }
            };
            outbox.tasks.insert(head.key(), Known { number, state });
        }
        outbox.show();
        Ok(outbox)
    }

    /// Says that a task is to be executed, and what is known about it; [`Begin::Fresh`] is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Full`], [`OutboxError::Disk`]: the task must not be executed then.
    pub fn begin(&mut self, task: &TaskKey, task_name: &str) -> Result<Begin, OutboxError> {
        match self.tasks.get(task).map(|known| known.state) {
            Some(State::Begun { here: true }) => return Ok(Begin::Running),
            Some(State::Begun { here: false }) => return Ok(Begin::Interrupted),
            Some(State::Waiting { .. }) => return Ok(Begin::Submitted),
            None => {}
        }
        let number = self.room_for_one()?;
        self.entries.put(&entry::name(number), &Head::new(task, task_name, Stage::Begun), &[])?;
        self.next_number += 1;
        self.tasks.insert(task.clone(), Known { number, state: State::Begun { here: true } });
        Ok(Begin::Fresh)
    }

    /// Stores the result of a task; it is on disk when this returns, and due at once.
    ///
    /// A second result of a task changes nothing: the first may have been sent already. Whether this one was stored.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Full`], [`OutboxError::Disk`]: the result is not stored then.
    pub fn submit(
        &mut self,
        task: &TaskKey,
        task_name: &str,
        result: &[&[u8]],
        now: Instant,
    ) -> Result<bool, OutboxError> {
        let number = match self.tasks.get(task) {
            Some(Known { state: State::Waiting { .. }, .. }) => return Ok(false),
            Some(known) => known.number,
            None => self.room_for_one()?,
        };
        let bytes = result.iter().map(|part| part.len() as u64).sum::<u64>();
        if self.bytes.saturating_add(bytes) > self.limits.bytes {
            return Err(OutboxError::Full { entries: self.tasks.len(), bytes: self.bytes });
        }
        self.entries.put(&entry::name(number), &Head::new(task, task_name, Stage::Result), result)?;
        self.next_number = self.next_number.max(number + 1);
        self.bytes += bytes;
        self.tasks.insert(task.clone(), Known { number, state: State::Waiting { bytes } });
        self.schedule.add(number, now);
        self.show();
        Ok(true)
    }

    /// Somebody begins to do this job, in the place of whoever did it before in this process and has left it in the
    /// middle: tasks that were begun are [`Begin::Interrupted`], results that were under way are due.
    pub fn take_over(&mut self, job: &str, now: Instant) {
        for known in self.tasks.iter_mut().filter(|(key, _)| key.job == job).map(|(_, known)| known) {
            if let State::Begun { here } = &mut known.state {
                *here = false;
            }
        }
        self.reconnected(job, now);
    }

    /// The result of this job to send now, if one is due; the first submitted first. From now on it is under way.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Disk`] if it cannot be read; it will be due again later.
    pub fn next(&mut self, job: &str, now: Instant) -> Result<Option<Submission>, OutboxError> {
        let of_job = self.tasks.iter().filter(|(key, _)| key.job == job).map(|(_, known)| known.number);
        let Some(number) = self.schedule.take_due(of_job, now) else { return Ok(None) };
        match self.entries.read(&entry::name(number)) {
            Ok(Some((head, body))) => Ok(Some(head.into_submission(body))),
            // Somebody has removed the file: there is nothing left that could be sent.
            Ok(None) => {
                self.schedule.remove(number);
                self.tasks.retain(|_, known| known.number != number);
                self.show();
                Ok(None)
            }
            Err(error) => {
                self.schedule.failed(number, now);
                Err(error.into())
            }
        }
    }

    /// When [`next`](Self::next) will have something of any job, if nothing happens before.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        self.schedule.next_at()
    }

    /// The server did not answer, or answered that it could not: the result is due again later.
    pub fn unanswered(&mut self, task: &TaskKey, now: Instant) {
        if let Some(known) = self.tasks.get(task) {
            self.schedule.failed(known.number, now);
        }
    }

    /// The server of this job answers again: its results are due at once, also what was under way.
    pub fn reconnected(&mut self, job: &str, now: Instant) {
        for known in self.tasks.iter().filter(|(key, _)| key.job == job).map(|(_, known)| known) {
            self.schedule.due(known.number, now);
        }
    }

    /// The server has the result, or has said that it will never take one for this task. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Disk`] if the entry cannot be removed; it will be sent again, and the server knows it.
    pub fn settled(&mut self, task: &TaskKey) -> Result<bool, OutboxError> {
        let Some(known) = self.tasks.get(task) else { return Ok(false) };
        self.entries.remove(&entry::name(known.number))?;
        let Some(known) = self.tasks.remove(task) else { return Ok(false) };
        self.schedule.remove(known.number);
        if let State::Waiting { bytes } = known.state {
            self.bytes -= bytes;
        }
        self.show();
        Ok(true)
    }

    /// Forgets everything of a job that has ended. How many entries there were.
    ///
    /// # Errors
    ///
    /// As [`settled`](Self::settled); what was removed before stays removed.
    pub fn end_job(&mut self, job: &str) -> Result<usize, OutboxError> {
        let keys: Vec<_> = self.tasks.keys().filter(|key| key.job == job).cloned().collect();
        for key in &keys {
            self.settled(key)?;
        }
        Ok(keys.len())
    }

    /// Results that wait for the server.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.schedule.len()
    }

    /// Tasks that an earlier process has begun and not ended.
    pub fn interrupted(&self) -> impl Iterator<Item = &TaskKey> {
        self.tasks.iter().filter(|(_, known)| known.state == State::Begun { here: false }).map(|(key, _)| key)
    }

    /// Shows what waits.
    fn show(&mut self) {
        self.meters.set(self.schedule.len(), self.bytes);
    }

    fn room_for_one(&self) -> Result<u64, OutboxError> {
        if self.tasks.len() >= self.limits.entries {
            return Err(OutboxError::Full { entries: self.tasks.len(), bytes: self.bytes });
        }
        Ok(self.next_number)
    }
}

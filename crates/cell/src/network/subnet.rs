//! Subnets: cells that tell another one from time to time that they are there.
//!
//! ```text
//!   member ── heartbeat {subnet_id} every 5 s ──► monitor: online with the first, offline after a silence
//! ```

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{NetChannel, NetKey, NetTopic};
use fedcell_protocol_defs::config::SettingDefaults;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ask::Network;
use super::values::text;
use crate::cell::Cell;
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::request::Response;

/// How often a monitor looks for members that have fallen silent.
const LOOK: Duration = Duration::from_millis(500);

/// Changes that a monitor may lag behind before it misses some.
const EVENTS: usize = 1024;

/// How long members may take to answer that they stop.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The subnets that a cell watches.
#[derive(Debug, Default)]
pub(crate) struct Subnets {
    watched: Mutex<HashMap<String, Arc<Watched>>>,
}

/// One of them.
#[derive(Debug)]
struct Watched {
    members: Mutex<HashMap<FqcnBuf, Member>>,
    changes: mpsc::Sender<SubnetEvent>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    last_heard: Instant,
    state: MemberState,
}

/// What is known of a member of a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// It has never been heard.
    Unknown,
    /// It was heard a short time ago.
    Online,
    /// It has fallen silent.
    Offline,
}

/// A member of a subnet that came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubnetEvent {
    /// It is heard, for the first time or again.
    Online(FqcnBuf),
    /// It was online and has been silent for too long.
    Offline(FqcnBuf),
}

/// A subnet was not watched: the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubnetError {
    /// There is nobody to watch.
    #[error("subnet `{id}` has no members, name at least one")]
    NoMembers {
        /// The subnet.
        id: String,
    },
    /// This cell watches it already.
    #[error("subnet `{id}` is watched by this cell already")]
    Watched {
        /// The subnet.
        id: String,
    },
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Subnets {
    /// A cell says that it is there.
    pub(super) fn note_heartbeat(&self, origin: Fqcn<'_>, body: &Value) {
        let id = text(body, NetKey::SUBNET_ID).unwrap_or_default();
        let Some(subnet) = locked(&self.watched).get(id).cloned() else {
            return tracing::warn!(%origin, id, "a heartbeat of a subnet that nobody watches here");
        };
        let mut members = locked(&subnet.members);
        match members.get_mut(origin.as_str()) {
            Some(member) => {
                member.last_heard = Instant::now();
                if core::mem::replace(&mut member.state, MemberState::Online) != MemberState::Online {
                    subnet.tell(SubnetEvent::Online(origin.to_owned()));
                }
            }
            None => tracing::warn!(%origin, id, "a heartbeat of a cell that is no member of the subnet"),
        }
    }
}

impl Watched {
    /// Tells the monitor, unless it does not listen: the states are there all the same.
    fn tell(&self, event: SubnetEvent) {
        if let Err(error) = self.changes.try_send(event) {
            tracing::debug!(%error, "a change in a subnet was not told");
        }
    }

    fn look(&self, silence: Duration) {
        for (name, member) in locked(&self.members).iter_mut() {
            if member.state == MemberState::Online && member.last_heard.elapsed() > silence {
                member.state = MemberState::Offline;
                self.tell(SubnetEvent::Offline(name.clone()));
            }
        }
    }
}

/// This cell's place in a subnet; it leaves, without a word, when this is dropped.
#[derive(Debug)]
#[must_use = "the cell leaves the subnet when this is dropped"]
pub struct SubnetMembership {
    _end: DropGuard,
}

/// Watches a subnet until it is dropped.
#[derive(Debug)]
pub struct SubnetMonitor {
    id: String,
    endpoint: Endpoint,
    watched: Arc<Watched>,
    events: mpsc::Receiver<SubnetEvent>,
    _end: DropGuard,
}

impl Network<'_> {
    /// Tells the cell `monitor` from now on that this cell is a member of the subnet, every 5 s.
    pub fn join_subnet(&self, id: impl Into<String>, monitor: &FqcnBuf) -> SubnetMembership {
        let (cell, monitor) = (self.cell(), monitor.clone());
        let body = Value::Map(Map::from([(NetKey::SUBNET_ID.as_str(), Value::from(id.into()))]));
        let end = CancellationToken::new();
        let (endpoint, until) = (cell.endpoint().clone(), end.clone());
        let member = Cell::of(endpoint.clone());
        endpoint.spawn(async move {
            let mut beats = interval(Duration::from_secs_f64(SettingDefaults::SUBNET_HEARTBEAT_INTERVAL));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let beat = async {
                loop {
                    beats.tick().await;
                    let draft =
                        member.fire(&monitor, NetChannel::NET_MANAGER, NetTopic::HEARTBEAT).direct().value(&body);
                    if let Err(error) = draft.send().await {
                        tracing::debug!(%monitor, %error, "a heartbeat of a subnet was not sent");
                    }
                }
            };
            until.run_until_cancelled(beat).await;
        });
        SubnetMembership { _end: end.drop_guard() }
    }

    /// Watches a subnet whose members call [`join_subnet`](Self::join_subnet) with this cell. A member that is silent for
    /// `silence` is offline.
    ///
    /// # Errors
    ///
    /// [`SubnetError`] if there is no member, or this cell watches the subnet already.
    pub fn watch_subnet(
        &self,
        id: impl Into<String>,
        members: impl IntoIterator<Item = FqcnBuf>,
        silence: Duration,
    ) -> Result<SubnetMonitor, SubnetError> {
        let id = id.into();
        let member = Member { last_heard: Instant::now(), state: MemberState::Unknown };
        let members: HashMap<_, _> = members.into_iter().map(|name| (name, member)).collect();
        if members.is_empty() {
            return Err(SubnetError::NoMembers { id });
        }
        let endpoint = self.cell().endpoint().clone();
        let (changes, events) = mpsc::channel(EVENTS);
        let watched = Arc::new(Watched { members: Mutex::new(members), changes });
        match locked(&endpoint.subnets().watched).entry(id.clone()) {
            std::collections::hash_map::Entry::Occupied(_) => return Err(SubnetError::Watched { id }),
            std::collections::hash_map::Entry::Vacant(place) => drop(place.insert(watched.clone())),
        }
        let end = CancellationToken::new();
        let (until, looked_at) = (end.clone(), watched.clone());
        endpoint.spawn(async move {
            let mut looks = interval(LOOK);
            let look = async {
                loop {
                    looks.tick().await;
                    looked_at.look(silence);
                }
            };
            until.run_until_cancelled(look).await;
        });
        Ok(SubnetMonitor { id, endpoint, watched, events, _end: end.drop_guard() })
    }
}

impl SubnetMonitor {
    /// The next member that comes or goes. Whoever reads too slowly misses the newest; [`members`](Self::members) tells
    /// all states.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<SubnetEvent> {
        self.events.recv().await
    }

    /// All members by name, with what is known of them.
    #[must_use]
    pub fn members(&self) -> Vec<(FqcnBuf, MemberState)> {
        let mut members: Vec<_> =
            locked(&self.watched.members).iter().map(|(name, member)| (name.clone(), member.state)).collect();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members
    }

    /// Tells the members that are online to stop, each with the cells below it.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if nothing was sent; what became of each member is in its own result.
    ///
    /// # Cancel safety
    ///
    /// The members have been told by the first poll.
    pub async fn stop_subnet(&self) -> Result<Vec<(FqcnBuf, Result<Response, RequestError>)>, RequestError> {
        let online = self.members().into_iter().filter(|(_, state)| *state == MemberState::Online);
        let targets: Vec<FqcnBuf> = online.map(|(name, _)| name).collect();
        let cell = Cell::of(self.endpoint.clone());
        cell.broadcast(targets, NetChannel::NET_MANAGER, NetTopic::STOP_CELL)
            .direct()
            .timeout(STOP_PATIENCE)
            .send()
            .await
    }
}

impl Drop for SubnetMonitor {
    fn drop(&mut self) {
        locked(&self.endpoint.subnets().watched).remove(&self.id);
    }
}

//! The object streams of a cell: who takes which, and the requests that they are made of.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_auth::UnixTime;
use fedcell_cell_proto::objects::{Accepted, IncomingObjects, ObjectLimits, StreamKey};
use fedcell_cell_proto::registry::Registry;
use fedcell_fobs::Value;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_protocol_defs::cell::Channel;
use fedcell_protocol_defs::federation::{ObjectStreamHeader, ObjectStreamTopic, ShareableCode, ShareableHeader};
use tokio::sync::Notify;

use super::consumer::{Consumed, ObjectConsumer, ObjectHead};
use super::writer::ObjectsDraft;
use crate::cell::Cell;
use crate::clock::Clock;
use crate::handler::{HandlerError, Request};
use crate::request::Target;

type Maker = Arc<dyn Fn(ObjectHead) -> Result<Box<dyn ObjectConsumer>, ShareableCode<'static>> + Send + Sync>;

/// The object streams of one cell. Clones are the same; none keeps the cell running.
#[derive(Clone)]
pub struct ObjectStreams {
    cell: Cell,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    clock: Clock,
    changed: Notify,
}

#[derive(Default)]
struct State {
    incoming: IncomingObjects,
    makers: Registry<Maker>,
    /// Those that are not at work.
    consumers: HashMap<StreamKey, Box<dyn ObjectConsumer>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Calls a verb, and ends the streams that it has ended. What the consumer of `asked` says at its end is returned.
    fn drive(&self, asked: Option<&StreamKey>, verb: impl FnOnce(&mut State, UnixTime)) -> Option<Value> {
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            verb(&mut state, self.now());
            while let Some(event) = state.incoming.poll_event() {
                ended.extend(state.consumers.remove(&event.key).map(|consumer| (event, consumer)));
            }
        }
        self.changed.notify_one();
        let mut result = None;
        for (event, mut consumer) in ended {
            let said = consumer.finish(ShareableCode::new(event.code.as_str()));
            if asked == Some(&event.key) {
                result = said;
            }
        }
        result
    }
}

impl ObjectStreams {
    /// Lets a cell take object streams, and send them.
    #[must_use]
    pub fn serve(cell: &Cell, limits: ObjectLimits) -> Self {
        let state = State { incoming: IncomingObjects::new(limits), ..State::default() };
        let shared = Shared { state: Mutex::new(state), clock: Clock::start(), changed: Notify::new() };
        let streams = Self { cell: cell.clone(), shared: Arc::new(shared) };
        let shared = streams.shared.clone();
        cell.handle(Channel::AUX_COMMUNICATION, ObjectStreamTopic::REQUEST, move |request: Request| {
            let shared = shared.clone();
            async move { reply(&request, &objects(&shared, &request).await?) }
        });
        let shared = streams.shared.clone();
        cell.handle(Channel::AUX_COMMUNICATION, ObjectStreamTopic::ABORT, move |request: Request| {
            let shared = shared.clone();
            async move { reply(&request, &abort(&shared, &request).await?) }
        });
        let running = streams.clone();
        tokio::spawn(async move { running.keep_time().await });
        streams
    }

    /// Registers who makes the consumers of streams with these words; the topic, or both, may be
    /// [`Wildcard::ANY`](fedcell_protocol_defs::cell::Wildcard::ANY). Each stream has a consumer of its own. A maker that
    /// gives a code instead refuses the stream with it.
    pub fn handle(
        &self,
        channel: &str,
        topic: &str,
        maker: impl Fn(ObjectHead) -> Result<Box<dyn ObjectConsumer>, ShareableCode<'static>> + Send + Sync + 'static,
    ) {
        self.shared.lock().makers.insert(channel, topic, Arc::new(maker));
    }

    /// Begins a stream to some cells, for consumers registered there under this channel and topic.
    pub fn open<T: Target>(&self, targets: impl IntoIterator<Item = T>, channel: &str, topic: &str) -> ObjectsDraft {
        ObjectsDraft::new(self.cell.clone(), targets, channel, topic)
    }

    /// Streams that come in now.
    #[must_use]
    pub fn incoming(&self) -> usize {
        self.shared.lock().incoming.len()
    }

    async fn keep_time(self) {
        loop {
            let due = self.shared.lock().incoming.poll_timeout().map(|due| self.shared.clock.instant(due));
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => core::future::pending().await,
                }
            };
            tokio::select! {
                () = self.cell.ended() => return,
                () = self.shared.changed.notified() => {}
                () = timer => {
                    let shared = self.shared.clone();
                    let verb = move || shared.drive(None, |state, now| state.incoming.handle_timeout(now));
                    if tokio::task::spawn_blocking(verb).await.is_err() {
                        tracing::error!("the consumer of an object stream panicked at its end");
                    }
                }
            }
        }
    }
}

impl fmt::Debug for ObjectStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStreams").field("cell", &self.cell).field("incoming", &self.incoming()).finish()
    }
}

fn reply(request: &Request, reply: &Shareable) -> Result<fedcell_cell_proto::request::Body, HandlerError> {
    Ok(request.body_of(&reply.clone().into_value())?)
}

/// The body of a request as the reference's own service takes it: a shareable that says whose it is.
async fn shareable(request: &Request) -> Result<Result<Shareable, Shareable>, HandlerError> {
    let refused = |code| Ok(Err(Shareable::reply(code)));
    let Ok(object) = Shareable::from_value(request.fetch().await?) else {
        return refused(ShareableCode::BAD_REQUEST_DATA);
    };
    match object.header(ShareableHeader::PEER_PROPS.as_str()) {
        Some(Value::Map(props)) if !props.is_empty() => Ok(Ok(object)),
        None | Some(Value::Null | Value::Map(_)) => refused(ShareableCode::MISSING_PEER_CONTEXT),
        Some(_) => refused(ShareableCode::BAD_PEER_CONTEXT),
    }
}

async fn objects(shared: &Arc<Shared>, request: &Request) -> Result<Shareable, HandlerError> {
    let object = match shareable(request).await? {
        Ok(object) => object,
        Err(refused) => return Ok(refused),
    };
    let mut accepted = None;
    shared.drive(None, |state, now| {
        accepted = Some(state.incoming.handle_object(now, request.origin(), &object));
    });
    let accepted = match accepted {
        Some(Ok(accepted)) => accepted,
        Some(Err(code)) => return Ok(Shareable::reply(code)),
        None => return Ok(Shareable::reply(ShareableCode::EXECUTION_EXCEPTION)),
    };
    let key = accepted.key.clone();
    let (working, cookies) = (shared.clone(), object.cookie_jar().cloned());
    let used = tokio::task::spawn_blocking(move || consume(&working, accepted, object)).await;
    let mut answer = match used {
        Ok(answer) => answer,
        // The consumer panicked, and is gone.
        Err(_) => {
            let failed = ShareableCode::EXECUTION_EXCEPTION;
            shared.drive(None, |state, now| state.incoming.handle_consumed(now, &key, Some(failed.as_str())));
            Shareable::reply(failed)
        }
    };
    if let Some(cookies) = cookies.filter(|cookies| !cookies.is_empty()) {
        answer.set_cookie_jar(cookies);
    }
    Ok(answer)
}

/// Gives an object to its consumer. May block.
fn consume(shared: &Shared, accepted: Accepted, object: Shareable) -> Shareable {
    let Accepted { key, channel, topic, context, .. } = accepted;
    let failed = |code: ShareableCode<'_>| {
        shared.drive(None, |state, now| state.incoming.handle_consumed(now, &key, Some(code.as_str())));
        Shareable::reply(code)
    };
    let made = match context {
        None => shared.lock().consumers.remove(&key).ok_or(ShareableCode::EXECUTION_EXCEPTION),
        Some(context) => {
            let maker = shared.lock().makers.find(channel.as_str(), topic.as_str()).cloned();
            let head = ObjectHead { origin: key.origin.clone(), id: key.id.clone(), channel, topic, context };
            // Nobody takes such streams: what the reference answers then.
            maker.ok_or(ShareableCode::EXECUTION_EXCEPTION).and_then(|maker| maker(head))
        }
    };
    let mut consumer = match made {
        Ok(consumer) => consumer,
        Err(code) => return failed(code),
    };
    let (mut answer, is_last) = match consumer.consume(object) {
        Ok(Consumed::More(answer)) => (answer, false),
        Ok(Consumed::Last(answer)) => (answer, true),
        Err(error) => {
            tracing::warn!(%error, origin = %key.origin, "the consumer of an object stream failed");
            (Shareable::reply(ShareableCode::EXECUTION_EXCEPTION), true)
        }
    };
    let code = is_last.then(|| answer.return_code().as_str().to_owned());
    let said = shared.drive(Some(&key), |state, now| {
        state.consumers.insert(key.clone(), consumer);
        state.incoming.handle_consumed(now, &key, code.as_deref());
    });
    if let Some(said) = said {
        answer.set_header(ObjectStreamHeader::END_RESULT.as_str(), said);
    }
    answer
}

async fn abort(shared: &Arc<Shared>, request: &Request) -> Result<Shareable, HandlerError> {
    let abort = match shareable(request).await? {
        Ok(abort) => abort,
        Err(refused) => return Ok(refused),
    };
    let (working, origin) = (shared.clone(), request.origin().to_owned());
    let ended = tokio::task::spawn_blocking(move || {
        let mut outcome = Ok(());
        working.drive(None, |state, _| outcome = state.incoming.handle_abort(origin.as_fqcn(), &abort));
        outcome
    });
    Ok(Shareable::reply(match ended.await? {
        Ok(()) => ShareableCode::OK,
        Err(code) => code,
    }))
}

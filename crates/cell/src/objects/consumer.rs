//! Who takes the objects of a stream.

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::federation::ShareableCode;

/// An object stream that begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ObjectHead {
    /// The cell that sends it.
    pub origin: FqcnBuf,
    /// Its id.
    pub id: Text,
    /// The application's channel.
    pub channel: Text,
    /// The application's topic.
    pub topic: Text,
    /// What the sender says beforehand.
    pub context: Map,
}

/// What a consumer makes of an object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Consumed {
    /// It wants more; the sender is answered this.
    More(Shareable),
    /// That was all; the sender is answered this, and its return code says how the stream has ended.
    Last(Shareable),
}

impl Consumed {
    /// It wants more, and all is well.
    #[must_use]
    pub fn more() -> Self {
        Self::More(Shareable::reply(ShareableCode::OK))
    }

    /// That was all, and all is well.
    #[must_use]
    pub fn last() -> Self {
        Self::Last(Shareable::reply(ShareableCode::OK))
    }

    /// It does not want the rest.
    #[must_use]
    pub fn refused(code: ShareableCode<'_>) -> Self {
        Self::Last(Shareable::reply(code))
    }
}

/// Takes the objects of one stream, in order. Called on a thread that may block.
pub trait ObjectConsumer: Send + 'static {
    /// Takes an object, its arrays fetched.
    ///
    /// # Errors
    ///
    /// Any: the stream ends, and its sender is told that there was an error and not which.
    fn consume(&mut self, object: Shareable) -> Result<Consumed, Box<dyn core::error::Error + Send + Sync>>;

    /// The stream has ended, in whatever way: with the code of the last reply, or because its sender ended it
    /// ([`TASK_ABORTED`](ShareableCode::TASK_ABORTED)) or was silent for too long ([`TIMEOUT`](ShareableCode::TIMEOUT)).
    /// What is returned goes to the sender with the last reply, if there is one.
    fn finish(&mut self, code: ShareableCode<'_>) -> Option<Value> {
        let _ = code;
        None
    }
}

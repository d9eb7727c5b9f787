//! What can be wrong with a message.

use thiserror::Error;

use crate::address::FqcnError;
use crate::headers::HeaderError;

/// A message that cannot be handled. Its sender is at fault; the reference drops it too.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A header is missing or of another kind than its meaning requires.
    #[error("the headers of the message are not those of a message between cells")]
    Header(#[from] HeaderError),
    /// The origin is no address.
    #[error("the origin of the message is no address")]
    Origin(#[source] FqcnError),
    /// The destination is no address.
    #[error("the destination of the message is no address")]
    Destination(#[source] FqcnError),
}

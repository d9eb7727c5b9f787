//! What a forwarder changes in a message: where it comes from, where it goes next, one more hop, and the time.

use fedcell_auth::UnixTime;

use crate::address::Fqcn;
use crate::clock;
use crate::headers::{HeaderError, HeaderMap, Known};

/// Rewrites the headers of a message that `me` passes on to `next`. All others, known or not, stay as they came, and so
/// does the payload.
///
/// # Errors
///
/// [`HeaderError::WrongType`] if the route is no list; nothing has been changed then.
pub fn pass_on(headers: &mut HeaderMap, me: Fqcn<'_>, next: Fqcn<'_>, now: UnixTime) -> Result<(), HeaderError> {
    let seconds = clock::seconds(now);
    headers.push_hop(me, seconds)?;
    headers.set(Known::FromCell, me);
    headers.set(Known::ToCell, next);
    headers.set(Known::SendTime, seconds);
    Ok(())
}

//! The cells that a message has passed.

use fedcell_fobs::msgpack;
use fedcell_protocol_defs::cell::HeaderKey;

use super::value::put_text;
use super::{HeaderError, HeaderMap, RawValue};
use crate::address::Fqcn;

/// One cell that a message has passed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Hop<'a> {
    /// What the cell wrote as its address; nobody has checked it.
    pub cell: &'a str,
    /// The cell's clock when it passed the message on, in seconds since the epoch.
    pub seconds: Option<f64>,
}

/// The route of a message, the origin first. Its sender controls it: it stops loops, it proves nothing.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a>(Option<RawValue<'a>>);

impl<'a> Route<'a> {
    /// The route in the value of its header.
    pub(crate) const fn of(value: Option<RawValue<'a>>) -> Self {
        Self(value)
    }

    /// The hops. Entries that are no hops are passed over, as the reference does.
    pub fn hops(self) -> impl Iterator<Item = Hop<'a>> {
        self.0.and_then(RawValue::items).into_iter().flatten().filter_map(|hop| {
            let mut parts = hop.items()?;
            let cell = parts.next()?.as_text()?;
            Some(Hop { cell, seconds: parts.next().and_then(RawValue::as_number) })
        })
    }

    /// Whether the message has passed the cell.
    #[must_use]
    pub fn contains(self, cell: Fqcn<'_>) -> bool {
        self.hops().any(|hop| hop.cell == cell.as_str())
    }
}

impl HeaderMap {
    /// The route; empty if the header is absent or no list.
    #[must_use]
    pub fn route(&self) -> Route<'_> {
        Route(self.raw(HeaderKey::ROUTE))
    }

    /// Sets the route to one hop, whatever it was: the message starts here. `seconds` is this cell's clock, since the
    /// epoch.
    pub fn begin_route(&mut self, cell: Fqcn<'_>, seconds: f64) {
        self.insert_with(HeaderKey::ROUTE.as_str(), |out| {
            msgpack::put_array_head(out, 1);
            write_hop(out, cell, seconds);
        });
    }

    /// Appends a hop to the route, and begins one if there is none. `seconds` is this cell's clock, since the epoch.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if the header is there and is no list; it stays as it is.
    pub fn push_hop(&mut self, cell: Fqcn<'_>, seconds: f64) -> Result<(), HeaderError> {
        self.append_item(HeaderKey::ROUTE.as_str(), |out| write_hop(out, cell, seconds))
    }
}

/// A hop is a list of two: an address and a time.
fn write_hop(out: &mut Vec<u8>, cell: Fqcn<'_>, seconds: f64) {
    msgpack::put_array_head(out, 2);
    put_text(out, cell.as_str());
    msgpack::put_float(out, seconds);
}

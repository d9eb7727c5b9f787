//! A cell before its start: nobody can ask it anything until all that answers is in place.

use core::ops::Deref;

use fedcell_cell_proto::adhoc::AdhocPolicy;

use crate::backbone::{ConnectorUse, Planned};
use crate::cell::Cell;
use crate::download;
use crate::endpoint::Endpoint;
use crate::error::StartError;

/// Where a cell listens for direct connections if it has no listener for the outside.
const ADHOC_URL: &str = "tcp://127.0.0.1:0";

/// A cell that neither listens nor dials yet. Handlers and filters are attached to it, and its events watched, as to a
/// [`Cell`], which it is in every other way; dropped before its start it ends as one.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use fedcell_cell::{Cell, Request};
///
/// let cell = Cell::builder("server").root_url("tcp://0.0.0.0:8002").build()?;
/// cell.handle("greetings", "hello", async |request: Request| request.body());
/// let events = cell.events();
/// let cell = cell.start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a cell starts with `start`"]
pub struct PreparedCell {
    cell: Cell,
    planned: Vec<Planned>,
}

impl PreparedCell {
    pub(crate) const fn new(cell: Cell, planned: Vec<Planned>) -> Self {
        Self { cell, planned }
    }

    /// Starts the cell: listeners are bound when this returns, connectors dial from then on.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the credentials cannot be used, or a URL cannot be listened on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what has been started.
    pub async fn start(self) -> Result<Cell, StartError> {
        let Self { cell, planned } = self;
        let endpoint = cell.endpoint();
        endpoint.spawn(download::Shared::drive_timer(endpoint.clone()));
        endpoint.spawn(endpoint.clone().drive_timer());
        for planned in planned {
            endpoint.backbone().start(endpoint, planned).await?;
        }
        if endpoint.backbone().adhoc == AdhocPolicy::On {
            offer(endpoint).await?;
        }
        Ok(cell)
    }
}

impl Deref for PreparedCell {
    type Target = Cell;

    fn deref(&self) -> &Cell {
        &self.cell
    }
}

/// Lets the cell offer direct connections: by the listener that it has, or by one on this host, as the reference does.
async fn offer(endpoint: &Endpoint) -> Result<(), StartError> {
    let listener = || {
        let connectors = endpoint.backbone().connectors();
        connectors.into_iter().find(|info| info.purpose == ConnectorUse::ExternalListener).map(|info| info.url)
    };
    let mut url = listener();
    if url.is_none() {
        let planned = Planned { purpose: ConnectorUse::ExternalListener, url: ADHOC_URL.to_owned(), security: None };
        endpoint.backbone().start(endpoint, planned).await?;
        url = listener();
    }
    endpoint.drive(|core, _| core.node.exchange_mut().set_offered_url(url));
    Ok(())
}

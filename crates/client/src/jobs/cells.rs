//! Where the cells of jobs meet the root cell of their site: in this process, out of reach for others.

use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, CellBuilder, StartError};
use fedcell_cell_proto::address::{Fqcn, FqcnError};

/// A listener of the root cell within this process, and the jobs' cells that dial it.
#[derive(Debug, Clone)]
pub struct JobCells {
    network: MemoryNetwork,
    url: String,
}

/// The cell of a job cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobCellError {
    /// The id of the job makes no address. The server's fault.
    #[error("the id of the job makes no address")]
    Name(#[from] FqcnError),
    /// The cell itself.
    #[error("the cell of the job cannot be started")]
    Start(#[from] StartError),
}

impl JobCells {
    /// Cells below the site of this name. `network` may be shared with others.
    #[must_use]
    pub fn new(network: MemoryNetwork, site: &str) -> Self {
        Self { network, url: format!("memory://jobs-of-{site}") }
    }

    /// Has the root cell that is being built listen for them.
    pub fn listen(&self, root: CellBuilder) -> CellBuilder {
        root.memory(self.network.clone()).listen_internal(&self.url)
    }

    /// Starts the cell of a job below this root cell.
    ///
    /// # Errors
    ///
    /// [`JobCellError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what has been started.
    pub async fn start(&self, root: Fqcn<'_>, job: &str) -> Result<Cell, JobCellError> {
        let address = root.child(job)?;
        let builder = Cell::builder(address.as_str()).security(SecurityMode::Clear).memory(self.network.clone());
        Ok(builder.parent_url(&self.url).start().await?)
    }
}

//! Commands that every cell passes on to the cells below it before it answers.

use core::time::Duration;

use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::request::Body;
use fedcell_protocol_defs::cell::{NetChannel, NetTopic};

use crate::cell::Cell;
use crate::error::RequestError;
use crate::request::Response;

/// How long the leaves may take; cells nearer to the root wait longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the server waits longer than its sites do.
const SERVER_MARGIN: Duration = Duration::from_millis(100);

/// The neighbours below a cell: its children, and for the server the sites. Sessions of administrators do not count.
pub(super) fn below(cell: &Cell) -> Vec<FqcnBuf> {
    let me = cell.address();
    let is_below = |peer: Fqcn<'_>| {
        !peer.is_admin_session() && (me.is_parent_of(peer) || me.is_server() && peer.is_root() && !peer.is_on_server())
    };
    let mut names = cell.peers();
    names.retain(|peer| is_below(peer.as_fqcn()));
    names.sort();
    names
}

/// Asks all cells below, and waits less the deeper this cell is, so that the answers still count above.
pub(super) async fn ask(
    cell: &Cell,
    topic: NetTopic<'_>,
    body: Body,
) -> Vec<(FqcnBuf, Result<Response, RequestError>)> {
    let me = cell.address();
    let patience = if me.is_server() {
        PATIENCE + SERVER_MARGIN
    } else {
        PATIENCE.div_f64(u32::try_from(me.generation()).map_or(1.0, f64::from))
    };
    let draft = cell.broadcast(below(cell), NetChannel::NET_MANAGER, topic).direct().body(body).timeout(patience);
    draft.send().await.unwrap_or_else(|error| {
        tracing::debug!(%error, "the cells below could not be asked");
        Vec::new()
    })
}

/// Tells all cells below.
pub(super) async fn tell(cell: &Cell, topic: NetTopic<'_>, body: Body) {
    let draft = cell.fire_all(below(cell), NetChannel::NET_MANAGER, topic).direct().body(body);
    if let Err(error) = draft.send().await {
        tracing::debug!(%error, "not all cells below were told");
    }
}

/// The return code by which the answer of a cell below counts as none.
pub(super) fn success(outcome: Result<Response, RequestError>) -> Result<Response, String> {
    match outcome.and_then(Response::success) {
        Ok(response) => Ok(response),
        Err(error) => Err(error.return_code().as_str().to_owned()),
    }
}

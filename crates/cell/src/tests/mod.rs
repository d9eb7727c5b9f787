//! Whole cells of one process, in memory and over loopback.

#[cfg(unix)]
mod descriptors;
mod downloads;
mod exchange;
mod files;
mod floods;
mod hostile;
mod objects;
mod protected;
mod streams;
mod tree;

use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;

use crate::driver::MemoryNetwork;
use crate::security::SecurityMode;
use crate::{Cell, CellBuilder, ConnectorUse, Events, Request};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

fn address(text: &str) -> FqcnBuf {
    FqcnBuf::parse(text).unwrap()
}

/// A cell in the clear, in the memory network `network`.
fn builder(name: &str, network: &MemoryNetwork) -> CellBuilder {
    Cell::builder(name).security(SecurityMode::Clear).memory(network.clone())
}

/// Starts a cell of which everything is seen.
async fn watched(builder: CellBuilder) -> (Cell, Events) {
    let cell = builder.build().unwrap();
    let events = cell.events();
    (cell.start().await.unwrap(), events)
}

async fn echo(request: Request) -> fedcell_cell_proto::request::Body {
    request.body()
}

/// The URL of the first listener for that purpose.
fn url_of(cell: &Cell, purpose: &ConnectorUse) -> String {
    cell.connectors().into_iter().find(|info| info.purpose == *purpose).unwrap().url
}

/// A server on a free port, in the clear, that echoes.
async fn server() -> Cell {
    let server = Cell::builder("server").security(SecurityMode::Clear).root_url("tcp://127.0.0.1:0").build().unwrap();
    server.handle("test", "echo", echo);
    server.start().await.unwrap()
}

/// A site of that server, connected.
async fn site(name: &str, server: &Cell) -> Cell {
    let url = url_of(server, &ConnectorUse::ExternalListener);
    let site = Cell::builder(name).security(SecurityMode::Clear).root_url(url).start().await.unwrap();
    tokio::time::timeout(PATIENCE, site.ready()).await.expect("the site does not reach its server");
    site.handle("test", "echo", echo);
    site
}

/// A relay below that server and a child below the relay, connected: `relay-1` and `relay-1.site-2`.
async fn relay_and_child(server: &Cell) -> (Cell, Cell) {
    let relay = Cell::builder("relay-1")
        .security(SecurityMode::Clear)
        .root_url(url_of(server, &ConnectorUse::ExternalListener))
        .listen_internal("tcp://127.0.0.1:0")
        .start()
        .await
        .unwrap();
    relay.ready().await;
    let url = url_of(&relay, &ConnectorUse::InternalListener);
    let child = Cell::builder("relay-1.site-2").security(SecurityMode::Clear).parent_url(url).backbone_generation(1);
    let child = child.start().await.unwrap();
    child.ready().await;
    (relay, child)
}

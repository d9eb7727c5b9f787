//! Cells on tokio: drivers, TLS, connectors and listeners, and the asynchronous interface of a cell.

//! The protocol of cells without input or output: addresses, frames, links, routing, requests, streams, downloads.

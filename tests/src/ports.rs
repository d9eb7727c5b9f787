//! TCP ports for processes that are told where to listen.

use std::net::TcpListener;

use anyhow::{Result, bail};
use fedcell_netsim::SimRng;

/// Below the ports that a system gives to connections that go out: a port of a server that is away must not be given to a
/// site that looks for it, which would then be connected with itself.
const PORTS: core::ops::Range<usize> = 15_000..32_000;

/// Ports on which nobody listened a moment ago.
///
/// # Errors
///
/// If there are none.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut rng =
        SimRng::new(u64::from(std::process::id()) << 32 | u64::from(std::time::UNIX_EPOCH.elapsed()?.subsec_nanos()));
    // Held until all are found, so that they differ.
    let mut held = Vec::new();
    for _ in 0..1000 {
        if let Some(found) = held.first_chunk::<N>() {
            let mut ports = [0; N];
            for (port, listener) in ports.iter_mut().zip(found) {
                *port = TcpListener::local_addr(listener)?.port();
            }
            return Ok(ports);
        }
        let port = u16::try_from(PORTS.start + rng.below(PORTS.len()))?;
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    bail!("there are no free ports")
}

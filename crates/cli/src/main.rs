//! The `fedcell` binary: sites, relays, the coordinator, network tools and the demo, one command each.

fn main() {}

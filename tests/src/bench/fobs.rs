//! The payload codec against the reference.

/// Not there yet: fails so that nothing takes it for done.
///
/// # Errors
///
/// Always.
pub fn run(_: crate::Options) -> super::Outcome {
    anyhow::bail!("the codec's bench run is being written")
}

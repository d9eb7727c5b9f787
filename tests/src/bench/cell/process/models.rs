//! Models as they are received.

use fedcell_cell::Request;
use fedcell_fobs::Value;

/// The object of a request, with everything that it refers to.
///
/// # Errors
///
/// If it cannot be read, or what it refers to cannot be had.
pub async fn received(request: &Request) -> anyhow::Result<Value> {
    Ok(request.fetch().await?)
}

/// Bytes of the arrays and byte strings of a dictionary.
pub fn size(model: &Value) -> usize {
    let entries = model.as_map().into_iter().flat_map(|map| map.iter());
    let sizes = entries.map(|(_, value)| match value {
        Value::Array(array) => array.data().len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    });
    sizes.sum()
}

//! Conversions of arrays and values to what other crates hold them in; each behind a feature of its name.

#[cfg(feature = "serde")]
mod json;
#[cfg(feature = "ndarray")]
mod nd;
#[cfg(feature = "safetensors")]
mod tensors;

#[cfg(feature = "serde")]
pub use json::JsonView;
#[cfg(feature = "safetensors")]
pub use tensors::{TensorsError, from_safetensors, to_safetensors};

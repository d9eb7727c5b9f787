//! FOBS: how an object becomes bytes, and comes back as one.
//!
//! Every payload that is not raw bytes is one FOBS container: task data, results, contexts, registration replies,
//! admin messages. It is a row of sections. The first is the main body, one msgpack value; what is too large for it,
//! or lies elsewhere, follows as *datums*, each under an id of 16 bytes.
//!
//! ```text
//!  0        1      2                10
//!  ┌────────┬──────┬────────────────┬─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┐
//!  │100 main│ 0    │ size, u64 BE   │ msgpack of one object              │
//!  ├────────┼──────┼────────────────┼─ ─ ─ ─ ─ ─ ─ ─ ┬─ ─ ─ ─ ─ ─ ─ ─ ─ ─┤
//!  │101..103│ dot  │ size, u64 BE   │ datum id, 16 B │ value, size − 16 B │
//!  └────────┴──────┴────────────────┴─ ─ ─ ─ ─ ─ ─ ─ ┴─ ─ ─ ─ ─ ─ ─ ─ ─ ─┘
//! ```
//!
//! What msgpack itself cannot carry stands in the main body as an *envelope*, a map with the keys of [`EnvelopeKey`]:
//! the name of the type ([`TypeName`]), its reduced form, and the name of the *decomposer* that reduced it
//! ([`DecomposerName`]). A receiver chooses by the type's name; it never loads anything by name that it does not know.
//!
//! An array travels in one of two forms ([`ArrayForm`]). *Native*: its bytes stand in the envelope, or in a blob datum
//! if there are many. *Reference*: the envelope holds an item id, and a text datum, whose *datum object type*
//! ([`DatumObjectType`]) says so, tells from which cell the items of the message are to be downloaded.
//!
//! ```text
//!  sender                                                      receiver
//!    │  payload: main body with refs T0, T1; datum {fqcn, ref_id}  │
//!    ├────────────────────────────────────────────────────────────▶│
//!    │                        download ref_id from fqcn            │
//!    │◀────────────────────────────────────────────────────────────┤
//!    │                        T0, T1 as .npz items                 │
//!    ├────────────────────────────────────────────────────────────▶│
//! ```

mod decomposers;
mod dot;
mod keys;
mod layout;
mod types;

pub use decomposers::DecomposerName;
pub use dot::{DatumObjectType, DatumType};
pub use keys::{
    ArrayForm, ArrayKey, ClientField, ContextKey, ContextMask, DataClassKey, DatumField, DownloadRefKey, EnvelopeKey,
    MessageField, NpyKey, RunInfoField, RunSnapshotField, SignalField,
};
pub use layout::{
    ContextLayout, DxoLayout, FlModelLayout, NpyLayout, SectionLayout, SectionMarker, Thresholds, WorkspaceLayout,
};
pub use types::TypeName;

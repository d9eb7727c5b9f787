#![doc = include_str!("../README.md")]
#![no_std]

pub mod fobs;
pub mod frame;
pub mod registry;
mod table;

pub use registry::registry;

/// Every table of the crate; one that is missing here is found by `cargo xtask wire`.
const GROUPS: &[&registry::Group] = &[
    frame::FrameType::GROUP,
    frame::PrefixLayout::GROUP,
    fobs::SectionMarker::GROUP,
    fobs::SectionLayout::GROUP,
    fobs::Thresholds::GROUP,
    fobs::NpyLayout::GROUP,
    fobs::NpyKey::GROUP,
    fobs::EnvelopeKey::GROUP,
    fobs::DataClassKey::GROUP,
    fobs::ArrayKey::GROUP,
    fobs::ArrayForm::GROUP,
    fobs::DownloadRefKey::GROUP,
    fobs::DatumField::GROUP,
    fobs::DatumType::GROUP,
    fobs::DatumObjectType::GROUP,
    fobs::ContextLayout::GROUP,
    fobs::ContextKey::GROUP,
    fobs::ContextMask::GROUP,
    fobs::WorkspaceLayout::GROUP,
    fobs::DxoLayout::GROUP,
    fobs::FlModelLayout::GROUP,
    fobs::MessageField::GROUP,
    fobs::ClientField::GROUP,
    fobs::SignalField::GROUP,
    fobs::RunInfoField::GROUP,
    fobs::RunSnapshotField::GROUP,
    fobs::TypeName::GROUP,
    fobs::DecomposerName::GROUP,
];

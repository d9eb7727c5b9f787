#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod address;
pub mod download;
pub mod fobs;
pub mod frame;
pub mod registry;
pub mod stream;
mod table;

pub use registry::registry;

/// Every table of the crate; one that is missing here is found by `cargo xtask wire`.
const GROUPS: &[&registry::Group] = &[
    frame::FrameType::GROUP,
    frame::PrefixLayout::GROUP,
    frame::FrameFlag::GROUP,
    frame::AppId::GROUP,
    frame::HandshakeKey::GROUP,
    frame::FrameLimit::GROUP,
    frame::LinkDefault::GROUP,
    address::AddressSyntax::GROUP,
    address::ReservedSegment::GROUP,
    address::ReservedPrefix::GROUP,
    address::SegmentSyntax::GROUP,
    stream::Channel::GROUP,
    stream::Topic::GROUP,
    stream::Syntax::GROUP,
    stream::HeaderKey::GROUP,
    stream::DataType::GROUP,
    stream::ErrorType::GROUP,
    stream::Default::GROUP,
    stream::Limit::GROUP,
    download::Channel::GROUP,
    download::Topic::GROUP,
    download::BodyKey::GROUP,
    download::ProduceStatus::GROUP,
    download::ConfirmStatus::GROUP,
    download::SourceFailureKey::GROUP,
    download::ArrayStateKey::GROUP,
    download::FileStateKey::GROUP,
    download::IdPrefix::GROUP,
    download::Setting::GROUP,
    download::SettingPrefix::GROUP,
    download::ArchiveSyntax::GROUP,
    download::Default::GROUP,
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

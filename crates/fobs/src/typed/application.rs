//! The application of a job, and how it is handed to a site.

use bytes::Bytes;
use fedcell_protocol_defs::federation::AdminHeader;

use super::AdminMessage;
use crate::{Blob, Value};

/// The application of a job, as sites of the reference unpack it. Believed by nobody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// Its name within the job.
    pub name: String,
    /// Zip archive of its folder, with `config/config_fed_client.json`.
    pub archive: Bytes,
}

impl Application {
    /// An application of this name.
    #[must_use]
    pub fn new(name: impl Into<String>, archive: impl Into<Bytes>) -> Self {
        Self { name: name.into(), archive: archive.into() }
    }

    /// What the message in which a server deploys it carries; none if that is no archive.
    #[must_use]
    pub fn deployed(message: &AdminMessage) -> Option<Self> {
        let name = message.headers.get(AdminHeader::APP_NAME.as_str()).and_then(Value::as_str);
        Some(Self::new(name.unwrap_or_default(), message.body.as_blob().map(Blob::to_bytes)?))
    }

    /// Puts it into the message by which it is deployed.
    pub fn deploy(&self, message: &mut AdminMessage) {
        message.headers.insert(AdminHeader::APP_NAME.as_str(), self.name.as_str());
        message.body = Value::Bytes(self.archive.clone().into());
    }
}

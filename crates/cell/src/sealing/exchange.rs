//! The exchange of certificates before the first sealed payload between two cells.

use core::time::Duration;

use bytes::Bytes;
use fedcell_auth::identity::VerifiedCertificate;
use fedcell_auth::{CommonName, UnixTime};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::request::Reply;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{CertChannel, CertKey, CertTopic, ReturnCode};

use super::Desk;
use crate::cell::Cell;
use crate::endpoint::Endpoint;
use crate::handler::{HandlerError, Request, fobs_body};

/// How long the other cell may take to send its certificate.
const PATIENCE: Duration = Duration::from_secs(10);

impl Desk {
    /// The verified certificate of a cell; asks for it if it is not known.
    pub(super) async fn certificate_of(
        &self,
        endpoint: &Endpoint,
        cell: &FqcnBuf,
    ) -> Result<VerifiedCertificate, String> {
        if let Some(known) = self.certificates.of(endpoint.now(), cell.as_str()) {
            return Ok(known);
        }
        let response = Cell::of(endpoint.clone())
            .request(cell, CertChannel::CREDENTIAL_MANAGER, CertTopic::KEY_EXCHANGE)
            .value(&self.offered())
            .timeout(PATIENCE)
            .send()
            .await
            .and_then(crate::Response::success)
            .map_err(|error| format!("its certificate could not be had: {error}"))?;
        let told = response.value().map_err(|error| format!("it answered with no certificate: {error}"))?;
        if let Some(reason) = told.as_map().and_then(|map| map.get(CertKey::CERT_ERROR.as_str())) {
            return Err(format!("it has no certificate: {}", reason.as_str().unwrap_or_default()));
        }
        self.accept(endpoint.now(), cell.as_fqcn(), &told)
    }

    /// What this cell tells others.
    fn offered(&self) -> Value {
        let blob = |bytes: &[u8]| Value::Bytes(Bytes::copy_from_slice(bytes).into());
        Value::Map(Map::from([
            (CertKey::CERT_CONTENT.as_str(), blob(&self.offer.certificate)),
            (CertKey::CERT_CA_CONTENT.as_str(), blob(&self.offer.root)),
        ]))
    }

    /// Takes the certificate of a cell, if it is the one that this cell must have.
    fn accept(&self, now: UnixTime, cell: Fqcn<'_>, told: &Value) -> Result<VerifiedCertificate, String> {
        let blob = told.as_map().and_then(|map| map.get(CertKey::CERT_CONTENT.as_str())?.as_blob());
        let certificate = blob.ok_or("it sent no certificate")?;
        let expected = CommonName::parse(self.identities.required(cell)).map_err(|bad| bad.to_string())?;
        self.certificates
            .accept(now, cell.as_str(), &expected, &certificate.to_bytes())
            .map_err(|error| error.to_string())
    }
}

/// Answers the exchange: takes the certificate of whoever asks and gives this cell's.
pub(crate) async fn answer(request: Request) -> Result<Reply, HandlerError> {
    let endpoint = request.cell().endpoint();
    let Some(desk) = &endpoint.sealing().desk else {
        let text = format!("Target {} is not running in secure mode", endpoint.address());
        let told = Value::Map(Map::from([(CertKey::CERT_ERROR.as_str(), text)]));
        return Ok(Reply::ok(fobs_body(&told)?));
    };
    if let Err(problem) = desk.accept(endpoint.now(), request.origin(), &request.value()?) {
        tracing::warn!(origin = %request.origin(), %problem, "refused a certificate");
        return Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, ""));
    }
    Ok(Reply::ok(fobs_body(&desk.offered())?))
}

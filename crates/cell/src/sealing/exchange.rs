//! The exchange of certificates before the first sealed payload between two cells.

use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::cause::with_causes;
use fedcell_cell_proto::request::Reply;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{CertChannel, CertKey, CertTopic};

use super::Desk;
use crate::cell::Cell;
use crate::endpoint::Endpoint;
use crate::handler::{HandlerError, Request, fobs_body};

/// How long the other cell may take to send its certificate.
const PATIENCE: Duration = Duration::from_secs(10);

impl Desk {
    /// Asks a cell for its certificate and gives it ours.
    pub(super) async fn ask(&self, endpoint: &Endpoint, cell: &FqcnBuf) -> Result<(), String> {
        let response = Cell::of(endpoint.clone())
            .request(cell, CertChannel::CREDENTIAL_MANAGER, CertTopic::KEY_EXCHANGE)
            .direct()
            .body(self.sealing.exchange_request().body)
            .timeout(PATIENCE)
            .send()
            .await
            .map_err(|error| with_causes(&error))?;
        let accepted = self.sealing.accept_exchange(endpoint.now(), &self.identities, &response.into_message());
        accepted.map(drop).map_err(|error| with_causes(&error))
    }
}

/// Answers the exchange: takes the certificate of whoever asks and gives this cell's.
pub(crate) async fn answer(request: Request) -> Result<Reply, HandlerError> {
    let endpoint = request.cell().endpoint();
    if let Some(desk) = &endpoint.sealing().desk {
        return Ok(desk.sealing.answer_exchange(endpoint.now(), &desk.identities, request.message()));
    }
    let text = format!("Target {} is not running in secure mode", endpoint.address());
    Ok(Reply::ok(fobs_body(&Value::Map(Map::from([(CertKey::CERT_ERROR.as_str(), text)])))?))
}

//! What a node is told to ask other cells about themselves.

use anyhow::Result;
use fedcell_cell::Cell;
use fedcell_cell::proto::address::FqcnBuf;
use fedcell_fobs::convert::JsonView;
use fedcell_protocol_defs::cell::{NetTopic, ReturnCode};
use serde_json::{Value, json};

use super::commands::LIMIT;
use super::payload;
use crate::remote::{limit, text};

/// Asks a cell one of the in-band network commands; its answer as it came.
pub(super) async fn net(cell: &Cell, command: &Value) -> Result<Value> {
    let target = FqcnBuf::parse(text(command, "target")?)?;
    let body = command.get("body").filter(|body| !body.is_null()).map(payload::to_fobs).transpose()?;
    let network = cell.network().patience(limit(command, LIMIT));
    Ok(match network.command(&target, NetTopic::new(text(command, "topic")?), body.as_ref()).await {
        // Large enough for the tables and lists of any command.
        Ok(answer) => json!({"code": ReturnCode::OK.as_str(), "answer": JsonView::new(&answer).showing(10_000)}),
        Err(error) => json!({"code": error.return_code().as_str(), "problem": error.to_string()}),
    })
}

/// Sends all cells below to another server.
pub(super) async fn change_root(cell: &Cell, command: &Value) -> Result<Value> {
    cell.network().change_root(text(command, "url")?).await?;
    Ok(json!({}))
}

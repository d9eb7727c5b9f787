//! Our clients one after the other, each with a cell and a connection of its own: the role `sequence`.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use fedcell_auth::CommonName;
use fedcell_auth::challenge::ClientParty;
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell::Cell;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_client::communicator::{Communicator, Config};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::remote::{obey_in_turn, put, text};

/// Runs until the input ends or it is told to stop.
pub(super) async fn live(config: &Value, lines: mpsc::UnboundedReceiver<Value>) -> Result<()> {
    put(&json!({"event": "ready", "pid": std::process::id()}));
    obey_in_turn(lines, async |command| obey(config, command).await).await;
    Ok(())
}

async fn obey(config: &Value, command: &Value) -> Result<Value> {
    Ok(match text(command, "do")? {
        "registrations" => {
            let mut seconds = Vec::new();
            for name in command["names"].as_array().context("no names")? {
                let started = Instant::now();
                let (cell, _) = joined(config, name.as_str().context("a name is a text")?).await?;
                seconds.push(started.elapsed().as_secs_f64());
                cell.shutdown().await;
            }
            json!({"seconds": seconds})
        }
        "heartbeats" => {
            let (cell, communicator) = joined(config, text(command, "name")?).await?;
            let count = command["count"].as_u64().context("no count")?;
            // In a task, as an application's are, and not on the thread that waits for the runtime.
            let beating = tokio::spawn(async move {
                for _ in 0..20 {
                    communicator.send_heartbeat(&[]).await?;
                }
                let started = Instant::now();
                for _ in 0..count {
                    communicator.send_heartbeat(&[]).await?;
                }
                anyhow::Ok(started.elapsed().as_secs_f64())
            });
            let seconds = beating.await??;
            cell.shutdown().await;
            json!({"seconds": seconds, "done": count})
        }
        other => bail!("no command {other:?}"),
    })
}

/// A client that has registered.
pub(super) async fn joined(config: &Value, name: &str) -> Result<(Cell, Communicator)> {
    let kit = Path::new(text(config, "crowd")?).join(name);
    let server = text(config, "identity")?;
    let builder = Cell::builder(name).root_url(text(config, "url")?).security(SecurityMode::Mtls);
    let builder = builder.credentials(Credentials::from_kit(&kit)?).identity("server", server);
    let cell = builder.start().await?;
    let pair = Identity::load(&kit.join("client.crt"), &kit.join("client.key"))?;
    let root = ProjectRoot::load(&kit.join("rootCA.pem"))?;
    let party = ClientParty::new(Arc::new(pair), root, CommonName::parse(server)?)?;
    let mut settings = Config::new(CommonName::parse(name)?, text(config, "project")?).with_party(party);
    settings.register_interval = Duration::from_millis(10);
    let communicator = Communicator::new(settings);
    communicator.set_cell(cell.clone());
    cell.ready().await;
    communicator.register(&CancellationToken::new()).await?;
    Ok((cell, communicator))
}

//! `--metrics`: what a process that runs for long tells whoever watches it, over HTTP on this machine.
//!
//! ```text
//!   GET /metrics   what is counted, as Prometheus reads it
//!   GET /livez     200 while the process answers
//!   GET /readyz    200 while it does its work, 503 and the reason while it does not
//! ```

mod http;

use core::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::net::TcpListener;

use self::http::{Reply, Status};
use crate::exit::{Failure, Kind};
use crate::print;

const METRICS: &str = "metrics";
const EXPOSED: &str = "metrics-exposed";

/// The options.
pub(crate) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new(METRICS)
                .long(METRICS)
                .value_name("ADDRESS:PORT")
                .value_parser(value_parser!(SocketAddr))
                .help("Serve /metrics, /livez and /readyz here over HTTP, as 127.0.0.1:9464; port 0 is any free port"),
        )
        .arg(
            Arg::new(EXPOSED)
                .long(EXPOSED)
                .action(ArgAction::SetTrue)
                .requires(METRICS)
                .help("Let --metrics be an address that other machines can reach; nothing protects it there"),
        )
}

/// Whether the process does its work: why not, if it does not.
type Readiness = dyn Fn() -> Result<(), &'static str> + Send + Sync;

/// What answers, for as long as the process runs.
pub(crate) struct Probes {
    shared: Arc<Shared>,
}

struct Shared {
    recorder: Option<PrometheusHandle>,
    readiness: OnceLock<Box<Readiness>>,
}

impl Probes {
    /// Listens, if the command line says so, and prints where. To be called before there is a cell, whose numbers are
    /// counted from here on.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the address is one that others can reach, or cannot be listened on.
    pub(crate) async fn start(arguments: &ArgMatches) -> Result<Self, Failure> {
        let Some(address) = arguments.get_one::<SocketAddr>(METRICS).copied() else {
            return Ok(Self { shared: Arc::new(Shared { recorder: None, readiness: OnceLock::new() }) });
        };
        if !address.ip().to_canonical().is_loopback() && !arguments.get_flag(EXPOSED) {
            let text = format!(
                "--metrics {address}: other machines can reach this address, and nothing protects what is served there; \
                 take one as 127.0.0.1:{}, or add --{EXPOSED}",
                address.port()
            );
            return Err(Failure::text(Kind::Configuration, text));
        }
        let unusable = |error: std::io::Error| {
            Failure::new(Kind::Configuration, error)
                .context(format!("cannot listen on {address} for --metrics"))
                .advice("stop what listens there, or take another port or address")
        };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let bound = listener.local_addr().map_err(unusable)?;
        let recorder = PrometheusBuilder::new().install_recorder().map_err(Failure::local)?;
        for metric in
            [fedcell_cell::metrics::METRICS, fedcell_client::metrics::METRICS, fedcell_server::metrics::METRICS]
                .concat()
        {
            metric.describe();
        }
        let shared = Arc::new(Shared { recorder: Some(recorder), readiness: OnceLock::new() });
        let answering = Arc::clone(&shared);
        tokio::spawn(http::serve(listener, move |path| answering.answer(path)));
        print::json(&json!({"event": "metrics", "url": format!("http://{bound}/metrics")}))?;
        Ok(Self { shared })
    }

    /// Says how to find out whether the process does its work; until then it does not.
    pub(crate) fn watch(&self, readiness: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static) {
        // It is said once.
        _ = self.shared.readiness.set(Box::new(readiness));
    }
}

impl Shared {
    fn answer(&self, path: &str) -> Reply {
        match path {
            "/metrics" => Reply {
                status: Status::Fine,
                body: self.recorder.as_ref().map(PrometheusHandle::render).unwrap_or_default(),
            },
            "/livez" => Reply::line(Status::Fine, "alive"),
            "/readyz" => match self.readiness.get().map_or(Err("it is starting"), |readiness| readiness()) {
                Ok(()) => Reply::line(Status::Fine, "ready"),
                Err(reason) => Reply::line(Status::NotReady, &format!("not ready: {reason}")),
            },
            _ => Reply::line(Status::Unknown, "there are /metrics, /livez and /readyz"),
        }
    }
}

//! Logs, traces and metrics of a process.
//!
//! Logs go to standard error: one JSON object per line, or text for people on a terminal (`LOG_FORMAT=json|text`,
//! `RUST_LOG` as usual, `info,lapin=off` by default). Traces go to `OTEL_EXPORTER_OTLP_ENDPOINT` over HTTP when that is set; with or
//! without it every webhook gets a W3C trace context ([`traceparent_of`]) that its jobs carry on.
//! Metrics are read from [`metrics::render`].

mod json;
pub mod metrics;
mod trace;

use std::io::IsTerminal;

use anyhow::{Context, bail};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use trace::{current_traceparent, set_parent, trace_id, traceparent_of};

use crate::env::Env;

/// What has to be flushed before the process ends.
#[must_use = "traces are lost unless it is flushed at the end"]
pub struct Telemetry(Option<trace::Exporter>);

/// Sets up logs, traces and metrics of this process, once. `service` names it in all three.
///
/// # Errors
/// When a setting cannot be used, or a second call is made.
pub fn init(service: &'static str, env: &Env) -> anyhow::Result<Telemetry> {
    // lapin calls a queue that is not there yet, and a broker that restarts, errors; our own lines say what matters of it.
    let filter = env.var("RUST_LOG").unwrap_or("info,lapin=off");
    let filter = filter.parse::<EnvFilter>().context("RUST_LOG cannot be used")?;
    let exporter = trace::Exporter::from_env(service, env)?;
    let traces = exporter.as_ref().map(trace::Exporter::layer);
    let logs = logs(service, env)?.with_filter(filter);
    tracing_subscriber::registry().with(logs).with(traces).try_init().context("telemetry is set up already")?;
    metrics::install();
    Ok(Telemetry(exporter))
}

impl Telemetry {
    /// Sends what is left. Blocks for as long as the collector takes, five seconds at most.
    pub fn flush(self) {
        if let Some(exporter) = self.0 {
            exporter.flush();
        }
    }
}

fn logs(service: &'static str, env: &Env) -> anyhow::Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let terminal = std::io::stderr().is_terminal();
    match env.var("LOG_FORMAT").unwrap_or(if terminal { "text" } else { "json" }) {
        "json" => Ok(json::layer(service).boxed()),
        "text" => Ok(fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false).boxed()),
        _ => bail!("LOG_FORMAT cannot be used: expected json or text"),
    }
}

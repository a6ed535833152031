//! The command line of `sandbox`, and when it ends.

use std::{net::SocketAddr, num::NonZeroU64};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Parser;

/// Simulates the services outside of Tapedeck over HTTP: CloudTalk, OpenAI (speech and chat), GoHighLevel, Callmind…
///
/// Nothing is real and nothing leaves this machine. GET / lists the base URLs to configure and the routes under
/// /control that place calls, make requests go wrong, and show what the vendors were told.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Address to listen on; port 0 takes any free one.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:9100")]
    pub listen: SocketAddr,

    /// Origin under which others reach it, if that is not the address above.
    #[arg(long, env = "SANDBOX_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Where ids of calls, recordings and contacts begin; unset: at another place with every start.
    #[arg(long, env = "SANDBOX_FIRST_ID", value_name = "NUMBER", default_value_t = of_this_start(), hide_default_value = true)]
    pub first_id: NonZeroU64,
}

const EXAMPLES: &str = r#"Examples:
  Place a call at a service on port 3000:
    curl -s localhost:9100/control/calls -H 'content-type: application/json' -d '{
      "webhook_base": "http://127.0.0.1:3000", "secret": "…", "sample": "billing" }'

  Let the next three notes fail with 429:
    curl -s localhost:9100/control/faults -H 'content-type: application/json' -d '{
      "vendor": "ghl", "method": "POST", "path_contains": "notes", "times": 3,
      "fault": {"kind": "status", "status": 429, "retry_after": 2} }'

  See what GoHighLevel was asked:
    curl -s 'localhost:9100/control/ledger?vendor=ghl'"#;

/// Tenths of a second since 2026, so that no sandbox places the calls of the one before it.
fn of_this_start() -> NonZeroU64 {
    let began = DateTime::<Utc>::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    let tenths = (Utc::now() - began).num_milliseconds() / 100;
    u64::try_from(tenths).ok().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN)
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
pub async fn stopped() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => {}
            interrupt = tokio::signal::ctrl_c() => interrupt.context("cannot wait for Ctrl-C")?,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_where_no_earlier_start_did_unless_somebody_says_where() {
        let first = |arguments: &[&str]| Arguments::parse_from(arguments).first_id.get();
        assert!(first(&["sandbox"]) > 250_000_000, "tenths of a second since 2026");
        assert_eq!(first(&["sandbox", "--first-id", "7"]), 7);
    }
}

//! Stops and starts the servers that `deploy/dev/services.sh` runs for us.

use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use anyhow::{Context, bail};
use shared::env::Env;
use tokio::process::Command;

/// A start of RabbitMQ on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(150);
/// How the script says that a server is not ours to stop.
const NOT_OURS: i32 = 3;

/// A server that can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL.
    Postgres,
    /// RabbitMQ.
    RabbitMq,
}

impl Server {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::RabbitMq];

    /// The name that the script has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// Whether it is ours to stop.
    ///
    /// # Errors
    /// When the script cannot be run.
    pub async fn is_ours(self) -> anyhow::Result<bool> {
        let Some(ctl) = ctl()? else { return Ok(false) };
        Ok(self.run(&ctl, "status").await?.status.code() != Some(NOT_OURS))
    }

    /// `start`, `stop`, `restart`, `kill`, `wipe`; returns once it is done.
    ///
    /// # Errors
    /// When it fails, with what the script said.
    pub async fn ctl(self, verb: &str) -> anyhow::Result<()> {
        let ctl = ctl()?.context("TEST_SERVICES is not set")?;
        let output = self.run(&ctl, verb).await?;
        if !output.status.success() {
            bail!("{} {verb}: {}", self.as_str(), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    async fn run(self, ctl: &Path, verb: &str) -> anyhow::Result<Output> {
        let output = Command::new(ctl).args([self.as_str(), verb]).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        output.with_context(|| format!("{} {verb} takes too long", self.as_str()))?.context("cannot run services.sh")
    }
}

/// The script for the servers that this process was given, and for no others.
fn ctl() -> anyhow::Result<Option<PathBuf>> {
    let env = Env::from_process()?;
    Ok(env.var("TEST_SERVICES").map(|directory| Path::new(directory).join("ctl")))
}

//! One process of the real program. It is killed when dropped, so that none outlives a proof that fails.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use shared::env::Env;
use tokio::process::{Child, Command};

/// A running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// The program beside the one that runs now, as Cargo builds them.
///
/// # Errors
/// When it is not there.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.is_file() {
        bail!("{} is not there: build it first", path.display());
    }
    Ok(path)
}

impl Process {
    /// Starts `program` with these settings and no others, writing what it says to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, arguments: &[&str], env: &Env, log: PathBuf) -> anyhow::Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            // No .env file of the working tree gets in.
            .current_dir(log.parent().unwrap_or(Path::new("/")))
            .env_clear()
            .envs(env.vars())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, log })
    }

    /// Its process id; `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where it writes what it says.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL; returns once it is gone.
    ///
    /// # Errors
    /// When it had ended already.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if !self.runs() {
            bail!("it had ended before it was killed");
        }
        self.child.kill().await.context("cannot kill it")
    }

    /// SIGTERM; returns how it ended.
    ///
    /// # Errors
    /// When it does not end within `patience`.
    pub async fn terminate(mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let Some(pid) = self.child.id() else { bail!("it had ended before it was asked to") };
        let signal = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()]).status().await?;
        if !signal.success() {
            bail!("SIGTERM could not be sent");
        }
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(ended) => Ok(ended?),
            Err(_) => bail!("still running {} s after SIGTERM", patience.as_secs()),
        }
    }
}

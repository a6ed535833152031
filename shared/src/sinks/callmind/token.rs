//! Where the bearer token comes from. Callmind's are those of a person's session and live for about a minute (facts:
//! crm_ai §4, gap 3), so one may have to be fetched again: from a file that something else keeps fresh, or from a command.

use std::{path::PathBuf, process::Stdio, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{process::Command, sync::Mutex};

use crate::{
    env::{Env, EnvError},
    http::ClientError,
};

/// The settings, of which one is set.
const SETTINGS: [&str; 3] = ["CALLMIND_TOKEN", "CALLMIND_TOKEN_FILE", "CALLMIND_TOKEN_COMMAND"];
/// A command that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// The token in use. Jobs that find it expired at the same moment fetch one new token between them.
pub(super) struct Tokens {
    source: Source,
    kept: Mutex<Option<SecretString>>,
}

enum Source {
    /// The setting itself: there is no other.
    Fixed(SecretString),
    /// The content of this file.
    File(PathBuf),
    /// What this command prints.
    Command(String),
}

impl Tokens {
    /// Reads `CALLMIND_TOKEN`, `CALLMIND_TOKEN_FILE` and `CALLMIND_TOKEN_COMMAND`, of which one is set.
    pub(super) fn from_env(env: &Env) -> Result<Self, EnvError> {
        let [token, file, command] = SETTINGS.map(|name| env.var(name));
        let source = match (token, file, command) {
            (Some(token), None, None) => Source::Fixed(token.into()),
            (None, Some(path), None) => Source::File(path.into()),
            (None, None, Some(command)) => Source::Command(command.to_owned()),
            (None, None, None) => return Err(EnvError::Missing(SETTINGS.join(" or "))),
            _ => {
                let why = format!("more than one of {} is set", SETTINGS.join(", "));
                return Err(EnvError::Invalid { name: SETTINGS[0].to_owned(), why });
            }
        };
        Ok(Self { source, kept: Mutex::new(None) })
    }

    /// The token to send.
    pub(super) async fn current(&self) -> Result<SecretString, ClientError> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = &*kept {
            return Ok(token.clone());
        }
        let token = self.source.fetch().await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Another token than the one that was refused, if there can be one: the one that another job fetched meanwhile, or a
    /// new one.
    pub(super) async fn instead_of(&self, refused: &SecretString) -> Result<Option<SecretString>, ClientError> {
        if matches!(self.source, Source::Fixed(_)) {
            return Ok(None);
        }
        let mut kept = self.kept.lock().await;
        match &*kept {
            Some(token) if !same(token, refused) => return Ok(Some(token.clone())),
            _ => *kept = None,
        }
        let token = self.source.fetch().await?;
        if same(&token, refused) {
            return Err(ClientError::no_credentials(super::NAME, "refuses the token, and there is no newer one"));
        }
        *kept = Some(token.clone());
        Ok(Some(token))
    }
}

impl Source {
    async fn fetch(&self) -> Result<SecretString, ClientError> {
        let text = match self {
            Self::Fixed(token) => return Ok(token.clone()),
            Self::File(path) => tokio::fs::read(path).await.map_err(|e| missing(&format!("file: {}", e.kind())))?,
            Self::Command(command) => run(command).await?,
        };
        let text = str::from_utf8(&text).unwrap_or_default().trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(missing("source holds none"));
        }
        Ok(text.into())
    }
}

/// What the command prints. What it says on standard error is nobody's: it may hold the secrets that it uses.
async fn run(command: &str) -> Result<Vec<u8>, ClientError> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, shell.output()).await;
    let output = ended.map_err(|_| missing("command did not end in time"))?;
    let output = output.map_err(|e| missing(&format!("command cannot be run: {}", e.kind())))?;
    match output.status.code() {
        Some(0) => Ok(output.stdout),
        Some(code) => Err(missing(&format!("command ended with {code}"))),
        None => Err(missing("command was killed")),
    }
}

fn missing(why: &str) -> ClientError {
    ClientError::no_credentials(super::NAME, &format!("cannot be asked without a token; its {why}"))
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    a.expose_secret() == b.expose_secret()
}

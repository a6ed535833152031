//! The settings of speech: `TRANSCRIBE_…`, and `OPENAI_…` for what speech and model share.

use std::time::Duration;

use crate::{
    env::{Env, EnvError},
    http::openai::Server,
};

/// At OpenAI: it stays. `whisper-1`, which gives times, goes on 2027-02-26 (facts, crm_ai §2.1).
const OPENAIS_MODEL: &str = "gpt-transcribe";
/// At any other server: most take it for the one that they have.
const USUAL_MODEL: &str = "whisper-1";
/// OpenAI's path. whisper.cpp's server has `/inference` unless told otherwise.
const DEFAULT_PATH: &str = "/audio/transcriptions";
/// A slow machine takes as long as the audio, and pieces are two minutes long; it may have a few of them to do.
const DEFAULT_TIMEOUT_SECONDS: u64 = 600;
const DEFAULT_PARALLEL: usize = 4;

/// How to reach and ask the server.
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) path: String,
    pub(super) model: String,
    /// For recordings that hold both sides in one channel, where that is another.
    pub(super) mono_model: Option<String>,
    /// Requests at a time for one call.
    pub(super) parallel: usize,
    /// Longest wait for one reply.
    pub(super) timeout: Duration,
}

impl Settings {
    /// `None` when neither a key nor another server than OpenAI's is configured.
    pub(super) fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        let Some(server) = Server::from_env(env, "TRANSCRIBE")? else { return Ok(None) };
        let text = |name: &str| env.var(name).map(str::to_owned);
        let usual = if server.is_openais() { OPENAIS_MODEL } else { USUAL_MODEL };
        Ok(Some(Self {
            server,
            path: format!("/{}", env.var("TRANSCRIBE_PATH").unwrap_or(DEFAULT_PATH).trim_start_matches('/')),
            model: text("TRANSCRIBE_MODEL").unwrap_or_else(|| usual.to_owned()),
            mono_model: text("TRANSCRIBE_MONO_MODEL"),
            parallel: env.parsed("TRANSCRIBE_PARALLEL", DEFAULT_PARALLEL)?.max(1),
            timeout: Duration::from_secs(env.parsed("TRANSCRIBE_TIMEOUT_SECONDS", DEFAULT_TIMEOUT_SECONDS)?),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Option<Settings> {
        Settings::from_env(&Env::from_pairs(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn a_model_alone_is_no_server_and_the_path_is_the_servers() {
        assert!(settings(&[("TRANSCRIBE_MODEL", "whisper-1")]).is_none());
        let own = settings(&[("TRANSCRIBE_BASE_URL", "http://own"), ("TRANSCRIBE_PATH", "inference")]).unwrap();
        assert_eq!((own.path.as_str(), own.model.as_str()), ("/inference", "whisper-1"));
        assert_eq!(settings(&[("OPENAI_API_KEY", "key")]).unwrap().model, "gpt-transcribe");
    }
}

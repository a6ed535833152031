//! The settings of speech: `TRANSCRIBE_…`, and `OPENAI_…` for what speech and model share.

use std::time::Duration;

use secrecy::SecretString;

use crate::env::{Env, EnvError};

/// OpenAI's own server.
const OPENAI: &str = "https://api.openai.com/v1";
/// Gives times; until 2027-02-26 (facts, crm_ai §2.1).
const DEFAULT_MODEL: &str = "whisper-1";
/// OpenAI's path. whisper.cpp's server has `/inference` unless told otherwise.
const DEFAULT_PATH: &str = "/audio/transcriptions";
/// A slow machine takes as long as the audio, and pieces are two minutes long; it may have a few of them to do.
const DEFAULT_TIMEOUT_SECONDS: u64 = 600;
const DEFAULT_PARALLEL: usize = 4;

/// How to reach and ask the server.
pub(super) struct Settings {
    pub(super) base_url: String,
    pub(super) path: String,
    pub(super) api_key: Option<SecretString>,
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
        let base_name = ["TRANSCRIBE_BASE_URL", "OPENAI_BASE_URL"].into_iter().find(|name| env.var(name).is_some());
        let base_url = env.base_url(base_name.unwrap_or("OPENAI_BASE_URL"), OPENAI)?;
        let api_key = env.secret("TRANSCRIBE_API_KEY").or_else(|| env.secret("OPENAI_API_KEY"));
        if api_key.is_none() && base_url == OPENAI {
            return Ok(None);
        }
        let text = |name: &str| env.var(name).map(str::to_owned);
        Ok(Some(Self {
            base_url,
            path: format!("/{}", env.var("TRANSCRIBE_PATH").unwrap_or(DEFAULT_PATH).trim_start_matches('/')),
            api_key,
            model: text("TRANSCRIBE_MODEL").unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
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
    fn without_key_and_server_there_is_no_speech() {
        assert!(settings(&[]).is_none());
        assert!(settings(&[("TRANSCRIBE_MODEL", "whisper-1")]).is_none());
        assert!(settings(&[("TRANSCRIBE_BASE_URL", "http://localhost:8080")]).is_some_and(|s| s.api_key.is_none()));
        assert!(settings(&[("OPENAI_API_KEY", "key")]).is_some_and(|s| s.base_url == OPENAI && s.model == "whisper-1"));
    }

    #[test]
    fn its_own_settings_win_over_those_shared_with_the_model() {
        let both = [
            ("OPENAI_BASE_URL", "http://both/v1/"),
            ("TRANSCRIBE_BASE_URL", "http://own"),
            ("TRANSCRIBE_PATH", "inference"),
        ];
        let own = settings(&both).unwrap();
        assert_eq!((own.base_url.as_str(), own.path.as_str()), ("http://own", "/inference"));
    }
}

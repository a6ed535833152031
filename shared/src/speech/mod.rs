//! Speech to text, by OpenAI or any server that speaks its API.
//!
//! A recording is heard through, cut into pieces of one voice each ([`crate::audio`]), the pieces are bought (`buy`,
//! `ask`), and the replies are put back together as turns (`turns`). To teach it another model: a line in `known`. To read
//! another server's dialect: `reply`.

mod ask;
mod buy;
mod guards;
mod known;
mod reply;
mod settings;
mod turns;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
};

use anyhow::Context;
use async_openai::{Client, config::OpenAIConfig};
use secrecy::ExposeSecret;
use serde_json::Value;

use self::{
    ask::Format,
    buy::{Bought, Trouble},
    settings::Settings,
};
use crate::{
    audio::{self, Limits, NotAudio, Piece, Survey},
    domain::{Speaker, StepError, Transcript},
    env::{Env, EnvError},
    http::{Outside, Vendor, openai},
    ledger::Purse,
};

/// Less speech than this says nothing, seconds.
const TOO_SHORT: f64 = 2.0;

/// What became of a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Its words.
    Words(Transcript),
    /// Nobody speaks.
    NoSpeech,
    /// Less than two seconds of speech; nothing was bought.
    TooShort,
}

/// A speech server.
pub struct Speech {
    settings: Settings,
    vendor: Vendor,
    client: Client<OpenAIConfig>,
    /// The richest answer that the server is believed to give, as [`Format`].
    format: AtomicU8,
}

impl Speech {
    /// The configured server; `None` when neither a key nor another server than OpenAI's is set. Warns of a model that is
    /// about to be switched off.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> Result<Option<Self>, EnvError> {
        let Some(settings) = Settings::from_env(env)? else { return Ok(None) };
        if outside.ledger.is_capped() && settings.price().is_none() {
            return Err(settings.unpriced());
        }
        if let Some(day) = known::shutdown(&settings.model) {
            let days_left = (day - outside.clock.now().date_naive()).num_days();
            tracing::warn!(model = settings.model, %day, days_left, "OpenAI switches this model off; set TRANSCRIBE_MODEL");
        }
        let vendor = outside.vendor("speech", None);
        let client = openai::client(vendor.clone(), &settings.base_url, settings.api_key.as_ref());
        let format = AtomicU8::new(known::model(&settings.model).format as u8);
        Ok(Some(Self { settings, vendor, client, format }))
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.settings.model
    }

    /// Transcribes a file. `speakers` says who is on channel 0 and 1 of a recording that keeps its sides apart; with one
    /// voice for both it cannot be told. `spool` is a directory for the pieces, which go away with the try.
    ///
    /// # Errors
    /// Snooze when the server limits us or has no credit left; retry when it is broken; fail when it refuses, or the file
    /// is not audio. A server that fails after some pieces were paid for is given a few minutes to recover.
    pub async fn transcribe(
        &self,
        recording: &Path,
        spool: &Path,
        speakers: [Speaker; 2],
        purse: &Purse,
    ) -> Result<Heard, StepError> {
        let path = recording.to_owned();
        let survey = blocking(move || audio::survey(&path)).await?;
        match survey.speech_seconds() {
            0.0 => return Ok(Heard::NoSpeech),
            seconds if seconds < TOO_SHORT => return Ok(Heard::TooShort),
            _ => {}
        }
        let bought = loop {
            match self.buy(recording, spool, &survey, purse).await {
                Ok(bought) => break bought,
                // The server gives less than was asked for: other pieces suit that.
                Err(Trouble::Downgraded) => {}
                Err(Trouble::Step(error)) => return Err(error),
            }
        };
        let speaker = |channel: usize| match survey.separate {
            true => speakers.get(channel).copied().unwrap_or(Speaker::Unknown),
            false => Speaker::Unknown,
        };
        let transcript = self.put_together(&bought, speaker);
        tracing::info!(
            requests = bought.len(),
            billed_seconds = transcript.billed_seconds,
            speech_seconds = survey.speech_seconds(),
            turns = transcript.turns.len(),
            "recording transcribed"
        );
        Ok(if transcript.turns.is_empty() { Heard::NoSpeech } else { Heard::Words(transcript) })
    }

    /// Asks the server for its models, which costs nothing; for `doctor`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub async fn check(&self) -> anyhow::Result<String> {
        let name = self.name();
        let mut request = self.vendor.http().get(format!("{}/models", self.settings.base_url));
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer = match self.vendor.send(request).await {
            // whisper.cpp's server has no list: it serves the one model that it was started with.
            Err(error) if error.is(404) => return Ok("the server answers, but lists no models".to_owned()),
            answer => answer?,
        };
        let answer: Value = answer.json().await.context("the list of models is not JSON")?;
        let models = answer["data"].as_array().context("the server lists no models")?;
        let model = models.iter().find(|m| m["id"].as_str() == Some(name));
        let model = model.with_context(|| format!("the server has no model {name}"))?;
        let last_day = model["shutdown_date"].as_str().map(|day| format!(", switched off on {day}"));
        Ok(format!("{name} is there{}", last_day.unwrap_or_default()))
    }

    async fn buy(
        &self,
        recording: &Path,
        spool: &Path,
        survey: &Survey,
        purse: &Purse,
    ) -> Result<Vec<Bought>, Trouble> {
        let grain = self.format().grain();
        let known = known::model(&self.settings.model);
        let pieces = audio::cut(survey, grain, Limits { seconds: known.seconds, bytes: known.bytes });
        let dir = tempfile::tempdir_in(spool).map_err(|e| Trouble::Step(StepError::retry("no-space", e)))?;
        let (from, to) = (recording.to_owned(), dir.path().to_owned());
        let files: Vec<(Piece, PathBuf)> = blocking(move || {
            let files = audio::write_pieces(&from, &pieces, &to)?;
            Ok(pieces.into_iter().zip(files).collect())
        })
        .await
        .map_err(Trouble::Step)?;
        self.buy_all(files, purse).await
    }

    fn put_together(&self, bought: &[Bought], speaker: impl Fn(usize) -> Speaker) -> Transcript {
        let billed_seconds = bought.iter().map(|b| b.piece.seconds()).sum();
        Transcript {
            turns: turns::merged(bought, speaker),
            language: bought.iter().find_map(|b| b.reply.language.clone()),
            model: self.settings.model.clone(),
            timed: bought.iter().all(turns::timed),
            billed_seconds,
            cost: self.settings.cost(billed_seconds),
        }
    }

    fn format(&self) -> Format {
        Format::from(self.format.load(Ordering::Relaxed))
    }

    /// Remembers that the server does not give `format`. Returns whether that is news: otherwise asking for less did not
    /// help either.
    fn downgrade(&self, format: Format) -> bool {
        let Some(less) = format.less() else { return false };
        tracing::info!(model = self.name(), "the speech server does not answer as {format:?}; asking for {less:?}");
        self.format.fetch_max(less as u8, Ordering::Relaxed);
        true
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotAudio> + Send + 'static,
) -> Result<T, StepError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(NotAudio::Io(error))) => Err(StepError::retry("recording-unreadable", error)),
        Ok(Err(error)) => Err(StepError::fail("not-audio", error)),
        Err(panic) => Err(StepError::fail("not-audio", panic)),
    }
}

#[cfg(test)]
mod tests;

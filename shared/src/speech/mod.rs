//! Speech to text, by OpenAI or any server that speaks its API.
//!
//! A recording is heard through, cut into pieces of one voice each ([`crate::audio`]), the pieces are bought (`buy`,
//! `ask`), and the replies are put back together as turns (`turns`) without what nobody said (`guards`). To teach it another
//! model: a line in `known`. To read another server's dialect: `reply`.

mod ask;
mod buy;
mod guards;
mod kept;
mod known;
mod language;
mod listener;
mod order;
mod reply;
mod settings;
mod turns;
mod upload;
mod voices;

use std::path::Path;

use async_openai::{Client, config::OpenAIConfig};
use tokio_util::sync::CancellationToken;

pub use self::kept::Kept;
use self::{
    buy::{Bought, Order},
    kept::Shelf,
    listener::Listener,
    settings::Settings,
    upload::Upload,
};
use crate::{
    audio::{self, NotAudio, Survey},
    domain::{Channels, Layout, StepError, Transcript, dollars, micros},
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
    listener: Listener,
    /// For recordings with one voice for both sides, where that is another model.
    mono: Option<Listener>,
    upload: Upload,
}

impl Speech {
    /// The configured server; `None` when neither a key nor another server than OpenAI's is set. Warns of a model that is
    /// about to be switched off.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> Result<Option<Self>, EnvError> {
        let Some(settings) = Settings::from_env(env)? else { return Ok(None) };
        let openais = settings.server.is_openais();
        let listener = Listener::from_env(&settings.model, openais, env)?;
        let other = settings.mono_model.as_deref().filter(|model| *model != settings.model);
        let mono = other.map(|model| Listener::from_env(model, openais, env)).transpose()?;
        for listener in [Some(&listener), mono.as_ref()].into_iter().flatten() {
            if outside.ledger.is_capped() {
                listener.must_be_priced()?;
            }
            let Listener { model, known, .. } = listener;
            if let Some(day) = known.last_day {
                let notice = openai::notice(day, outside.clock.now().date_naive());
                tracing::warn!(model, "this speech model is {notice}; set another (TRANSCRIBE_MODEL)");
            }
        }
        let vendor = outside.vendor("speech", None);
        let client = settings.server.client(vendor.clone());
        Ok(Some(Self { settings, vendor, client, listener, mono, upload: Upload::from_env(env)? }))
    }

    /// The model's name; also that for mono recordings, where it is another.
    pub fn name(&self) -> String {
        let mono = self.mono.as_ref().map(|mono| format!(", {} for mono", mono.model));
        format!("{}{}", self.listener.model, mono.unwrap_or_default())
    }

    /// US dollars for so many seconds of audio, where the price is known: that of the cheaper model, where there are two.
    pub fn cost(&self, seconds: f64) -> Option<f64> {
        let listeners = [Some(&self.listener), self.mono.as_ref()].into_iter().flatten();
        listeners.filter_map(|listener| listener.cost(seconds)).reduce(f64::min)
    }

    /// Transcribes a file that was heard through. `spool` is a directory for the pieces, which go away with the try. What is
    /// bought goes to `kept` as it comes, and what lies there already is not bought again; `None` keeps nothing.
    ///
    /// # Errors
    /// Snooze when the server limits us or has no credit left; retry when it is broken; fail when it refuses, or the file
    /// is not audio. A server that fails after some pieces were paid for is given a few minutes to recover.
    pub async fn transcribe(
        &self,
        recording: &Path,
        spool: &Path,
        survey: &Survey,
        channels: Channels,
        purse: &Purse,
        kept: Option<&Kept>,
    ) -> Result<Heard, StepError> {
        match survey.speech_seconds() {
            0.0 => return Ok(Heard::NoSpeech),
            seconds if seconds < TOO_SHORT => return Ok(Heard::TooShort),
            _ => {}
        }
        let shelf = Shelf::open(kept).await?;
        let separate = survey.layout == Layout::Separate;
        let listener = self.mono.as_ref().filter(|_| !separate).unwrap_or(&self.listener);
        let order = Order { speech: self, listener, purse, shelf: &shelf, voices: &[] };
        let mut bought = order.of_all(recording, spool, survey).await?;
        if !separate {
            voices::numbered(&mut bought);
        }
        let transcript = put_together(&bought, listener, channels);
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
        let Some(models) = self.settings.server.models(&self.vendor).await? else {
            return Ok("the server answers, but lists no models".to_owned());
        };
        let today = self.vendor.clock().now().date_naive();
        let listeners = [Some(&self.listener), self.mono.as_ref()].into_iter().flatten();
        let found = listeners.map(|Listener { model, known, .. }| models.tell_of(model, known.last_day, today));
        Ok(found.collect::<anyhow::Result<Vec<_>>>()?.join("; "))
    }
}

fn put_together(bought: &[Bought], listener: &Listener, channels: Channels) -> Transcript {
    let billed_seconds = bought.iter().map(|b| b.piece.seconds()).sum();
    let heard = bought.iter().filter_map(|b| Some((b.reply.language.as_deref()?, b.piece.seconds())));
    let fixed = listener.languages.first().filter(|_| listener.languages.len() == 1).cloned();
    let sides = (channels.layout == Layout::Separate).then(|| [channels.speaker(0), channels.speaker(1)]);
    Transcript {
        turns: turns::merged(bought, sides),
        language: fixed.or_else(|| language::most_spoken(heard)),
        model: listener.model.clone(),
        timed: bought.iter().all(turns::timed),
        billed_seconds,
        cost: bought.iter().map(|b| listener.cost(b.piece.seconds()).map(micros)).sum::<Option<_>>().map(dollars),
        channels: Some(channels),
        ..Transcript::default()
    }
}

/// Hears a recording through, before it is transcribed.
///
/// # Errors
/// Fail when the file is not audio; retry when it cannot be read.
pub async fn survey(recording: &Path) -> Result<Survey, StepError> {
    let path = recording.to_owned();
    blocking(move |stop| audio::survey(&path, stop)).await
}

/// Reads a server's reply to a piece of two stretches, and puts it where it was said.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_reply(body: &[u8]) {
    let Some(reply) = reply::Reply::read(body) else { return };
    let stretches = vec![audio::Span { start: 1.0, end: 6.0 }, audio::Span { start: 9.0, end: 12.0 }];
    let piece = audio::Piece { channel: 0, speech: stretches.clone(), stretches };
    let turns = turns::merged(
        &[Bought { piece, reply }],
        Some([crate::domain::Speaker::Caller, crate::domain::Speaker::Agent]),
    );
    for turn in &turns {
        assert!(0.0 <= turn.start && turn.start <= turn.end && turn.end <= 12.0, "{} to {}", turn.start, turn.end);
    }
    assert!(turns.is_sorted_by(|a, b| a.start <= b.start), "turns out of order");
}

/// Work in a thread of its own, which is told to stop when nobody waits for it any more. What it returns then is dropped there.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&CancellationToken) -> Result<T, NotAudio> + Send + 'static,
) -> Result<T, StepError> {
    let stop = CancellationToken::new();
    let _waiting = stop.clone().drop_guard();
    match tokio::task::spawn_blocking(move || work(&stop)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(NotAudio::Io(error))) => Err(StepError::retry("recording-unreadable", error)),
        Ok(Err(error)) => Err(StepError::fail("not-audio", error)),
        Err(panic) => Err(StepError::fail("not-audio", panic)),
    }
}

#[cfg(test)]
mod tests;

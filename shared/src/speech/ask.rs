//! One request: the form that is sent, and what the answer means.

use async_openai::{
    error::OpenAIError,
    traits::RequestOptionsBuilder,
    types::{
        InputSource,
        audio::{
            AudioInput, AudioResponseFormat, CreateTranscriptionRequest, CreateTranscriptionRequestArgs,
            TimestampGranularity, TranscriptionChunkingStrategy,
        },
    },
};
use serde_json::Value;

use super::{buy::Order, listener::Listener, reply::Reply, upload::Sound, voices::Reference};
use crate::{
    audio::Grain,
    domain::{Purchase, StepError},
    http::{
        ClientError,
        openai::{client_error, step_error},
    },
};

/// What is asked for, from much to little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Format {
    /// Segments and words with times.
    Words = 0,
    /// Segments with times.
    Segments = 1,
    /// Segments with times and voices, of OpenAI's diarizing model.
    Diarized = 2,
    /// Text.
    Json = 3,
}

impl From<u8> for Format {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Words,
            1 => Self::Segments,
            2 => Self::Diarized,
            _ => Self::Json,
        }
    }
}

impl Format {
    /// How finely to cut for it.
    pub(super) fn grain(self) -> Grain {
        match self {
            Self::Words | Self::Segments => Grain::Long,
            // Who is who can be told within one piece, and is guessed across two.
            Self::Diarized => Grain::Whole,
            Self::Json => Grain::Turn,
        }
    }

    /// What to ask for instead.
    pub(super) fn less(self) -> Option<Self> {
        match self {
            Self::Words => Some(Self::Segments),
            Self::Segments | Self::Diarized => Some(Self::Json),
            Self::Json => None,
        }
    }
}

/// Why there is no reply.
pub(super) enum NoReply {
    /// The piece is more than the server takes.
    TooLong,
    /// The server does not answer in this format.
    NotAs(Format),
    /// Anything else, with its verdict.
    Step(StepError),
}

impl Order<'_> {
    /// Sends one file with so many seconds of audio. Nothing is repeated here.
    pub(super) async fn ask(&self, sound: Sound, seconds: f64, format: Format) -> Result<Reply, NoReply> {
        let (speech, listener) = (self.speech, self.listener);
        let request = request(listener, sound, format, self.voices);
        let request = request.map_err(|e| NoReply::Step(StepError::fail("bad-request", e)))?;
        let audio = speech.client.audio();
        let transcription = audio.transcription().path(speech.settings.path.as_str());
        let transcription = transcription.map_err(|e| NoReply::Step(StepError::fail("bad-setting", e)))?;
        let vendor = speech.vendor.name();
        let cost = listener.cost(seconds);
        // Who is admitted has to ask: where the cap is reached nobody is, as that may use up the probe of an open circuit.
        self.purse.open(cost).await.map_err(NoReply::Step)?;
        speech.vendor.admit().await.map_err(|paused| NoReply::Step(paused.into()))?;
        let mut held = self.purse.reserve(cost).await.map_err(NoReply::Step)?;
        held.sent();
        let error = match tokio::time::timeout(speech.settings.timeout, transcription.create_raw(request)).await {
            Ok(Ok(body)) => {
                held.paid(&listener.model, Purchase::Audio(seconds), cost).await;
                match Reply::read(&body) {
                    Some(reply) => return Ok(reply),
                    None => self.noted(ClientError::nonsense(vendor, "answered something that is no transcript")).await,
                }
            }
            Ok(Err(error)) => {
                let error = client_error(vendor, error);
                if error.is_unbilled() {
                    held.released().await;
                }
                error
            }
            // It may have been heard, and billed: what was reserved stays so.
            Err(_) => self.noted(ClientError::unreachable(vendor, "did not answer in time")).await,
        };
        Err(match meaning(&error) {
            Meaning::TooLong => NoReply::TooLong,
            Meaning::WrongFormat if format.less().is_some() => NoReply::NotAs(format),
            Meaning::WrongFormat | Meaning::Other => NoReply::Step(step_error(&speech.vendor, error).await),
        })
    }

    /// Tells the circuit of a failure that only shows in the body, or in its absence.
    async fn noted(&self, error: ClientError) -> ClientError {
        self.speech.vendor.note(Some(&error)).await;
        error
    }
}

fn request(
    listener: &Listener,
    sound: Sound,
    format: Format,
    voices: &[Reference],
) -> Result<CreateTranscriptionRequest, OpenAIError> {
    let mut request = CreateTranscriptionRequestArgs::default();
    let source = InputSource::Bytes { filename: sound.filename.into(), bytes: sound.bytes };
    request.file(AudioInput { source }).model(&listener.model);
    match listener.languages.as_slice() {
        [language] => drop(request.language(language)),
        [_, _, ..] if listener.known.languages => drop(request.languages(listener.languages.clone())),
        _ => {}
    }
    if !listener.keywords.is_empty() {
        request.keywords(listener.keywords.clone());
    }
    if let Some(prompt) = &listener.prompt {
        request.prompt(prompt);
    }
    if !voices.is_empty() {
        request.known_speaker_names(voices.iter().map(|voice| voice.name.clone()).collect::<Vec<_>>());
        request.known_speaker_references(voices.iter().map(|voice| voice.sound.clone()).collect::<Vec<_>>());
    }
    match format {
        Format::Words => request
            .response_format(AudioResponseFormat::VerboseJson)
            .timestamp_granularities([TimestampGranularity::Segment, TimestampGranularity::Word]),
        Format::Segments => request.response_format(AudioResponseFormat::VerboseJson),
        Format::Diarized => request
            .response_format(AudioResponseFormat::DiarizedJson)
            .chunking_strategy(TranscriptionChunkingStrategy::Auto),
        Format::Json => request.response_format(AudioResponseFormat::Json),
    };
    request.build()
}

enum Meaning {
    TooLong,
    WrongFormat,
    Other,
}

/// Reads the two refusals that can be helped. Servers word them differently, so the words count where codes do not.
fn meaning(error: &ClientError) -> Meaning {
    if error.is(413) {
        return Meaning::TooLong;
    }
    if !error.is(400) && !error.is(422) {
        return Meaning::Other;
    }
    let body: Value = serde_json::from_str(&error.body).unwrap_or_default();
    let param = body["error"]["param"].as_str().unwrap_or_default();
    let says = |words: &str| error.body.contains(words);
    if param == "response_format" || says("response_format") || says("verbose_json") || says("timestamp_granularities")
    {
        return Meaning::WrongFormat;
    }
    if says("duration") && (says("longer than") || says("exceed")) || says("Maximum content size") {
        return Meaning::TooLong;
    }
    Meaning::Other
}

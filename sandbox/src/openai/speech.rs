//! `POST audio/transcriptions`: knows the sandbox's own sample calls and says so about anything else.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request, State},
    http::StatusCode,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::{
    audio::Audio,
    error, formats, invalid,
    parts::{Part, parts},
    recognise::{Place, recognise},
    said::said,
    too_large,
};
use crate::world::{Shared, World};

/// OpenAI's limit of a request, 25 MiB.
pub(super) const LIMIT: u64 = 26_214_400;

/// Loudness of full scale below which there is nothing to hear.
const SILENT: f64 = 0.002;

/// This alike, a piece is one stretch of a sample. Below, it may have been put together from several.
const SURE: f64 = 0.97;

/// Answers that are remembered; beyond that all are forgotten at once.
const REMEMBERED: usize = 8192;

/// What a file turned out to be.
pub(super) enum Heard {
    Undecodable,
    Unknown,
    Silence { duration: f64 },
    Piece { parts: Vec<Part>, duration: f64 },
}

#[derive(Default)]
struct Form {
    file: Option<Bytes>,
    model: String,
    format: Option<String>,
    words: bool,
    prompt: bool,
    chunked: bool,
    /// Names of voices, and data URLs with samples of them, in the same order.
    voices: (Vec<String>, Vec<String>),
}

pub(super) async fn transcribe(State(world): State<Shared>, request: Request) -> Response {
    let form = match read(request).await {
        Ok(form) => form,
        Err(refused) => return refused,
    };
    let Some(file) = form.file.clone() else {
        return invalid("you must provide a file", Some("file"), None);
    };
    let Some(known) = formats::known(&form.model) else {
        let message = format!("The model `{}` does not exist or you do not have access to it.", form.model);
        return error(StatusCode::NOT_FOUND, &message, "invalid_request_error", None, Some("model_not_found"));
    };
    let format = form.format.as_deref().unwrap_or("json");
    if !known.contains(&format) {
        return wrong_format(format, &form.model, known);
    }
    let voices = match voices(&world, &form).await {
        Ok(voices) => voices,
        Err(refused) => return refused,
    };
    let heard = hear(&world, file).await;
    let (said, duration) = match &*heard {
        Heard::Undecodable => return undecodable(),
        Heard::Unknown => return unknown(),
        Heard::Silence { duration } => (Vec::new(), *duration),
        Heard::Piece { parts, duration } => (parts.iter().flat_map(said).collect(), *duration),
    };
    if let Some(refused) = not_diarizable(&form, duration) {
        return refused;
    }
    world.openai.transcriptions.fetch_add(1, Ordering::Relaxed);
    let asked = formats::Asked { model: &form.model, words: form.words, voices: &voices };
    formats::answer(format, &asked, &said, duration)
}

async fn read(request: Request) -> Result<Form, Response> {
    let (head, body) = request.into_parts();
    let body = within_limit(body).await?;
    let broken = |_| invalid("Could not parse multipart form", None, None);
    let request = Request::from_parts(head, Body::from(body));
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|_| invalid("Could not parse multipart form", None, None))?;
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        match part.name() {
            Some("file") => form.file = Some(part.bytes().await.map_err(broken)?),
            Some("model") => form.model = part.text().await.map_err(broken)?,
            Some("response_format") => form.format = Some(part.text().await.map_err(broken)?),
            Some("timestamp_granularities[]") => form.words |= part.text().await.map_err(broken)? == "word",
            Some("prompt") => form.prompt = true,
            Some("chunking_strategy") => form.chunked = true,
            Some("known_speaker_names[]") => form.voices.0.push(part.text().await.map_err(broken)?),
            Some("known_speaker_references[]") => form.voices.1.push(part.text().await.map_err(broken)?),
            _ => {}
        }
    }
    Ok(form)
}

/// What the diarizing model refuses (facts, crm_ai §2.2).
fn not_diarizable(form: &Form, duration: f64) -> Option<Response> {
    let diarizing = form.model.contains("diarize");
    if diarizing && form.prompt {
        return Some(invalid("Prompt is not supported for this model.", Some("prompt"), Some("unsupported_parameter")));
    }
    (diarizing && duration > 30.0 && !form.chunked).then(|| {
        let message = "chunking_strategy is required for diarization of inputs longer than 30 seconds.";
        invalid(message, Some("chunking_strategy"), Some("missing_required_parameter"))
    })
}

/// Whose voice each sample is: the channel, and the name that it was given.
async fn voices(world: &World, form: &Form) -> Result<Vec<(usize, String)>, Response> {
    let (names, references) = &form.voices;
    let refused = |why: &str| invalid(why, Some("known_speaker_references"), Some("invalid_value"));
    if names.len() != references.len() || names.len() > 4 {
        return Err(refused("Expected as many known speaker references as names, at most 4."));
    }
    let mut voices = Vec::new();
    for (name, reference) in names.iter().zip(references) {
        let sound = reference.strip_prefix("data:audio/").and_then(|rest| rest.split_once(";base64,"));
        let sound = sound.and_then(|(_, sound)| STANDARD.decode(sound).ok());
        let Some(sound) = sound else { return Err(refused("Expected data URLs with audio.")) };
        match &*hear(world, sound.into()).await {
            Heard::Undecodable => return Err(undecodable()),
            Heard::Piece { duration, .. } if !(2.0..=10.1).contains(duration) => {
                return Err(refused("Known speaker references must be between 2 and 10 seconds long."));
            }
            Heard::Piece { parts, .. } => {
                voices.extend(parts.iter().flat_map(said).next().map(|said| (said.channel, name.clone())));
            }
            Heard::Unknown | Heard::Silence { .. } => {}
        }
    }
    Ok(voices)
}

/// Reads to the end in any case: who is cut off while writing never sees the refusal.
async fn within_limit(body: Body) -> Result<Bytes, Response> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut read) = (BytesMut::new(), 0_u64);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| invalid("The request was cut off", None, None))?;
        read += chunk.len() as u64;
        if read <= LIMIT {
            kept.extend_from_slice(&chunk);
        }
    }
    if read > LIMIT { Err(too_large(read)) } else { Ok(kept.freeze()) }
}

async fn hear(world: &World, file: Bytes) -> Arc<Heard> {
    let key = (fingerprint(&file), file.len());
    let lock = || world.openai.heard.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(heard) = lock().get(&key) {
        return heard.clone();
    }
    let heard = tokio::task::spawn_blocking(move || listen(&file)).await.unwrap_or(Heard::Undecodable);
    let heard = Arc::new(heard);
    let mut remembered = lock();
    if remembered.len() >= REMEMBERED {
        remembered.clear();
    }
    remembered.insert(key, heard.clone());
    heard
}

fn listen(file: &[u8]) -> Heard {
    let Some(Audio { loudness, duration }) = Audio::read(file) else { return Heard::Undecodable };
    if loudness.peak() < SILENT {
        return Heard::Silence { duration };
    }
    let whole = recognise(&loudness);
    let whole_part = |(_, place): (f64, Place)| vec![Part { place, from: 0.0, to: duration }];
    let parts = match whole {
        Some((alike, _)) if alike >= SURE => whole.map(whole_part),
        _ => parts(&loudness, SILENT).or_else(|| whole.map(whole_part)),
    };
    parts.map_or(Heard::Unknown, |parts| Heard::Piece { parts, duration })
}

/// Tells contents apart, in four lanes that do not wait for each other. Nobody attacks a sandbox.
fn fingerprint(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word ^ 0xA076_1D64_78BD_642F) * 0xE703_7ED1_A0B4_28DB_u128;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let halves = ((product >> 64) as u64, product as u64);
        halves.0 ^ halves.1
    };
    let chunks = bytes.chunks_exact(32);
    let rest = chunks.remainder().iter().fold(0, |rest, byte| fold(rest, u64::from(*byte)));
    let mut lanes = [1, 2, 3, 4];
    for chunk in chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(8)) {
            *lane = fold(*lane, u64::from_le_bytes(word.try_into().expect("chunks of eight are eight long")));
        }
    }
    lanes.into_iter().fold(rest, fold)
}

fn wrong_format(format: &str, model: &str, known: &[&str]) -> Response {
    let quoted: Vec<_> = known.iter().map(|name| format!("'{name}'")).collect();
    let message = format!(
        "response_format '{format}' is not compatible with model '{model}'. Use {} instead.",
        quoted.join(" or ")
    );
    invalid(&message, Some("response_format"), Some("unsupported_value"))
}

fn undecodable() -> Response {
    let message = "Invalid file format. Supported formats: ['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']";
    invalid(message, None, None)
}

fn unknown() -> Response {
    let message = "The Tapedeck sandbox only knows its own sample calls (GET /control/samples) as WAV; this audio is none of \
        them. Point the speech settings at a real server to transcribe it.";
    error(StatusCode::UNPROCESSABLE_ENTITY, message, "invalid_request_error", Some("file"), Some("unknown_audio"))
}

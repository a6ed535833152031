//! ElevenLabs agents (facts: telephony §3): webhooks after a call, and a REST API that has the same and the audio.
//!
//! - `signature`: who sent it. `payload`: what it says; another type of webhook is one more arm there.
//! - `analysis`: what they make of a conversation.
//! - `lift`: audio that comes inside a webhook, taken out on the way.
//! - `api`: the conversation, the audio, the list. `calling`: calls out.

mod analysis;
mod api;
mod calling;
mod lift;
mod payload;
mod signature;

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use self::api::Api;
pub use self::calling::Order;
use self::{
    lift::Lift,
    payload::Post,
    signature::{Checking, Secrets},
};
use super::{Page, Polling, Provider, RecordingError, StartedCall};
use crate::{
    clock::Clock,
    domain::{Call, CallFacts, Event, EventKind, Judged, NewEvent, ProviderId, Recording, StepError, Transcript},
    env::{Env, EnvError},
    http::{Download, Outside},
    sources::{Check, Gate, Refused, Sieve, Source, Unusable, Verified, WebhookRequest, WebhookRoute},
};

const NAME: &str = "elevenlabs";
/// For a whole body, unless `MAX_AUDIO_BODY_BYTES` says otherwise: half a day of MP3 in base64.
const MAX_AUDIO_BODY: u64 = 1 << 30;
/// For all of a body but the audio in it. Transcripts of an hour, with tool calls and metrics, are below 2 MB.
const MAX_BODY: usize = 16 << 20;
/// A conversation that is not processed after this long never will be.
const PROCESSED_WITHIN: Duration = Duration::from_secs(48 * 3600);

const API_KEY: &str = "ELEVENLABS_API_KEY";
const SECRET: &str = "ELEVENLABS_WEBHOOK_SECRET";
const VERIFY: &str = "ELEVENLABS_WEBHOOK_VERIFY";
const BASE_URL: &str = "ELEVENLABS_BASE_URL";
const POLLING: &str = "ELEVENLABS_POLLING";
const POLL_INTERVAL: &str = "ELEVENLABS_POLL_INTERVAL_MINUTES";
const MAX_AUDIO: &str = "MAX_AUDIO_BODY_BYTES";
const ACCOUNT: &str = "default";

const ROUTES: &[WebhookRoute] = &[
    WebhookRoute { path: "/webhooks/elevenlabs-post-call", hint: "post-call", max_bytes: MAX_BODY },
    WebhookRoute { path: "/voice/post_call", hint: "post-call", max_bytes: MAX_BODY },
];

/// One ElevenLabs workspace.
pub struct ElevenLabs {
    gate: Gate<Secrets>,
    api: Option<Api>,
    clock: Clock,
    polling: Polling,
    max_audio_body: u64,
}

impl ElevenLabs {
    /// `None` when no `ELEVENLABS_…` variable is set.
    ///
    /// # Errors
    /// When some are set but `ELEVENLABS_WEBHOOK_SECRET` is not (unless `ELEVENLABS_WEBHOOK_VERIFY=off`), or a value cannot
    /// be used. Names the variable.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        if [API_KEY, SECRET, VERIFY, BASE_URL, POLLING, POLL_INTERVAL].iter().all(|name| env.var(name).is_none()) {
            return Ok(None);
        }
        let gate = Gate::from_env(env, NAME, VERIFY, || Secrets::from_env(env))?;
        let api = Api::from_env(env, outside)?;
        let max_audio_body = env.parsed(MAX_AUDIO, MAX_AUDIO_BODY)?;
        let polling = Polling::from_env(env, POLLING, POLL_INTERVAL, 5.0)?;
        if api.is_none() && matches!(polling, Polling::Every(_)) {
            return Err(EnvError::Missing(API_KEY.to_owned()).into());
        }
        Ok(Some(Self { gate, api, clock: outside.clock.clone(), polling, max_audio_body }))
    }
}

impl Source for ElevenLabs {
    fn id(&self) -> ProviderId {
        ProviderId::new(NAME)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        ROUTES
    }

    fn gate(&self) -> &dyn Check {
        &self.gate
    }

    fn receive(&self, _route: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        let post = Post::parse(request.body())?;
        let (name, kind) = (post.name()?, post.kind()?);
        let dedupe_key = match &kind {
            EventKind::Other(_) => format!("{name}:{}", request.digest()),
            _ => format!("{name}:{}", post.id()?),
        };
        post.refuse_forged_audio()?;
        let body = request.body().to_vec();
        Ok(NewEvent { provider: self.id(), account: ACCOUNT.to_owned(), kind, dedupe_key, body })
    }

    fn example(&self, _: &WebhookRoute) -> Option<(&'static str, Value)> {
        let body = include_str!("../fixtures/elevenlabs_transcription.json");
        Some(("application/json", serde_json::from_str(body).ok()?))
    }

    fn sieve(
        &self,
        _route: &WebhookRoute,
        headers: &HeaderMap,
        received_at: DateTime<Utc>,
    ) -> Option<Result<Box<dyn Sieve>, Refused>> {
        let checking = match &self.gate {
            Gate::Checked(secrets) => secrets.begin(headers, received_at).map(Some).ok_or(Refused),
            Gate::Open => Ok(None),
        };
        let max_bytes = self.max_audio_body;
        Some(checking.map(|checking| Box::new(Sifting { checking, lift: Lift::default(), max_bytes }) as _))
    }

    fn with_recording(&self, event: NewEvent, recording: &Recording) -> NewEvent {
        match (serde_json::from_slice::<Value>(&event.body), serde_json::to_value(recording)) {
            (Ok(mut body), Ok(recording)) if body["data"].is_object() => {
                body["data"]["full_audio"] = recording;
                NewEvent { body: body.to_string().into_bytes(), ..event }
            }
            _ => event,
        }
    }
}

#[async_trait]
impl Provider for ElevenLabs {
    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable> {
        Post::parse(&event.body)?.facts()
    }

    fn transcript(&self, event: &Event) -> Option<Transcript> {
        Post::parse(&event.body).ok()?.transcript()
    }

    fn judged(&self, event: &Event) -> Option<Judged> {
        Post::parse(&event.body).ok()?.judged()
    }

    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError> {
        match &self.api {
            Some(api) => api.audio(call).await,
            None => Err(api::unfetchable(call, self.clock.now(), "ELEVENLABS_API_KEY is not set")),
        }
    }

    /// The audio's webhook and the list say hardly more than the id; when a call ended only the conversation says.
    fn incomplete(&self, call: &Call) -> bool {
        let id = call.facts.provider_call_id.as_ref();
        self.api.is_some() && id.is_some() && call.ended() && call.facts.ended_at.is_none()
    }

    async fn lookup(&self, call: &Call) -> Result<Vec<NewEvent>, StepError> {
        let (Some(api), Some(id)) = (&self.api, &call.facts.provider_call_id) else { return Ok(Vec::new()) };
        let Some(conversation) = api.conversation(id).await? else { return Ok(Vec::new()) };
        match event_of(&conversation) {
            Some(event) => Ok(vec![event]),
            None => {
                let age = (self.clock.now() - call.created_at).to_std().unwrap_or_default();
                if age > PROCESSED_WITHIN {
                    return Err(StepError::fail("conversation-not-over", anyhow!("it was never processed")));
                }
                let after = (age / 4).clamp(Duration::from_secs(10), Duration::from_secs(3600));
                Err(StepError::snooze("conversation-not-over", after, anyhow!("it is still being processed")))
            }
        }
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    async fn poll(&self, since: DateTime<Utc>, page: Option<&str>) -> Result<Page, StepError> {
        let Some(api) = &self.api else { return Ok(Page::default()) };
        let (rows, next) = api.conversations(since, page).await?;
        Ok(Page { events: rows.iter().filter_map(|row| event(payload::LISTED, row)).collect(), next })
    }

    fn registered(&self, call: &StartedCall, at: DateTime<Utc>) -> Result<NewEvent, Unusable> {
        started(call, at)
    }

    async fn check(&self) -> anyhow::Result<String> {
        let Some(api) = &self.api else {
            return Ok(format!("no {API_KEY}: audio comes from webhooks alone"));
        };
        api.check().await?;
        Ok("API key accepted".to_owned())
    }
}

/// What a body comes to that is taken apart in these pieces: the rest, the audio, and whether that is whole.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_lift<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut lift, mut rest, mut audio) = (Lift::default(), Vec::new(), Vec::new());
    pieces.into_iter().for_each(|piece| lift.take(piece, &mut rest, &mut audio));
    (rest, audio, lift.is_whole())
}

/// What rows of the API's list, and conversations, come to.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_listed(rows: &[Value]) -> Vec<NewEvent> {
    let listed = rows.iter().filter_map(|row| event(payload::LISTED, row));
    listed.chain(rows.iter().filter_map(event_of)).collect()
}

/// One body on its way in: its signature is computed over every byte, while the audio is taken out of it.
struct Sifting {
    /// `None` where nothing is checked.
    checking: Option<Checking>,
    lift: Lift,
    max_bytes: u64,
}

impl Sieve for Sifting {
    fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    fn take(&mut self, piece: &[u8], rest: &mut Vec<u8>, audio: &mut Vec<u8>) {
        if let Some(checking) = &mut self.checking {
            checking.update(piece);
        }
        self.lift.take(piece, rest, audio);
    }

    fn is_whole(&self) -> bool {
        self.lift.is_whole()
    }

    fn verify<'r>(self: Box<Self>, request: &'r WebhookRequest<'r>) -> Result<Verified<'r>, Refused> {
        let holds = self.checking.is_none_or(Checking::holds);
        if holds { Ok(Verified::vouch(request)) } else { Err(Refused) }
    }
}

/// A conversation that was asked for, as the event that its webhook would have been: whichever comes first is recorded.
/// `None` while it is not over.
pub fn event_of(conversation: &Value) -> Option<NewEvent> {
    event(payload::TRANSCRIPTION, conversation).filter(|_| api::is_over(conversation))
}

/// A call that was started through us, or elsewhere and is made known to us, as an event.
///
/// # Errors
/// [`Unusable::Field`], when a name cannot be one, or there is none.
pub fn started(call: &StartedCall, at: DateTime<Utc>) -> Result<NewEvent, Unusable> {
    let body = json!({"type": payload::STARTED, "event_timestamp": at.timestamp(), "data": call}).to_string();
    let known = Post::parse(body.as_bytes())?.facts()?;
    let names = [
        ("conversation_id", "id", &call.conversation_id),
        ("call_sid", "call_sid", &call.call_sid),
        ("chat_id", "chat_id", &call.chat_id),
    ];
    match names.into_iter().find(|(_, kind, name)| known.key(kind) != name.as_deref()) {
        Some((field, ..)) => Err(Unusable::Field { field: field.to_owned(), detail: "not an id".to_owned() }),
        None => Ok(NewEvent {
            provider: ProviderId::new(NAME),
            account: ACCOUNT.to_owned(),
            kind: EventKind::CallStarted,
            dedupe_key: format!("{}:{}", payload::STARTED, call.digest()),
            body: body.into_bytes(),
        }),
    }
}

/// What we were told elsewhere than in a webhook, in the form of one.
fn event(name: &str, data: &Value) -> Option<NewEvent> {
    let body = json!({"type": name, "data": data, "asked_for": true}).to_string();
    let post = Post::parse(body.as_bytes()).ok()?;
    let (kind, id) = (post.kind().ok()?, post.id().ok()?);
    let dedupe_key = format!("{name}:{id}");
    let (provider, account) = (ProviderId::new(NAME), ACCOUNT.to_owned());
    Some(NewEvent { provider, account, kind, dedupe_key, body: body.into_bytes() })
}

#[cfg(test)]
mod tests;

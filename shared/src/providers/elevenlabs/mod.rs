//! ElevenLabs agents (facts: telephony §3): webhooks after a call, and a REST API that has the same and the audio.
//!
//! - `signature`: who sent it. `payload`: what it says; another type of webhook is one more arm there.
//! - `api`: the conversation, the audio, the list, calls out.

mod api;
mod payload;
mod signature;

use async_trait::async_trait;
use serde_json::{Value, json};

pub use self::api::Api;
use self::{payload::Post, signature::Check};
use super::{Provider, RecordingError, Refused, Unusable, Verified, WebhookRequest, WebhookRoute};
use crate::{
    clock::Clock,
    domain::{Call, CallFacts, Event, EventKind, NewEvent, ProviderId, Transcript},
    env::Env,
    http::{Download, Outside},
};

const NAME: &str = "elevenlabs";
/// For all of a body but the audio in it. Transcripts of an hour, with tool calls and metrics, are below 2 MB.
const MAX_BODY: usize = 16 << 20;

const API_KEY: &str = "ELEVENLABS_API_KEY";
const SECRET: &str = "ELEVENLABS_WEBHOOK_SECRET";
const VERIFY: &str = "ELEVENLABS_WEBHOOK_VERIFY";
const BASE_URL: &str = "ELEVENLABS_BASE_URL";
const ACCOUNT: &str = "default";

const ROUTES: &[WebhookRoute] = &[
    WebhookRoute { path: "/webhooks/elevenlabs-post-call", hint: "post-call", max_bytes: MAX_BODY },
    WebhookRoute { path: "/voice/post_call", hint: "post-call", max_bytes: MAX_BODY },
];

/// One ElevenLabs workspace.
pub struct ElevenLabs {
    check: Check,
    api: Option<Api>,
    clock: Clock,
}

impl ElevenLabs {
    /// `None` when no `ELEVENLABS_…` variable is set.
    ///
    /// # Errors
    /// When some are set but `ELEVENLABS_WEBHOOK_SECRET` is not (unless `ELEVENLABS_WEBHOOK_VERIFY=off`), or a value cannot
    /// be used. Names the variable.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        if [API_KEY, SECRET, VERIFY, BASE_URL].iter().all(|name| env.var(name).is_none()) {
            return Ok(None);
        }
        let (check, api) = (Check::from_env(env)?, Api::from_env(env, outside)?);
        Ok(Some(Self { check, api, clock: outside.clock.clone() }))
    }
}

#[async_trait]
impl Provider for ElevenLabs {
    fn id(&self) -> ProviderId {
        ProviderId::new(NAME)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        ROUTES
    }

    fn verify<'r>(&self, request: &'r WebhookRequest<'r>) -> Result<Verified<'r>, Refused> {
        let mut checking = self.check.begin(request.headers, request.received_at)?;
        checking.update(request.body);
        checking.holds()?;
        Ok(Verified::vouch(request))
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

    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable> {
        Post::parse(&event.body)?.facts()
    }

    fn transcript(&self, event: &Event) -> Option<Transcript> {
        Post::parse(&event.body).ok()?.transcript()
    }

    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError> {
        match &self.api {
            Some(api) => api.audio(call).await,
            None => Err(api::unfetchable(call, self.clock.now(), "ELEVENLABS_API_KEY is not set")),
        }
    }

    async fn check(&self) -> anyhow::Result<String> {
        let Some(api) = &self.api else {
            return Ok(format!("no {API_KEY}: audio comes from webhooks alone"));
        };
        api.check().await?;
        Ok("API key accepted".to_owned())
    }
}

/// A conversation that was asked for, as the event that its webhook would have been: whichever comes first is recorded.
/// `None` while it is not over.
pub fn event_of(conversation: &Value) -> Option<NewEvent> {
    let body = json!({"type": payload::TRANSCRIPTION, "data": conversation, "asked_for": true}).to_string();
    let id = Post::parse(body.as_bytes()).ok()?.id().ok().filter(|_| api::is_over(conversation))?;
    Some(NewEvent {
        provider: ProviderId::new(NAME),
        account: ACCOUNT.to_owned(),
        kind: EventKind::CallEnded,
        dedupe_key: format!("{}:{id}", payload::TRANSCRIPTION),
        body: body.into_bytes(),
    })
}

#[cfg(test)]
mod tests;

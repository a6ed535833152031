//! CloudTalk (facts: telephony §1): webhooks of "workflow automations", whose fields the customer names, and a REST API
//! that hands out recordings.
//!
//! - `payload`: which fields of a body of unknown shape mean what. To accept another spelling: one more alias there.
//! - `api`: contacts, tags, notes, agents, campaigns, calls. `listed`: a call in the list as the webhook it would have been.
//! - `recording`: from the announced link, else by call id.

mod api;
mod listed;
mod payload;
mod recording;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

pub use self::api::{Agent, Api, Availability, Campaign, Contact, ContactFields, Dialled, Note};
pub use self::payload::change;
use self::recording::Opening;
use super::{Page, Polling, Provider, RecordingError};
use crate::{
    clock::Clock,
    domain::{Call, CallFacts, Event, EventKind, NewEvent, ProviderId, Step, StepError},
    env::{Env, EnvError},
    http::{Download, Outside},
    sources::{
        Check, Gate, SharedSecret, Source, Unusable, Verified, WebhookRoute,
        fields::{self, Fields},
        loose,
    },
};

const NAME: &str = "cloudtalk";
/// Real bodies are below 2 kB; a transcript in one is longer.
const MAX_BODY: usize = 1 << 20;

const SECRET: &str = "CLOUDTALK_WEBHOOK_SECRET";
const VERIFY: &str = "CLOUDTALK_WEBHOOK_VERIFY";
const API_KEY: &str = "CLOUDTALK_API_KEY";
const KEY_ID: &str = "CLOUDTALK_API_KEY_ID";
const KEY_SECRET: &str = "CLOUDTALK_API_SECRET";
const BASE_URL: &str = "CLOUDTALK_BASE_URL";
const HOSTS: &str = "CLOUDTALK_RECORDING_HOSTS";
const ACCOUNT: &str = "CLOUDTALK_ACCOUNT";
const RATE: &str = "CLOUDTALK_RATE_PER_MINUTE";
const ANALYTICS_URL: &str = "CLOUDTALK_ANALYTICS_BASE_URL";
const POLLING: &str = "CLOUDTALK_POLLING";
const POLL_INTERVAL: &str = "CLOUDTALK_POLL_INTERVAL_MINUTES";

/// A transcript is made of a recording: the same webhook brings its link (facts: telephony §5).
const TRANSCRIPTION_READY: &str = "/api/cloudtalk-webhooks/transcription-ready";

const ROUTES: &[WebhookRoute] = &[
    route("/api/cloudtalk-webhooks/call-started", "call-started"),
    route("/api/cloudtalk-webhooks/call-ended", "call-ended"),
    route("/api/cloudtalk-webhooks/recording-available", "recording-available"),
    route("/api/cloudtalk-webhooks/call-recording-ready", "recording-available"),
    route(TRANSCRIPTION_READY, "recording-available"),
    route("/api/cloudtalk-webhooks/contact-updated", "contact-updated"),
    route("/api/cloudtalk-webhooks/new-tag", "new-tag"),
    route("/api/cloudtalk-webhooks/new-note", "new-note"),
];

const fn route(path: &'static str, hint: &'static str) -> WebhookRoute {
    WebhookRoute { path, hint, max_bytes: MAX_BODY }
}

/// One CloudTalk company.
pub struct CloudTalk {
    account: String,
    /// It signs nothing (facts: telephony §1.1): a workflow can only send a fixed header, URL or field of the body.
    gate: Gate<SharedSecret>,
    opening: Opening,
    api: Option<Api>,
    polling: Polling,
    clock: Clock,
}

impl CloudTalk {
    /// `None` when no `CLOUDTALK_…` variable is set.
    ///
    /// # Errors
    /// When some are set but `CLOUDTALK_WEBHOOK_SECRET` is not (unless `CLOUDTALK_WEBHOOK_VERIFY=off`), half a key pair is
    /// there, it is to be polled without one, or a value cannot be used. Names the variable.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let ours =
            [SECRET, VERIFY, API_KEY, KEY_ID, KEY_SECRET, BASE_URL, ANALYTICS_URL, HOSTS, ACCOUNT, RATE, POLLING];
        if ours.iter().all(|name| env.var(name).is_none()) {
            return Ok(None);
        }
        let account = env.var(ACCOUNT).unwrap_or("default").to_owned();
        let secret = || env.secret(SECRET).map(SharedSecret::new).ok_or_else(|| EnvError::Missing(SECRET.to_owned()));
        let (gate, opening) = (Gate::from_env(env, NAME, VERIFY, secret)?, Opening::from_env(env, outside)?);
        let (api, polling) = (Api::from_env(env, outside)?, Polling::from_env(env, POLLING, POLL_INTERVAL, 5.0)?);
        if api.is_none() && matches!(polling, Polling::Every(_)) {
            return Err(EnvError::Missing(KEY_ID.to_owned()).into());
        }
        Ok(Some(Self { account, gate, opening, api, polling, clock: outside.clock.clone() }))
    }

    /// The same words may tell of a change, its undoing and its repetition, and CloudTalk numbers no events; to carry a
    /// change over twice changes nothing.
    fn about_a_contact(&self, kind: EventKind, fields: &Fields, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        if payload::who(fields).is_nobody() {
            let detail = "missing, and so are the contact's number and e-mail address";
            return Err(Unusable::Field { field: "contact_id".to_owned(), detail: detail.to_owned() });
        }
        let dedupe_key = format!("{}:{}", kind.as_str(), Uuid::now_v7());
        let body = request.body().to_vec();
        Ok(NewEvent { provider: self.id(), account: self.account.clone(), kind, dedupe_key, body })
    }
}

impl Source for CloudTalk {
    fn id(&self) -> ProviderId {
        ProviderId::new(NAME)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        ROUTES
    }

    fn gate(&self) -> &dyn Check {
        &self.gate
    }

    fn example(&self, route: &WebhookRoute) -> Option<(&'static str, Value)> {
        let body = match route.hint {
            "call-started" => include_str!("../fixtures/cloudtalk_started.json"),
            "call-ended" => include_str!("../fixtures/cloudtalk_ended_text.json"),
            _ if route.path == TRANSCRIPTION_READY => include_str!("../fixtures/cloudtalk_transcription_created.json"),
            "recording-available" => include_str!("../fixtures/cloudtalk_recording_uploaded.json"),
            hint => return Some(("application/json", payload::example(hint))),
        };
        Some(("application/json", serde_json::from_str(body).ok()?))
    }

    fn receive(&self, route: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        fields::refuse_forms(request.headers())?;
        let fields = Fields::parse(request.body())?;
        let kind = payload::kind(&fields, route.hint);
        if kind.first_step() == Step::Mirror {
            return self.about_a_contact(kind, &fields, request);
        }
        if fields.is_rounded(payload::ID) && !matches!(kind, EventKind::Other(_)) {
            return Err(Unusable::Field { field: "call_id".to_owned(), detail: loose::ROUNDED.to_owned() });
        }
        let facts = payload::facts(&fields, &kind);
        let tied = !facts.keys.is_empty() || facts.external_phone.is_some();
        if !tied && !matches!(kind, EventKind::Other(_)) {
            let detail = "missing, and so are call_uuid and the other party's number";
            return Err(Unusable::Field { field: "call_id".to_owned(), detail: detail.to_owned() });
        }
        // CloudTalk numbers no events, and repeats them up to an hour later (facts: telephony §1.1).
        let key = facts.keys.first().map_or("-", |key| key.value.as_str());
        let dedupe_key = format!("{}:{key}:{}", kind.as_str(), request.digest());
        let body = request.body().to_vec();
        Ok(NewEvent { provider: self.id(), account: self.account.clone(), kind, dedupe_key, body })
    }
}

#[async_trait]
impl Provider for CloudTalk {
    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable> {
        Ok(payload::facts(&Fields::parse(&event.body)?, &event.kind))
    }

    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError> {
        self.opening.open(self.api.as_ref(), call).await
    }

    /// Without its id, which some workflows do not send, the recording cannot be asked for.
    fn incomplete(&self, call: &Call) -> bool {
        let named = call.facts.key("uuid").is_some() && call.facts.external_phone.is_some();
        self.api.is_some() && call.ended() && call.facts.provider_call_id.is_none() && named
    }

    async fn lookup(&self, call: &Call) -> Result<Vec<NewEvent>, StepError> {
        match &self.api {
            Some(api) => self.resolve(api, call, self.clock.now()).await,
            None => Ok(Vec::new()),
        }
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    async fn poll(&self, since: DateTime<Utc>, page: Option<&str>) -> Result<Page, StepError> {
        let (Some(api), Polling::Every(interval)) = (&self.api, self.polling) else { return Ok(Page::default()) };
        let page = page.and_then(|page| page.parse().ok()).unwrap_or(1);
        let (rows, next) = api.calls(since, page).await?;
        let events = self.events_of(&rows, self.clock.now() - interval);
        Ok(Page { events, next: next.map(|page| page.to_string()) })
    }

    async fn check(&self) -> anyhow::Result<String> {
        let Some(api) = &self.api else {
            return Ok(format!("no API credentials ({KEY_ID}): recordings come from links in webhooks alone"));
        };
        api.check().await?;
        Ok("API credentials accepted".to_owned())
    }
}

#[cfg(feature = "fuzzing")]
impl CloudTalk {
    /// What rows of the API's list come to.
    pub(crate) fn fuzz_listed(&self, rows: &[Value]) -> Vec<NewEvent> {
        self.events_of(rows, DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests;

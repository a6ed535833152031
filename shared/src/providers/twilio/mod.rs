//! Twilio (facts: telephony §2): signed callbacks about recordings and calls, and a REST API that has both.
//!
//! - `dialect`: servers that speak the same, SignalWire and Telnyx, as a table of how they differ.
//! - `verify`: the signature (`ed25519`: Telnyx' own). `payload`: what a callback says; what the API says is put into the same form.
//! - `api`: the requests. `recording`: the audio by its id. `live`: records a call that is going on.

mod api;
mod dialect;
mod ed25519;
mod live;
mod payload;
mod recording;
mod verify;

use async_trait::async_trait;
use axum::http::header::CONTENT_TYPE;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::dialect::{Dialect, SIGNALWIRE, TELNYX, TWILIO};
use self::{api::Api, payload::Params, verify::Signed};
use super::{Live, Page, Polling, Provider, RecordingError, StartedCall, is_chat_id};
use crate::{
    domain::{Call, CallFacts, Convention, Direction, Event, EventKind, NewEvent, ProviderId, Speaker, StepError},
    env::{Env, EnvError},
    http::{ClientError, Download, Outside, guard::Guard},
    sources::{Check, Gate, Source, Unusable, Verified, WebhookRoute},
};

/// Asks Twilio to repeat a callback up to three times, also when it was answered with an error (facts: telephony §2.2).
const CALLBACK_FRAGMENT: &str = "#rc=3&rp=all";
/// Requests of one callback that is repeated share it.
const TOKEN_HEADER: &str = "i-twilio-idempotency-token";

/// One account of Twilio, or of a server that speaks the same.
pub struct Twilio {
    dialect: &'static Dialect,
    gate: Gate<Signed>,
    api: Api,
    guard: Guard,
    /// Where Twilio reaches us, if it can.
    public: Option<String>,
    polling: Polling,
}

impl Twilio {
    /// `None` when none of the vendor's variables (`TWILIO_…`, `SIGNALWIRE_…`, `TELNYX_…`) is set.
    ///
    /// # Errors
    /// When account, token or what webhooks are checked with (unless `…_WEBHOOK_VERIFY=off`) is missing, or a value cannot be
    /// used. Names the variable.
    pub fn from_env(dialect: &'static Dialect, env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        if dialect.settings.all().all(|name| env.var(name).is_none()) {
            return Ok(None);
        }
        let api = Api::from_env(dialect, env, outside)?;
        let signed = || Signed::from_env(dialect, env, api.token());
        let gate = Gate::from_env(env, dialect.name, dialect.settings.verify, signed)?;
        let guard = recording::guard(dialect, env, outside, api.base())?;
        let polling = match dialect.settings.polling {
            Some([on, interval]) => Polling::from_env(env, on, interval, 3.0)?,
            None => Polling::No,
        };
        let public = public_address(env)?;
        Ok(Some(Self { dialect, gate, guard, public, polling, api }))
    }

    /// Reads a callback, or what the API says in the form of one.
    fn event(&self, body: Vec<u8>, token: Option<&str>) -> Result<NewEvent, Unusable> {
        let params = Params::parse(&body)?;
        let kind = payload::kind(&params);
        let field = |field: &str, detail: &str| Unusable::Field { field: field.to_owned(), detail: detail.to_owned() };
        if params.text("AccountSid").is_some_and(|account| account != self.api.account()) {
            return Err(field("AccountSid", "another account than the one that is configured"));
        }
        if params.text("RecordingSid").is_some_and(|sid| !self.api.is_id("RE", sid)) {
            return Err(field("RecordingSid", "not the id of a recording"));
        }
        let about_a_call = !matches!(kind, EventKind::Other(_));
        if about_a_call && payload::facts(&params).provider_call_id.is_none() {
            return Err(field("CallSid", "missing, and so is ConferenceSid"));
        }
        let digest = hex::encode(Sha256::digest(&body));
        let dedupe_key = payload::dedupe_key(&params, token, &digest);
        Ok(NewEvent { provider: self.id(), account: self.api.account().to_owned(), kind, dedupe_key, body })
    }

    /// Recordings that are listed. One that cannot be understood is left out, and said so.
    fn recordings<'v>(&self, listed: impl IntoIterator<Item = &'v Value>) -> Vec<NewEvent> {
        let event = |one: &Value| self.event(payload::as_callback(one, payload::RECORDING), None);
        let read = listed.into_iter().filter_map(|one| {
            event(one)
                .inspect_err(
                    |error| tracing::warn!(provider = self.dialect.name, %error, "a listed recording is left out"),
                )
                .ok()
        });
        read.collect()
    }
}

impl Source for Twilio {
    fn id(&self) -> ProviderId {
        ProviderId::new(self.dialect.name)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        self.dialect.routes
    }

    fn gate(&self) -> &dyn Check {
        &self.gate
    }

    fn example(&self, _: &WebhookRoute) -> Option<(&'static str, Value)> {
        let signed: Value = serde_json::from_str(self.dialect.signed).ok()?;
        Some(("application/x-www-form-urlencoded", payload::fields(signed[0]["body"].as_str()?)))
    }

    fn receive(&self, _: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.to_ascii_lowercase().starts_with("multipart/") {
            return Err(Unusable::MediaType { expected: "application/x-www-form-urlencoded" });
        }
        let token = request.headers().get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        self.event(request.body().to_vec(), token.filter(|token| payload::is_id(token)))
    }
}

#[async_trait]
impl Provider for Twilio {
    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable> {
        Ok(payload::facts(&Params::parse(&event.body)?))
    }

    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError> {
        recording::open(&self.api, &self.guard, call).await
    }

    fn is_carrier(&self) -> bool {
        true
    }

    /// Whoever called in is on the first channel (Twilio, "Turn on dual-channel recording"). Of outbound calls it says nothing:
    /// which leg is recorded depends on how they are made.
    fn channels(&self, call: &Call) -> Convention {
        match call.facts.direction {
            Some(Direction::Inbound) => Convention::documented([Speaker::Caller, Speaker::Agent]),
            _ => Convention::usual(),
        }
    }

    /// A recording's callback says neither numbers nor direction.
    fn incomplete(&self, call: &Call) -> bool {
        call.facts.direction.is_none() && call.facts.key("call_sid").is_some()
    }

    async fn lookup(&self, call: &Call) -> Result<Vec<NewEvent>, StepError> {
        let Some(sid) = call.facts.key("call_sid").filter(|sid| self.api.is_id("CA", sid)) else {
            return Ok(Vec::new());
        };
        let found = match self.api.call(sid).await {
            Ok(found) => found,
            Err(error) if error.is(404) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let said = self.event(payload::as_callback(&found, payload::CALL), None);
        let said =
            said.map_err(|_| ClientError::nonsense(self.dialect.name, "answered with something else than the call"))?;
        let mut events = vec![said];
        // One may be known that was not complete when it was told of.
        if call.facts.key("recording_sid").is_none() || !call.facts.recording_announced {
            let listed = self.api.recordings_of(sid).await?;
            events.extend(self.recordings(listed.iter().filter(|one| one["status"] != "deleted")));
        }
        Ok(events)
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    async fn poll(&self, since: DateTime<Utc>, page: Option<&str>) -> Result<Page, StepError> {
        let found = match page {
            None => self.api.recordings_since(since).await?,
            Some(page) => self.api.recordings_at(page).await?,
        };
        // What is not complete is listed again on the rounds to come.
        let ended = |one: &&Value| matches!(one["status"].as_str(), Some("completed" | "absent" | "failed"));
        Ok(Page { events: self.recordings(found.recordings.iter().filter(ended)), next: found.next_page_uri })
    }

    fn registered(&self, call: &StartedCall, _at: DateTime<Utc>) -> Result<NewEvent, Unusable> {
        let unusable =
            |field: &str, detail: &str| Unusable::Field { field: field.to_owned(), detail: detail.to_owned() };
        let sid = call.call_sid.as_deref().filter(|sid| self.api.is_id("CA", sid));
        let sid = sid.ok_or_else(|| unusable("call_sid", "not an id"))?;
        if call.conversation_id.is_some() {
            return Err(unusable("conversation_id", "whose conversation it is is not set up"));
        }
        if call.chat_id.as_deref().is_some_and(|chat| !is_chat_id(chat)) {
            return Err(unusable("chat_id", "not an id"));
        }
        let body = payload::registered(self.api.account(), sid, call);
        let dedupe_key = format!("registered:{}", call.digest());
        let kind = EventKind::CallStarted;
        Ok(NewEvent { provider: self.id(), account: self.api.account().to_owned(), kind, dedupe_key, body })
    }

    fn records_live(&self) -> bool {
        self.dialect.live
    }

    async fn record(&self, call: &Call) -> Result<Live, StepError> {
        match call.facts.key("call_sid") {
            Some(sid) => live::record(&self.api, self.public.as_deref(), sid).await,
            None => Err(StepError::fail("no-call-id", anyhow::anyhow!("Twilio's id of the call is not known"))),
        }
    }

    async fn check(&self) -> anyhow::Result<String> {
        self.api.check().await?;
        Ok(match (self.public.is_some(), self.polling) {
            // Telnyx signs no addresses: whether it reaches us, only it knows.
            (false, Polling::Off) => {
                format!(
                    "credentials accepted; but nothing will come: set WEBHOOK_BASE_URL or {}=true",
                    self.dialect.settings.polling.map_or("polling", |[on, _]| on)
                )
            }
            _ => "credentials accepted".to_owned(),
        })
    }
}

/// Where Twilio reaches us, without a trailing slash.
fn public_address(env: &Env) -> Result<Option<String>, EnvError> {
    env.var("WEBHOOK_BASE_URL").is_some().then(|| env.base_url("WEBHOOK_BASE_URL", "")).transpose()
}

#[cfg(feature = "fuzzing")]
impl Twilio {
    /// What the API's recordings and calls come to.
    pub(crate) fn fuzz_listed(&self, rows: &[Value]) -> Vec<NewEvent> {
        let calls = rows.iter().filter_map(|row| self.event(payload::as_callback(row, payload::CALL), None).ok());
        self.recordings(rows).into_iter().chain(calls).collect()
    }
}

#[cfg(test)]
mod tests;

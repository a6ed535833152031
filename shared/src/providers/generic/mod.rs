//! Any system that posts JSON or forms about calls: the fields are found by the names that such systems use, or where the
//! settings say that they are.
//!
//! - `check`: a secret that is shown, or a signature. `body`: every value of a body with the names that lead to it.
//! - `names`: what fields are called; another name is one more word there. `mapping`: where the settings say that they are.
//! - `payload`: what it all means. `links`: which URL is the recording. `media`: fetches it.

mod body;
mod check;
mod links;
mod mapping;
mod media;
mod names;
mod payload;

use async_trait::async_trait;
use serde_json::Value;

use self::{body::Body, check::Proof, mapping::Mapping, media::Media, payload::Reading};
use super::{Provider, RecordingError};
use crate::{
    domain::{Call, CallFacts, Event, EventKind, NewEvent, ProviderId},
    env::Env,
    http::{Download, Outside},
    sources::{Check, Gate, Source, Unusable, Verified, WebhookRoute},
};

const NAME: &str = "generic";
/// A whole transcript may be in it.
const MAX_BODY: usize = 1 << 20;

const SECRET: &str = "GENERIC_WEBHOOK_SECRET";
const SECRET_HEADER: &str = "GENERIC_SECRET_HEADER";
const SIGNATURE_HEADER: &str = "GENERIC_SIGNATURE_HEADER";
const VERIFY: &str = "GENERIC_WEBHOOK_VERIFY";
const FIELDS: &str = "GENERIC_FIELDS";
const HOSTS: &str = "GENERIC_RECORDING_HOSTS";
const AUTHORIZATION: &str = "GENERIC_RECORDING_AUTHORIZATION";

const ROUTES: &[WebhookRoute] = &[WebhookRoute { path: "/webhooks/generic", hint: "generic", max_bytes: MAX_BODY }];

/// Some system that posts about calls.
pub struct Generic {
    gate: Gate<Proof>,
    mapping: Mapping,
    media: Media,
}

impl Generic {
    /// `None` when no `GENERIC_…` variable is set.
    ///
    /// # Errors
    /// When some are set but `GENERIC_WEBHOOK_SECRET` is not (unless `GENERIC_WEBHOOK_VERIFY=off`), or a value cannot be used.
    /// Names the variable.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let ours = [SECRET, SECRET_HEADER, SIGNATURE_HEADER, VERIFY, FIELDS, HOSTS, AUTHORIZATION];
        if ours.iter().all(|name| env.var(name).is_none()) {
            return Ok(None);
        }
        let gate = Gate::from_env(env, NAME, VERIFY, || Proof::from_env(env))?;
        let mapping = Mapping::from_env(env)?;
        Ok(Some(Self { gate, mapping, media: Media::from_env(env, outside)? }))
    }

    fn read<'b>(&'b self, body: &'b Body) -> Reading<'b> {
        Reading::new(body, &self.mapping)
    }
}

impl Source for Generic {
    fn id(&self) -> ProviderId {
        ProviderId::new(NAME)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        ROUTES
    }

    fn gate(&self) -> &dyn Check {
        &self.gate
    }

    fn example(&self, _: &WebhookRoute) -> Option<(&'static str, Value)> {
        Some(("application/json", serde_json::from_str(include_str!("../fixtures/generic_nested.json")).ok()?))
    }

    fn receive(&self, _: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        body::refuse_uploads(request.headers())?;
        let body = Body::parse(request.body())?;
        let reading = self.read(&body);
        let kind = meant(&reading)?;
        // Only the settings can say which field is the event's id: one that merely looks like it would lose events.
        let dedupe_key = match reading.event_id() {
            Some(id) => format!("id:{id}"),
            None => format!("{}:{}", kind.as_str(), request.digest()),
        };
        let (account, body) = ("default".to_owned(), request.body().to_vec());
        Ok(NewEvent { provider: self.id(), account, kind, dedupe_key, body })
    }
}

#[async_trait]
impl Provider for Generic {
    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable> {
        Ok(self.read(&Body::parse(&event.body)?).facts(&event.kind))
    }

    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError> {
        self.media.open(call).await
    }

    async fn check(&self) -> anyhow::Result<String> {
        Ok(self.media.check())
    }
}

/// What the event is, where it can be used.
fn meant(reading: &Reading) -> Result<EventKind, Unusable> {
    let unusable = |field: &str, detail: String| Err(Unusable::Field { field: field.to_owned(), detail });
    let kind = reading.kind();
    if let Some(kind @ EventKind::Other(_)) = kind {
        return Ok(kind);
    }
    if let Some((field, why)) = reading.bad_id() {
        return unusable(field, why.to_owned());
    }
    let facts = reading.facts(kind.as_ref().unwrap_or(&EventKind::other()));
    if facts.keys.is_empty() && facts.external_phone.is_none() {
        return unusable(
            "call_id",
            format!("missing, and so is the other party's number; say in {FIELDS} where it is"),
        );
    }
    match kind {
        Some(kind) => Ok(kind),
        None => unusable(
            "event",
            format!("missing, and so are a status, an end, a duration and a recording; say in {FIELDS} where it is"),
        ),
    }
}

/// What a body says where the settings say what its fields are.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_fields(env: &Env, body: &[u8]) -> Option<(EventKind, CallFacts)> {
    let (mapping, body) = (Mapping::from_env(env).ok()?, Body::parse(body).ok()?);
    let reading = Reading::new(&body, &mapping);
    let kind = reading.kind().unwrap_or_else(EventKind::other);
    Some((kind.clone(), reading.facts(&kind)))
}

#[cfg(test)]
mod tests;

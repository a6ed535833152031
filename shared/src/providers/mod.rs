//! Where calls come from.
//!
//! To add a provider: 1. a file here with a type that implements [`Source`] (its webhooks) and [`Provider`], and a `from_env`
//! that returns `None` when its settings are absent; 2. its line in [`KNOWN`]; 3. fixtures in `fixtures/` and an
//! example in `sources/conformance/`, whose rules, and those of `conformance` here, run over the registry.

mod api;
pub mod cloudtalk;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod elevenlabs;
pub mod generic;
pub mod twilio;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use api::{Live, Page, Polling, StartedCall, is_chat_id};

use crate::{
    domain::{Call, CallFacts, Convention, Event, Judged, NewEvent, ProviderId, StepError, Transcript},
    env::Env,
    http::{Download, Outside},
    sources::{Source, Unusable},
};

/// A telephony system that announces calls and keeps recordings.
#[async_trait]
pub trait Provider: Source {
    /// What a recorded event says of its call. Depends on nothing but the event. Facts without any key and without a phone
    /// number cannot be tied to a call.
    ///
    /// # Errors
    /// [`Unusable`], when the body cannot be understood after all.
    fn facts(&self, event: &Event) -> Result<CallFacts, Unusable>;

    /// The provider's own transcript, where the event brings one ([`CallFacts::words`]). It is used when there is no audio.
    fn transcript(&self, _event: &Event) -> Option<Transcript> {
        None
    }

    /// What the provider itself makes of the call, where the event says. It is used when no model is configured.
    fn judged(&self, _event: &Event) -> Option<Judged> {
        None
    }

    /// Opens the recording of a call, from its URL or the provider's own endpoint. The bytes are not yet proven.
    ///
    /// # Errors
    /// Snooze while it is not ready, skip-worthy absence as [`RecordingError::Never`], others with their verdict.
    async fn open_recording(&self, call: &Call) -> Result<Download, RecordingError>;

    /// Whether it carries telephone calls in which somebody else may hold the conversation. Such a call is the other's, and
    /// the carrier's recording, which keeps both sides apart, serves it.
    fn is_carrier(&self) -> bool {
        false
    }

    /// Who is on channel 0 and 1 of its two-channel recordings.
    fn channels(&self, _call: &Call) -> Convention {
        Convention::usual()
    }

    /// Whether its API can say more of the call than its events did; then [`Provider::lookup`] is due.
    fn incomplete(&self, _call: &Call) -> bool {
        false
    }

    /// What its API says of one call and its recordings, as the events that its webhooks would have been, with their
    /// [`NewEvent::dedupe_key`]: an event that came, too, counts once.
    ///
    /// # Errors
    /// When it cannot be asked, with the verdict.
    async fn lookup(&self, _call: &Call) -> Result<Vec<NewEvent>, StepError> {
        Ok(Vec::new())
    }

    /// Whether its API is asked from time to time for what no webhook brought.
    fn polling(&self) -> Polling {
        Polling::No
    }

    /// A page of what its API knows of calls since then, like [`Provider::lookup`]; `page` is [`Page::next`] of the one before.
    ///
    /// # Errors
    /// When it cannot be asked, with the verdict.
    async fn poll(&self, _since: DateTime<Utc>, _page: Option<&str>) -> Result<Page, StepError> {
        Ok(Page::default())
    }

    /// A call that was started elsewhere, as the event that makes it known: what is told of it later is tied to it, by each of
    /// its names.
    ///
    /// # Errors
    /// [`Unusable::Field`], when it is no call of this provider, or one of its names cannot be its name.
    fn registered(&self, _call: &StartedCall, _at: DateTime<Utc>) -> Result<NewEvent, Unusable> {
        Err(Unusable::Field { field: "call_sid".to_owned(), detail: "not an id".to_owned() })
    }

    /// Whether it can [`Provider::record`].
    fn records_live(&self) -> bool {
        false
    }

    /// Starts to record a call that goes on, once: a call that is recorded already stays as it is. `call` may be of another
    /// provider that names it by a `call_sid` of this one.
    ///
    /// # Errors
    /// Snooze while it is not answered; others with their verdict.
    async fn record(&self, _call: &Call) -> Result<Live, StepError> {
        Err(StepError::fail("cannot-record", anyhow::anyhow!("{} cannot record a live call", self.id())))
    }

    /// Makes one harmless call with the configured credentials; for `doctor`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    async fn check(&self) -> anyhow::Result<String>;
}

/// Why a recording could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The provider does not have it yet; it may come.
    #[error("not ready yet")]
    NotReady,
    /// The provider will never have it (deleted, expired, not recorded).
    #[error("gone for good: {0}")]
    Never(String),
    /// Anything else, with its verdict.
    #[error(transparent)]
    Step(#[from] StepError),
}

type FromEnv = fn(&Env, &Outside) -> anyhow::Result<Option<Arc<dyn Provider>>>;

/// THE list.
const KNOWN: [(&str, FromEnv); 6] = [
    ("cloudtalk", |env, outside| some(cloudtalk::CloudTalk::from_env(env, outside))),
    ("twilio", |env, outside| some(twilio::Twilio::from_env(&twilio::TWILIO, env, outside))),
    ("signalwire", |env, outside| some(twilio::Twilio::from_env(&twilio::SIGNALWIRE, env, outside))),
    ("telnyx", |env, outside| some(twilio::Twilio::from_env(&twilio::TELNYX, env, outside))),
    ("elevenlabs", |env, outside| some(elevenlabs::ElevenLabs::from_env(env, outside))),
    ("generic", |env, outside| some(generic::Generic::from_env(env, outside))),
];

fn some<P: Provider + 'static>(made: anyhow::Result<Option<P>>) -> anyhow::Result<Option<Arc<dyn Provider>>> {
    Ok(made?.map(|provider| Arc::new(provider) as _))
}

/// The configured providers.
#[derive(Clone, Default)]
pub struct Providers(Vec<Arc<dyn Provider>>);

impl Providers {
    /// The providers that have settings.
    ///
    /// # Errors
    /// When settings are there and cannot be used; above all a missing webhook secret.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Self> {
        let known = KNOWN.iter().map(|(_, from_env)| from_env(env, outside));
        let known = known.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self(known.into_iter().flatten().collect()))
    }

    /// The names of all that there are, configured or not.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// These providers, for tests.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Self {
        Self(providers)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.iter()
    }

    /// The one of that name.
    pub fn get(&self, id: &ProviderId) -> Option<&Arc<dyn Provider>> {
        self.0.iter().find(|p| &p.id() == id)
    }
}

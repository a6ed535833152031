//! Who sends webhooks: every provider, and systems that no call comes from.
//!
//! A provider is a source by implementing [`Source`] beside [`Provider`](crate::providers::Provider); it is listed with the
//! providers. To add a source that is no provider: a file here with a type that implements [`Source`] and a `from_env` that
//! returns `None` when its settings are absent, its line in [`OTHERS`], and an example in `conformance`, whose rules run over
//! all of them.

mod accepted;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod fields;
mod gate;
pub mod gohighlevel;
pub(crate) mod loose;
mod request;
mod secret;
mod sieve;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde_json::Value;

pub use accepted::Accepted;
pub use gate::Check;
pub(crate) use gate::Gate;
pub use request::{Refused, Unusable, Verified, WebhookRequest};
pub use secret::SharedSecret;
pub use sieve::Sieve;

use crate::{
    domain::{NewEvent, ProviderId, Recording},
    env::Env,
    providers::Providers,
};

/// A webhook route of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookRoute {
    /// Path on the public listener.
    pub path: &'static str,
    /// What the path says the event is; the content decides.
    pub hint: &'static str,
    /// Largest body in bytes that is accepted; counted while it is read.
    pub max_bytes: usize,
}

/// A system that sends webhooks.
pub trait Source: Send + Sync {
    /// Its name: path segment, metric label, column.
    fn id(&self) -> ProviderId;

    /// Its webhook routes.
    fn webhooks(&self) -> &'static [WebhookRoute];

    /// What tells its requests from anybody else's.
    fn gate(&self) -> &dyn Check;

    /// Whether a request with this head can pass [`Source::verify`]. The body of one that cannot is not read.
    fn may_pass(&self, target: &str, headers: &HeaderMap) -> bool {
        self.gate().may_pass(target, headers)
    }

    /// Checks that the request comes from the source. Nothing is parsed before.
    ///
    /// # Errors
    /// [`Refused`], which is answered with 401 and tells the sender nothing more.
    fn verify<'r>(&self, request: &'r WebhookRequest<'r>) -> Result<Verified<'r>, Refused> {
        if self.gate().passes(request) { Ok(Verified::vouch(request)) } else { Err(Refused) }
    }

    /// Reads a verified request. Authentic but unknown events are kept as [`crate::domain::EventKind::Other`].
    ///
    /// # Errors
    /// [`Unusable`]: answered with 400 or 422 and the field's name.
    fn receive(&self, route: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable>;

    /// A body as it is really sent to this route, with invented values, and its media type; for the API's description.
    fn example(&self, _route: &WebhookRoute) -> Option<(&'static str, Value)> {
        None
    }

    /// What it is answered, with `Retry-After`, while its events cannot be recorded: what makes it come again.
    fn busy(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    /// For a route whose bodies may hold a whole recording: takes one apart while it comes in, in place of
    /// [`Source::verify`]. `None`: bodies are small, and read whole.
    fn sieve(
        &self,
        _route: &WebhookRoute,
        _headers: &HeaderMap,
        _received_at: DateTime<Utc>,
    ) -> Option<Result<Box<dyn Sieve>, Refused>> {
        None
    }

    /// The event with what is known of the recording that came with it, which is stored by now
    /// ([`crate::domain::CallFacts::received`]).
    fn with_recording(&self, event: NewEvent, _recording: &Recording) -> NewEvent {
        event
    }
}

type FromEnv = fn(&Env) -> anyhow::Result<Option<Arc<dyn Source>>>;

/// THE list of those that no call comes from.
const OTHERS: [(&str, FromEnv); 1] =
    [("gohighlevel", |env| Ok(gohighlevel::GoHighLevel::from_env(env)?.map(|source| Arc::new(source) as _)))];

/// The configured sources.
#[derive(Clone, Default)]
pub struct Sources(Vec<Arc<dyn Source>>);

impl Sources {
    /// These providers, and the other sources that have settings.
    ///
    /// # Errors
    /// When settings are there and cannot be used.
    pub fn from_env(env: &Env, providers: &Providers) -> anyhow::Result<Self> {
        let others = OTHERS.iter().map(|(_, from_env)| from_env(env));
        let others = others.collect::<anyhow::Result<Vec<_>>>()?;
        let providers = providers.iter().cloned().map(|provider| provider as _);
        Ok(Self(providers.chain(others.into_iter().flatten()).collect()))
    }

    /// The names of all that there are, configured or not.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Providers::names().chain(OTHERS.iter().map(|(name, _)| *name))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Source>> {
        self.0.iter()
    }
}

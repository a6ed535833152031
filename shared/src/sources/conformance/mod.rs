//! What every source has to do, whatever it sends. The rules here need no server; `ingest/tests/it/conformance.rs` has those
//! of a webhook's way through the listener and the database, and `providers/conformance/` what is true of providers alone. All
//! run over the registry, and fail where a source is in it that has no [`Example`].
//!
//! - `examples`: of providers; `contacts`: of sources that no call comes from. `signing`: what vendors do with a body.
//! - `refusing`: who is let in. To add a rule: one function. To add a source: an example for each way in which it shows who it is.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests may panic")]

mod contacts;
mod examples;
mod refusing;
mod signing;

use std::{collections::BTreeSet, sync::Arc};

use axum::http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use chrono::{DateTime, Utc};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use url::form_urlencoded;

pub use refusing::{
    any_body_passes_as_it_was_signed_and_no_other_does, nothing_that_differs_in_a_bit_is_accepted,
    without_its_key_nothing_passes, without_its_secret_it_refuses_to_start,
};

use super::{Source, Sources, Verified, WebhookRequest, WebhookRoute};
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallFacts, EventKind, NewEvent},
    env::Env,
    http::Outside,
    providers::{Provider, Providers},
};

/// Headers, or settings.
pub type Pairs = Vec<(&'static str, String)>;
/// Paths and bodies.
pub type Requests = &'static [(&'static str, &'static str)];

/// What is set where a vendor is at this address, and a call whose recording it has.
pub type At = fn(url: &str) -> (Pairs, CallFacts);

/// How one source is set up, and what it sends.
pub struct Example {
    /// Its name in the registry.
    pub source: &'static str,
    /// In which of its ways it shows who it is here.
    pub way: &'static str,
    /// What it starts with. Base URLs lead nowhere.
    pub settings: Pairs,
    /// Those of them without any of which it does not start.
    pub secrets: &'static [&'static str],
    /// Those without any of which it starts, and refuses what is sent in this way.
    pub keys: &'static [&'static str],
    /// The content type of its bodies.
    pub content_type: &'static str,
    /// What it sends and what can be told from its repetition, in the order in which it is sent; of a provider, all of one call.
    pub events: Requests,
    /// News of a contact that nothing tells from its repetition.
    pub changes: Requests,
    /// Authentic, and about nothing that we know; where there can be such.
    pub unknown: Option<(&'static str, &'static str)>,
    /// Whether what it shows depends on the body. Otherwise it is a fixed secret.
    pub signs_bodies: bool,
    /// Whether two bodies are one to who signs them: a form may be spelled in more than one way.
    pub is_same: fn(&[u8], &[u8]) -> bool,
    /// The headers that show who sent this body to that address at that time.
    pub sign: fn(address: &str, body: &[u8], now: DateTime<Utc>) -> Pairs,
    /// The value of such a header, with what may be written in several ways written in one.
    pub spelled: fn(&str) -> String,
    /// For fetching from it. Only of a provider.
    pub vendor: Option<At>,
}

/// One of each way of each source in the registry.
pub fn examples() -> Vec<Example> {
    examples::providers().into_iter().chain(contacts::others()).collect()
}

impl Example {
    /// The source and its way, for messages.
    pub fn name(&self) -> String {
        format!("{}, {}", self.source, self.way)
    }

    /// Its settings, for a service that is reached at `public`.
    fn env(&self, public: &str) -> Env {
        Env::from_pairs(self.settings.iter().cloned()).with([("WEBHOOK_BASE_URL", public)])
    }

    /// The source. It is found by the registry.
    fn start(&self, public: &str) -> Arc<dyn Source> {
        let (sources, _) = open(&self.env(public)).unwrap();
        let mut started = sources.iter();
        let source = started.next().unwrap_or_else(|| panic!("{} does not start", self.name())).clone();
        assert_eq!((source.id().as_str(), started.next().is_none()), (self.source, true));
        source
    }

    /// The same as a provider, with further settings.
    pub(crate) fn provider(&self, public: &str, more: Pairs) -> Arc<dyn Provider> {
        let (_, providers) = open(&self.env(public).with(more)).unwrap();
        providers.iter().next().unwrap_or_else(|| panic!("{} is no provider", self.name())).clone()
    }

    /// All that it sends.
    pub fn requests(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.events.iter().chain(self.changes)
    }

    /// The headers of a request.
    pub fn headers(&self, address: &str, body: &[u8], now: DateTime<Utc>) -> HeaderMap {
        let kind = ("content-type", self.content_type.to_owned());
        let all = (self.sign)(address, body, now).into_iter().chain([kind]);
        all.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    /// What becomes of an authentic request.
    pub(crate) fn receive(&self, source: &dyn Source, path: &str, body: &str) -> NewEvent {
        let headers = self.headers(&format!("{PUBLIC}{path}"), body.as_bytes(), now());
        let request = WebhookRequest { target: path, headers: &headers, body: body.as_bytes(), received_at: now() };
        let name = self.name();
        let verified = verify(source, path, &request).unwrap_or_else(|| panic!("{name}: {path}: it is refused"));
        source.receive(&route(source, path), verified).unwrap_or_else(|error| panic!("{name}: {path}: {error}"))
    }
}

/// Where vendors reach us.
pub(crate) const PUBLIC: &str = "https://hooks.example.test";

/// When all of it happens.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

/// The same cases in every run: a suite over real databases must not fail now and then.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn open(env: &Env) -> anyhow::Result<(Sources, Providers)> {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    let providers = Providers::from_env(env, &outside)?;
    Ok((Sources::from_env(env, &providers)?, providers))
}

fn route(source: &dyn Source, path: &str) -> WebhookRoute {
    *source.webhooks().iter().find(|route| route.path == path).unwrap_or_else(|| panic!("no route {path}"))
}

/// Checks a request as ingest does: by its head, and bodies that may hold a recording piece by piece.
fn verify<'r>(source: &dyn Source, path: &str, request: &'r WebhookRequest<'r>) -> Option<Verified<'r>> {
    if !source.may_pass(request.target, request.headers) {
        return None;
    }
    match source.sieve(&route(source, path), request.headers, request.received_at) {
        None => source.verify(request).ok(),
        Some(sieve) => {
            let mut sieve = sieve.ok()?;
            let (mut rest, mut audio) = (Vec::new(), Vec::new());
            for piece in request.body.chunks(7) {
                sieve.take(piece, &mut rest, &mut audio);
            }
            sieve.verify(request).ok()
        }
    }
}

/// A source that nobody gave an example of is tested by nobody; neither is a provider whose recordings nobody fetches.
pub fn every_source_has_an_example() {
    let known: BTreeSet<_> = Sources::names().collect();
    let shown: BTreeSet<_> = examples().iter().map(|example| example.source).collect();
    assert_eq!(known, shown, "sources in the registry, and examples in the conformance suite");
    let known: BTreeSet<_> = Providers::names().collect();
    let fetched: BTreeSet<_> = examples().iter().filter(|e| e.vendor.is_some()).map(|e| e.source).collect();
    assert_eq!(known, fetched, "providers in the registry, and examples with a recording");
}

/// On every route, what the API's description shows is taken for what it is. Unsigned, it is not.
pub fn what_the_api_description_shows_is_taken_on_every_route() {
    for example in examples() {
        let source = example.start(PUBLIC);
        for route in source.webhooks() {
            let what = format!("{}: {}", example.name(), route.path);
            let (kind, body) = source.example(route).unwrap_or_else(|| panic!("{what}: no example"));
            assert_eq!(kind, example.content_type, "{what}");
            let body = if kind == "application/json" { body.to_string() } else { form(&body) };
            let event = example.receive(&*source, route.path, &body);
            assert!(!matches!(event.kind, EventKind::Other(_)), "{what}: {:?}", event.kind);
            assert_eq!(event.body, body.as_bytes(), "{what}");
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            let (target, body) = (route.path, body.as_bytes());
            let unsigned = WebhookRequest { target, headers: &headers, body, received_at: now() };
            assert!(verify(&*source, route.path, &unsigned).is_none(), "{what}: from anybody");
        }
    }
}

fn form(fields: &Value) -> String {
    let fields = fields.as_object().expect("the fields of a form").iter();
    let fields = fields.map(|(name, value)| (name, value.as_str().expect("a form has texts alone")));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

//! What every provider has to do, whatever it sends. The rules here need no server; `ingest/tests/it/conformance.rs` has those
//! of a webhook's way through the listener and the database. Both run over the registry, and fail where a provider is in it
//! that has no [`Example`]. To add a rule: one function. To add a provider: one example in `examples.rs`.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests may panic")]

mod examples;
mod fetching;
mod signing;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, Utc};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

pub use examples::examples;
pub use fetching::{a_recording_on_a_foreign_or_private_host_is_not_asked_for, a_vendors_answer_has_its_verdict};

use super::{Provider, Providers};
use crate::{
    budgets::Budgets,
    clock::Clock,
    db::{self, Db},
    domain::{Call, CallFacts, CallId, Event, EventId, NewEvent},
    env::Env,
    http::Outside,
    sources::{Verified, WebhookRequest, WebhookRoute},
    testing::{Scratch, Shape},
    tying,
};

/// Headers, or settings.
pub type Pairs = Vec<(&'static str, String)>;

/// How one provider is set up, and what it sends.
pub struct Example {
    /// Its name in the registry.
    pub provider: &'static str,
    /// What it starts with. Base URLs lead nowhere.
    pub settings: &'static [(&'static str, &'static str)],
    /// Those of them that what it sends is checked with: without any of them it does not start.
    pub secrets: &'static [&'static str],
    /// The content type of its bodies.
    pub content_type: &'static str,
    /// Paths and bodies of one call, in the order in which they are sent.
    pub events: &'static [(&'static str, &'static str)],
    /// Authentic, and about nothing that we know.
    pub unknown: (&'static str, &'static str),
    /// Whether what it shows depends on the body. Otherwise it is a fixed secret.
    pub signs_bodies: bool,
    /// The headers that show who sent this body to that address at that time.
    pub sign: fn(address: &str, body: &[u8], now: DateTime<Utc>) -> Pairs,
    /// What is set where the vendor, or its recordings, are at this address, and a call whose recording it has.
    pub vendor: fn(url: &str) -> (Pairs, CallFacts),
}

impl Example {
    /// Its settings, for a service that is reached at `public`.
    pub fn env(&self, public: &str) -> Env {
        Env::from_pairs(self.settings.iter().copied()).with([("WEBHOOK_BASE_URL", public)])
    }

    /// The provider. It is found by the registry.
    pub fn start(&self, public: &str) -> Arc<dyn Provider> {
        self.start_with(public, Vec::new())
    }

    fn start_with(&self, public: &str, more: Pairs) -> Arc<dyn Provider> {
        let env = self.env(public).with(more);
        let providers = Providers::from_env(&env, &outside()).unwrap();
        let mut started = providers.iter();
        let provider = started.next().unwrap_or_else(|| panic!("{} does not start", self.provider)).clone();
        assert_eq!((provider.id().as_str(), started.next().is_none()), (self.provider, true));
        provider
    }

    /// The headers of a request.
    pub fn headers(&self, address: &str, body: &[u8], now: DateTime<Utc>) -> HeaderMap {
        let kind = ("content-type", self.content_type.to_owned());
        let all = (self.sign)(address, body, now).into_iter().chain([kind]);
        all.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    /// Its events as they would be recorded.
    fn recorded(&self, provider: &dyn Provider) -> Vec<Event> {
        self.events.iter().map(|(path, body)| event(receive(self, provider, path, body))).collect()
    }
}

const PUBLIC: &str = "https://hooks.example.test";

fn outside() -> Outside {
    Outside::new(Budgets::unlimited(), Clock::system()).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

fn route(provider: &dyn Provider, path: &str) -> WebhookRoute {
    *provider.webhooks().iter().find(|route| route.path == path).unwrap_or_else(|| panic!("no route {path}"))
}

fn receive(example: &Example, provider: &dyn Provider, path: &str, body: &str) -> NewEvent {
    let headers = example.headers(&format!("{PUBLIC}{path}"), body.as_bytes(), now());
    let request = WebhookRequest { target: path, headers: &headers, body: body.as_bytes(), received_at: now() };
    let verified = verify(provider, path, &request).unwrap_or_else(|| panic!("{path}: what is signed is refused"));
    provider.receive(&route(provider, path), verified).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Checks a request as ingest does: bodies that may hold a recording piece by piece.
fn verify<'r>(provider: &dyn Provider, path: &str, request: &'r WebhookRequest<'r>) -> Option<Verified<'r>> {
    match provider.sieve(&route(provider, path), request.headers, request.received_at) {
        None => provider.verify(request).ok(),
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

fn event(new: NewEvent) -> Event {
    let NewEvent { provider, account, kind, dedupe_key, body } = new;
    Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at: now() }
}

/// A provider that nobody gave an example of is tested by nobody.
pub fn every_provider_has_an_example() {
    let mut known: Vec<_> = Providers::names().collect();
    let mut shown: Vec<_> = examples().iter().map(|example| example.provider).collect();
    known.sort_unstable();
    shown.sort_unstable();
    assert_eq!(known, shown, "providers in the registry, and examples in the conformance suite");
}

/// What a provider is checked with is never guessed, and never left out in silence.
pub fn without_its_secret_it_refuses_to_start() {
    for example in examples() {
        for secret in example.secrets {
            let without = example.settings.iter().filter(|(name, _)| name != secret).copied();
            let error = Providers::from_env(&Env::from_pairs(without), &outside()).err();
            let error = error.unwrap_or_else(|| panic!("{} starts without {secret}", example.provider)).to_string();
            assert!(error.contains(secret), "{}: {error}", example.provider);
        }
    }
}

/// One flipped bit, in the body or in what is shown, is somebody else.
pub fn nothing_that_differs_in_a_bit_is_accepted() {
    for example in examples() {
        let provider = example.start(PUBLIC);
        let (path, body) = example.events[0];
        let headers = example.headers(&format!("{PUBLIC}{path}"), body.as_bytes(), now());
        let passes = |headers: &HeaderMap, body: &[u8]| {
            let request = WebhookRequest { target: path, headers, body, received_at: now() };
            verify(&*provider, path, &request).is_some()
        };
        let name = example.provider;
        assert!(passes(&headers, body.as_bytes()), "{name}: what is signed is refused");
        let shown: Vec<_> = (example.sign)(&format!("{PUBLIC}{path}"), body.as_bytes(), now());
        for (header, value) in shown {
            let mut without = headers.clone();
            without.remove(header);
            assert!(!passes(&without, body.as_bytes()), "{name}: without {header}");
            for at in (0..value.len()).filter(|at| value.as_bytes()[*at].is_ascii_alphanumeric()) {
                let mut other = value.clone().into_bytes();
                other[at] ^= 1;
                let Ok(other) = axum::http::HeaderValue::from_bytes(&other) else { continue };
                let mut flipped = headers.clone();
                flipped.insert(header, other);
                // The last character of base64 has bits that mean nothing.
                let idle = value.ends_with('=') && value.trim_end_matches('=').len() == at + 1;
                assert!(idle || !passes(&flipped, body.as_bytes()), "{name}: {header}, character {at}");
            }
        }
        for at in (0..body.len()).filter(|_| example.signs_bodies) {
            let mut other = body.as_bytes().to_vec();
            other[at] ^= 1;
            assert!(!passes(&headers, &other), "{name}: byte {at} of the body");
        }
    }
}

/// Whatever the body is, what the vendor signed passes, and the same with a flipped bit does not.
pub fn any_body_passes_as_it_was_signed_and_no_other_does() {
    let strategy = (proptest::collection::vec(proptest::num::u8::ANY, 1..120), "[ -~]{1,80}", 0..960_usize);
    for example in examples().into_iter().filter(|example| example.signs_bodies) {
        let (provider, (path, _)) = (example.start(PUBLIC), example.events[0]);
        let check = |(bytes, text, bit): (Vec<u8>, String, usize)| {
            for body in [bytes, text.into_bytes()] {
                let headers = example.headers(&format!("{PUBLIC}{path}"), &body, now());
                let passes = |body: &[u8]| {
                    let request = WebhookRequest { target: path, headers: &headers, body, received_at: now() };
                    verify(&*provider, path, &request).is_some()
                };
                proptest::prop_assert!(passes(&body), "{}: what is signed is refused", example.provider);
                let mut other = body.clone();
                other[bit / 8 % body.len()] ^= 1 << (bit % 8);
                // `%2b` and `%2B` are two spellings of one form.
                let fields = |body: &[u8]| url::form_urlencoded::parse(body).into_owned().collect::<Vec<_>>();
                let same = example.content_type.ends_with("urlencoded") && fields(&body) == fields(&other);
                let signs_spelling = example.provider == "telnyx";
                proptest::prop_assert!(same && !signs_spelling || !passes(&other), "{}: bit {bit}", example.provider);
            }
            Ok(())
        };
        runner(128).run(&strategy, check).unwrap_or_else(|error| panic!("{}: {error}", example.provider));
    }
}

/// In whatever order events come, and however often, what they say adds up to the same.
pub fn facts_add_up_to_the_same_in_any_order() {
    for example in examples() {
        let provider = example.start(PUBLIC);
        let events = example.recorded(&*provider);
        let fold = |events: &[Event]| {
            let said = events.iter().map(|e| (&e.kind, e.dedupe_key.as_str(), provider.facts(e).unwrap()));
            CallFacts::fold(said)
        };
        let expected = fold(&events);
        assert!(!expected.keys.is_empty(), "{}: a call without a key", example.provider);
        in_any_order(64, &events, |shuffled| {
            proptest::prop_assert_eq!(&fold(shuffled), &expected, "{}", example.provider);
            Ok(())
        });
    }
}

/// The same through the database: whichever event makes the call, and whichever is tied to it twice.
pub async fn events_are_tied_to_one_call_in_any_order(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let db = scratch.db().await;
    for example in examples() {
        let provider = example.start(PUBLIC);
        let events = example.recorded(&*provider);
        let mut orders = Vec::new();
        in_any_order(12, &events, |shuffled| {
            orders.push(shuffled.to_vec());
            Ok(())
        });
        let mut expected: Option<CallFacts> = None;
        for (number, order) in orders.into_iter().enumerate() {
            // Accounts are apart, so that each order makes a call of its own.
            let call = tied(&db, &provider, order, &format!("order-{number}")).await;
            assert_eq!(&call.facts, expected.get_or_insert_with(|| call.facts.clone()), "{}", example.provider);
        }
    }
    db.close().await;
}

async fn tied(db: &Db, provider: &Arc<dyn Provider>, order: Vec<Event>, account: &str) -> Call {
    let providers = Providers::new(vec![provider.clone()]);
    let mut calls: Vec<CallId> = Vec::new();
    let mut last = None;
    for event in order {
        let new = NewEvent {
            provider: event.provider,
            account: account.to_owned(),
            kind: event.kind,
            dedupe_key: event.dedupe_key,
            body: event.body,
        };
        let id = EventId::new();
        let incoming = db::events::Incoming { id, event: new, traceparent: None };
        db::events::record(db, &[incoming], now(), now()).await.unwrap();
        // One that came before is known under its first id.
        let Some(event) = db::events::find(db, id).await.unwrap() else { continue };
        let call = tying::tie(db, &providers, &event, &provider.facts(&event).unwrap(), now()).await.unwrap();
        // And a step that is repeated ties it again.
        let again = tying::tie(db, &providers, &event, &provider.facts(&event).unwrap(), now()).await.unwrap();
        assert_eq!((again.id, &again.facts), (call.id, &call.facts));
        calls.push(call.id);
        last = Some(call);
    }
    let call = last.unwrap();
    let survivor = db::calls::find(db, call.id).await.unwrap().unwrap();
    for id in calls {
        assert_eq!(db::calls::find(db, id).await.unwrap().map(|call| call.id), Some(survivor.id), "more than one call");
    }
    survivor
}

/// Calls `hold` with shuffled events, some of them several times.
fn in_any_order(cases: u32, events: &[Event], mut hold: impl FnMut(&[Event]) -> Result<(), TestCaseError>) {
    let mut runner = runner(cases);
    let order = proptest::collection::vec(0..events.len(), 0..3)
        .prop_map(|more| more.into_iter().chain(0..events.len()).collect::<Vec<_>>());
    let order = order.prop_shuffle();
    for _ in 0..cases {
        let order = order.new_tree(&mut runner).unwrap().current();
        let shuffled: Vec<_> = order.iter().map(|at| events[*at].clone()).collect();
        hold(&shuffled).unwrap_or_else(|error| panic!("in the order {order:?}: {error}"));
    }
}

/// The same cases in every run: a suite over real databases must not fail now and then.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

//! Bodies of webhooks.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};

use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallFacts, Event, EventId, EventKind, NewEvent, Step},
    env::Env,
    http::Outside,
    mirror::Change,
    providers::{self, Provider, Providers},
    sources::{Source, Sources, WebhookRequest, WebhookRoute},
};

const SECRETS: [(&str, &str); 18] = [
    ("WEBHOOK_BASE_URL", "https://hooks.example.test"),
    ("CLOUDTALK_WEBHOOK_SECRET", "an unguessable secret"),
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
    ("TWILIO_AUTH_TOKEN", "an unguessable secret"),
    ("SIGNALWIRE_PROJECT_ID", "b3877c40"),
    ("SIGNALWIRE_API_TOKEN", "PT1"),
    ("SIGNALWIRE_SIGNING_KEY", "an unguessable secret"),
    ("SIGNALWIRE_BASE_URL", "http://127.0.0.1:9"),
    ("TELNYX_ACCOUNT_SID", "cb6cfbbc"),
    ("TELNYX_API_KEY", "KEY1"),
    ("TELNYX_PUBLIC_KEY", "ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="),
    ("ELEVENLABS_WEBHOOK_SECRET", "an unguessable secret"),
    ("GENERIC_WEBHOOK_SECRET", "an unguessable secret"),
    ("GENERIC_SIGNATURE_HEADER", "x-signature"),
    ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
    ("CLOUDTALK_BASE_URL", "http://127.0.0.1:9"),
    ("GHL_LOCATION_ID", "LOC1"),
    ("GHL_WEBHOOK_SECRET", "an unguessable secret"),
];

/// Every source, the providers first.
struct Doors {
    providers: Providers,
    sources: Sources,
}

static STRICT: LazyLock<Doors> = LazyLock::new(|| Doors::new(&Env::from_pairs(SECRETS)));
static OPEN: LazyLock<Doors> = LazyLock::new(|| {
    let off = ["CLOUDTALK", "TWILIO", "SIGNALWIRE", "TELNYX", "ELEVENLABS", "GENERIC", "GHL"];
    Doors::new(&Env::from_pairs(SECRETS).with(off.map(|name| (format!("{name}_WEBHOOK_VERIFY"), "off"))))
});

impl Doors {
    fn new(env: &Env) -> Self {
        let providers = Providers::from_env(env, &outside()).expect("settings that can be used");
        let sources = Sources::from_env(env, &providers).expect("settings that can be used");
        let started = sources.iter().map(|source| source.id().to_string());
        assert!(started.eq(Sources::names()), "a source that no target reaches");
        Self { providers, sources }
    }

    /// The source and route that the byte says.
    fn chosen(&self, byte: u8) -> (&dyn Source, WebhookRoute) {
        let routes =
            self.sources.iter().flat_map(|source| source.webhooks().iter().map(move |route| (&**source, *route)));
        let all: Vec<_> = routes.collect();
        all[usize::from(byte) % all.len()]
    }
}

pub(super) fn outside() -> Outside {
    Outside::new(Budgets::unlimited(), Clock::system()).expect("the machine has TLS")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000, 0).expect("a moment")
}

/// An authentic body, of the source that the first byte says: read twice, it says the same, and nothing impossible.
pub fn webhook(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let (source, route) = OPEN.chosen(*first);
    let headers = HeaderMap::new();
    let request = WebhookRequest { target: route.path, headers: &headers, body, received_at: now() };
    let verified = source.verify(&request).expect("checking is switched off");
    let Ok(new) = source.receive(&route, verified) else { return };
    match OPEN.providers.get(&source.id()) {
        Some(provider) => plausible(&**provider, new),
        None => drop(recorded(new)),
    }
}

/// What holds for every event that was accepted, whoever sent it.
fn recorded(new: NewEvent) -> Event {
    let NewEvent { provider, account, kind, dedupe_key, body } = new;
    assert!(!dedupe_key.is_empty() && !dedupe_key.contains('\0'), "{dedupe_key:?}");
    assert!(!account.is_empty() && !account.contains('\0'), "{account:?}");
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at: now() };
    if event.kind.first_step() == Step::Mirror {
        let change = Change::of(&event).expect("it was understood before").expect("it is about a contact");
        assert!(!change.who.is_nobody(), "{:?} is about nobody", event.kind);
    }
    event
}

/// What holds for every event that was accepted from a provider.
pub(super) fn plausible(provider: &dyn Provider, new: NewEvent) {
    let event = recorded(new);
    let Ok(facts) = provider.facts(&event) else { return };
    assert_eq!(provider.facts(&event).ok().as_ref(), Some(&facts), "facts depend on more than the event");
    let text = serde_json::to_string(&facts).expect("facts can be stored");
    assert!(!text.contains("\\u0000"), "PostgreSQL keeps no NUL");
    let again: CallFacts = serde_json::from_str(&text).expect("facts can be read back");
    for seconds in [facts.duration_seconds, facts.recording_seconds].into_iter().flatten() {
        assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
    }
    assert_eq!((again.keys, again.status), (facts.keys.clone(), facts.status));
    assert!(facts.keys.iter().all(|key| !key.value.is_empty() && key.value.len() <= 256), "{:?}", facts.keys);
    let tied = !facts.keys.is_empty() || facts.external_phone.is_some();
    let about_a_call =
        matches!(event.kind, EventKind::CallStarted | EventKind::CallEnded | EventKind::RecordingAvailable);
    assert!(tied || !about_a_call, "{:?} belongs to no call", event.kind);
    let said = || std::iter::once((&event.kind, event.dedupe_key.as_str(), facts.clone()));
    assert_eq!(CallFacts::fold(said()), CallFacts::fold(said().chain(said())));
    let _ = provider.transcript(&event);
}

/// A request of somebody who does not know the secret: headers, one per line, an empty line, the body.
pub fn signature(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (source, route) = STRICT.chosen(*first);
    let end = rest.windows(2).position(|two| two == b"\n\n").unwrap_or(rest.len());
    let (head, body) = (&rest[..end], rest.get(end + 2..).unwrap_or_default());
    let header = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (HeaderName::from_bytes(&line[..at]).ok()?, HeaderValue::from_bytes(&line[at + 1..]).ok()?);
        Some((name, value))
    };
    let headers: HeaderMap = head.split(|byte| *byte == b'\n').filter_map(header).collect();
    let request = WebhookRequest { target: route.path, headers: &headers, body, received_at: now() };
    assert!(source.verify(&request).is_err(), "{} let somebody in", source.id());
    source.may_pass(route.path, &headers);
    if let Some(Ok(sieve)) = source.sieve(&route, &headers, now()) {
        assert!(sieve.verify(&request).is_err(), "{} let somebody in", source.id());
    }
}

/// `GENERIC_FIELDS` and a body, with an empty line in between.
pub fn fields(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let (fields, body) = (String::from_utf8_lossy(&data[..end]), data.get(end + 2..).unwrap_or_default());
    let env = Env::from_pairs([("GENERIC_FIELDS", format!("{{{fields}}}"))]);
    let read = || providers::generic::fuzz_fields(&env, body);
    assert_eq!(read(), read());
}

/// A body with audio in it, taken apart in pieces as long as the first byte says: the pieces make no difference, and where
/// the body is JSON, it says the same as before but for the audio.
pub fn lift(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let whole = providers::elevenlabs::fuzz_lift([body]);
    let pieces = providers::elevenlabs::fuzz_lift(body.chunks(usize::from(*first % 16) + 1));
    // What was decoded of something else than base64 is thrown away.
    assert_eq!((&whole.0, whole.2), (&pieces.0, pieces.2));
    assert!(!whole.2 || whole.1 == pieces.1);
    let (rest, audio, complete) = whole;
    let Ok(before) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    let after: serde_json::Value = serde_json::from_slice(&rest).expect("what is left of JSON is JSON");
    let text = before["data"]["full_audio"].as_str();
    if let (Some(text), true) = (text, complete) {
        assert_eq!(after["data"]["full_audio"], "");
        let bare: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        use base64::Engine;
        let engine = base64::prelude::BASE64_STANDARD_NO_PAD;
        assert_eq!(engine.decode(bare.trim_end_matches('=')).ok().as_ref(), Some(&audio));
    }
    if text.is_none() {
        assert_eq!(after, before);
    }
}

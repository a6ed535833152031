#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, de::DeserializeOwned};

use super::*;
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallStatus, Direction, EventId, EventKind},
    env::Env,
    http::Outside,
    providers::{Provider, twilio::Twilio},
    sources::{Source, WebhookRequest},
};

const PROJECT: &str = "b3877c40-da60-4998-90ad-b792e98472af";
const ACCOUNT: &str = "cb6cfbbc-eb00-41af-a3f3-0d7b32009e4b";

/// Made with the vendor's own SDK for Python (2.1.1), its `RequestValidator`.
fn signed_by_signalwire() -> Vec<BySignalWire> {
    all(SIGNALWIRE.signed)
}

/// Signed with PyNaCl, and accepted by the vendor's own SDK for Python (4.189), its `verify_webhook_signature`.
fn signed_by_telnyx() -> Vec<ByTelnyx> {
    all(TELNYX.signed)
}

#[derive(Deserialize)]
struct BySignalWire {
    name: String,
    key: String,
    target: String,
    body: String,
    content_type: String,
    signature: String,
}

#[derive(Deserialize)]
struct ByTelnyx {
    name: String,
    public_key: String,
    timestamp: String,
    body: String,
    signature: String,
}

fn all<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap()
}

fn outside() -> Outside {
    Outside::new(Budgets::unlimited(), Clock::system()).unwrap()
}

fn signalwire(key: &str, base: &str) -> Twilio {
    let env = Env::from_pairs([
        ("SIGNALWIRE_PROJECT_ID", PROJECT),
        ("SIGNALWIRE_API_TOKEN", "PT1"),
        ("SIGNALWIRE_SIGNING_KEY", key),
        ("SIGNALWIRE_BASE_URL", "https://example.signalwire.com/api/laml"),
        ("WEBHOOK_BASE_URL", base),
    ]);
    Twilio::from_env(&SIGNALWIRE, &env, &outside()).unwrap().unwrap()
}

fn telnyx(public_key: &str) -> Twilio {
    let env = [("TELNYX_ACCOUNT_SID", ACCOUNT), ("TELNYX_API_KEY", "KEY1"), ("TELNYX_PUBLIC_KEY", public_key)];
    Twilio::from_env(&TELNYX, &Env::from_pairs(env), &outside()).unwrap().unwrap()
}

fn passes(at: &Twilio, target: &str, shown: &[(&str, &str)], body: &[u8], received_at: DateTime<Utc>) -> bool {
    let header = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = shown.iter().map(header).collect();
    at.verify(&WebhookRequest { target, headers: &headers, body, received_at }).is_ok()
}

#[test]
fn what_signalwires_sdk_signed_passes_under_either_name_and_nothing_that_differs_in_a_bit() {
    for BySignalWire { name, key, target, body, content_type, signature } in signed_by_signalwire() {
        let at = signalwire(&key, "https://hooks.example.test");
        let passes = |at: &Twilio, target: &str, shown: &[(&str, &str)], body: &[u8]| {
            let shown: Vec<_> = [("content-type", content_type.as_str())].iter().chain(shown).copied().collect();
            self::passes(at, target, &shown, body, DateTime::UNIX_EPOCH)
        };
        let own = [("x-signalwire-signature", signature.as_str())];
        assert!(passes(&at, &target, &own, body.as_bytes()), "{name}");
        assert!(passes(&at, &target, &[("x-twilio-signature", &signature)], body.as_bytes()), "{name}");
        for at_byte in 0..body.len() {
            let mut other = body.clone().into_bytes();
            other[at_byte] ^= 1;
            assert!(!passes(&at, &target, &own, &other), "{name}: byte {at_byte} of the body");
        }
        for at_byte in 0..signature.len() {
            let mut other = signature.clone().into_bytes();
            other[at_byte] = if other[at_byte].eq_ignore_ascii_case(&b'a') { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(!passes(&at, &target, &[("x-signalwire-signature", &other)], body.as_bytes()), "{name}: {other}");
        }
        let both = [own[0], ("x-signalwire-signature", signature.as_str())];
        assert!(!passes(&at, &target, &both, body.as_bytes()), "{name}: two");
        assert!(!passes(&at, &target, &[], body.as_bytes()), "{name}: none");
        assert!(!passes(&at, &format!("{target}#x"), &own, body.as_bytes()), "{name}: another address");
        assert!(!passes(&signalwire("PT1", "https://hooks.example.test"), &target, &own, body.as_bytes()), "{name}");
        assert!(!passes(&signalwire(&key, "https://hooks.example.org"), &target, &own, body.as_bytes()), "{name}");
    }
}

/// The vectors that SignalWire's SDKs share (`WebhookValidatorTest` in signalwire-php).
#[test]
fn signalwires_published_vectors_pass() {
    let body = br#"{"event":"call.state","params":{"call_id":"abc-123","state":"answered"}}"#;
    let at = signalwire("PSKtest1234567890abcdef", "https://example.ngrok.io");
    let json = |signature| [("content-type", "application/json"), ("x-signalwire-signature", signature)];
    let passes = |at: &Twilio, target: &str, shown: &[(&str, &str)], body: &[u8]| {
        self::passes(at, target, shown, body, DateTime::UNIX_EPOCH)
    };
    assert!(passes(&at, "/webhook", &json("c3c08c1fefaf9ee198a100d5906765a6f394bf0f"), body));
    let target = "/webhook?bodySHA256=69f3cbfc18e386ef8236cb7008cd5a54b7fed637a8cb3373b5a1591d7f0fd5f4";
    assert!(passes(&at, target, &json("dfO9ek8mxyFtn2nMz24plPmPfIY="), br#"{"event":"call.state"}"#));
    assert!(!passes(&at, target, &json("dfO9ek8mxyFtn2nMz24plPmPfIY="), br#"{"event":"DIFFERENT"}"#));
    let at = signalwire("12345", "https://mycompany.com");
    let form = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let shown = [("x-signalwire-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")];
    assert!(passes(&at, "/myapp.php?foo=1&bar=2", &shown, form));
}

#[test]
fn what_telnyx_sdk_accepts_passes_for_five_minutes_and_nothing_that_differs_in_a_bit() {
    for ByTelnyx { name, public_key, timestamp, body, signature } in signed_by_telnyx() {
        let (at, signed) = (telnyx(&public_key), DateTime::from_timestamp(timestamp.parse().unwrap(), 0).unwrap());
        let shown = [("telnyx-timestamp", timestamp.as_str()), ("telnyx-signature-ed25519", signature.as_str())];
        let path = "/webhooks/telnyx-recording";
        for (seconds, good) in [(0, true), (299, true), (-299, true), (301, false), (-301, false)] {
            let then = signed + TimeDelta::seconds(seconds);
            assert_eq!(passes(&at, path, &shown, body.as_bytes(), then), good, "{name}: {seconds} s later");
        }
        for at_byte in 0..body.len() {
            let mut other = body.clone().into_bytes();
            other[at_byte] ^= 1;
            assert!(!passes(&at, path, &shown, &other, signed), "{name}: byte {at_byte}");
        }
        let later = (signed + TimeDelta::seconds(1)).timestamp().to_string();
        assert!(!passes(&at, path, &[("telnyx-timestamp", &later), shown[1]], body.as_bytes(), signed), "{name}");
        assert!(!passes(&at, path, &shown[..1], body.as_bytes(), signed), "{name}: no signature");
        assert!(!passes(&at, path, &[shown[0], shown[1], shown[1]], body.as_bytes(), signed), "{name}: two");
        let other = telnyx("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert!(!passes(&other, path, &shown, body.as_bytes(), signed), "{name}: another key");
    }
}

fn facts(at: &Twilio, body: &str) -> (EventKind, crate::domain::CallFacts) {
    let new = at.event(body.as_bytes().to_vec(), None).unwrap();
    let crate::domain::NewEvent { provider, account, kind, dedupe_key, body } = new;
    let received_at = DateTime::UNIX_EPOCH;
    let event = crate::domain::Event {
        id: EventId::new(),
        provider,
        account,
        kind: kind.clone(),
        dedupe_key,
        body,
        received_at,
    };
    (kind, at.facts(&event).unwrap())
}

#[test]
fn their_callbacks_are_read_with_ids_of_their_own_sort() {
    let signed = signed_by_signalwire();
    let (kind, read) = facts(&signalwire("k", "https://a.test"), &signed[0].body);
    assert_eq!(kind, EventKind::RecordingAvailable);
    assert_eq!(read.key("recording_sid"), Some("19e436af-5688-4307-b03b-bdb2b42b8142"));
    assert_eq!(read.recording_seconds, Some(42.0));
    let signed = signed_by_telnyx();
    let at = telnyx(&signed[0].public_key);
    let (kind, recording) = facts(&at, &signed[0].body);
    assert_eq!(kind, EventKind::RecordingAvailable);
    let (kind, call) = facts(&at, &signed[1].body);
    assert_eq!(
        (kind, call.status, call.duration_seconds),
        (EventKind::CallEnded, Some(CallStatus::Completed), Some(45.0))
    );
    assert!(call.provider_call_id.as_deref().is_some_and(|id| id.starts_with("v3:")));
    assert_eq!(call.provider_call_id, recording.provider_call_id);
    assert_eq!(call.direction, None::<Direction>, "it does not say; its API is asked");
}

/// What is set.
type Settings<'s> = &'s [(&'s str, &'s str)];

#[test]
fn each_starts_only_with_what_it_needs_and_names_what_is_missing() {
    let start = |dialect: &'static Dialect, settings: &[(&str, &str)]| {
        Twilio::from_env(dialect, &Env::from_pairs(settings.iter().copied()), &outside())
    };
    assert!(start(&SIGNALWIRE, &[("TWILIO_AUTH_TOKEN", "t")]).unwrap().is_none());
    assert!(start(&TELNYX, &[("TWILIO_AUTH_TOKEN", "t")]).unwrap().is_none());
    let mine = [
        ("SIGNALWIRE_PROJECT_ID", PROJECT),
        ("SIGNALWIRE_API_TOKEN", "PT1"),
        ("SIGNALWIRE_BASE_URL", "https://a.test/api/laml"),
    ];
    let theirs = [("TELNYX_ACCOUNT_SID", ACCOUNT), ("TELNYX_API_KEY", "KEY1"), ("TELNYX_PUBLIC_KEY", "c2hvcnQ=")];
    let wrong: [(&'static Dialect, Settings<'_>, &str); 6] = [
        (&SIGNALWIRE, &mine[..1], "SIGNALWIRE_API_TOKEN"),
        (&SIGNALWIRE, &mine[..2], "SIGNALWIRE_BASE_URL"),
        (&SIGNALWIRE, &mine, "SIGNALWIRE_SIGNING_KEY"),
        (&TELNYX, &theirs[..1], "TELNYX_API_KEY"),
        (&TELNYX, &theirs[..2], "TELNYX_PUBLIC_KEY"),
        (&TELNYX, &theirs, "TELNYX_PUBLIC_KEY"),
    ];
    for (dialect, settings, variable) in wrong {
        let error = start(dialect, settings).err().unwrap().to_string();
        assert!(error.contains(variable), "{variable}: {error}");
    }
}

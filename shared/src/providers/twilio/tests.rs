#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallStatus, Direction, EventId, Phone},
    sources::WebhookRequest,
};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const CALL: &str = "CA00000000000000000000000000000001";
const RECORDING: &str = "RE00000000000000000000000000000001";
/// Made with the vendor's own SDK for Python (9.13), its `RequestValidator`.
const SIGNED: &str = include_str!("../fixtures/twilio_signed.json");
/// The callback as it was captured (facts: telephony §2.2).
const COMPLETED: &str = "AccountSid=AC00000000000000000000000000000001&CallSid=CA00000000000000000000000000000001&ErrorCode=0&RecordingChannels=2&RecordingDuration=42&RecordingSid=RE00000000000000000000000000000001&RecordingSource=StartCallRecordingAPI&RecordingStartTime=Thu%2C+09+Oct+2025+08%3A53%3A20+%2B0000&RecordingStatus=completed&RecordingTrack=both&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2F2010-04-01%2FAccounts%2FAC00000000000000000000000000000001%2FRecordings%2FRE00000000000000000000000000000001";
const ACCOUNT_SID: &str = "TWILIO_ACCOUNT_SID";
const TOKEN: &str = "TWILIO_AUTH_TOKEN";
const POLLING: &str = "TWILIO_RECORDING_POLLING";
const POLL_INTERVAL: &str = "TWILIO_RECORDING_POLL_INTERVAL_MINUTES";
const VERIFY: &str = "TWILIO_WEBHOOK_VERIFY";
const HOSTS: &str = "TWILIO_RECORDING_HOSTS";
const PATH: &str = "/webhooks/twilio-recording";
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
struct Signed {
    name: String,
    token: String,
    target: String,
    body: String,
    content_type: String,
    signature: String,
}

fn twilio(token: &str, base: &str) -> Twilio {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    let env = Env::from_pairs([(ACCOUNT_SID, ACCOUNT), (TOKEN, token), ("WEBHOOK_BASE_URL", base)]);
    Twilio::from_env(&TWILIO, &env, &outside).unwrap().unwrap()
}

fn passes(twilio: &Twilio, target: &str, headers: &[(&str, &str)], body: &[u8]) -> bool {
    let header = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(header).collect();
    twilio.verify(&WebhookRequest { target, headers: &headers, body, received_at: DateTime::UNIX_EPOCH }).is_ok()
}

fn shown<'a>(kind: &'a str, signature: &'a str) -> [(&'a str, &'a str); 2] {
    [("content-type", kind), ("x-twilio-signature", signature)]
}

#[test]
fn what_the_vendors_sdk_signed_passes_and_nothing_that_differs_in_a_bit() {
    let all: Vec<Signed> = serde_json::from_str(SIGNED).unwrap();
    assert_eq!(all.len(), 8);
    for Signed { name, token, target, body, content_type, signature } in all {
        let twilio = twilio(&token, "https://hooks.example.test");
        let headers = shown(&content_type, &signature);
        assert!(passes(&twilio, &target, &headers, body.as_bytes()), "{name}");
        for at in 0..body.len() {
            let mut other = body.clone().into_bytes();
            other[at] ^= 1;
            assert!(!passes(&twilio, &target, &headers, &other), "{name}: byte {at} of the body");
        }
        assert!(!passes(&twilio, &format!("{target}&x=1"), &headers, body.as_bytes()), "{name}");
        assert!(!passes(&twilio, &target.replacen("twilio", "twiliO", 1), &headers, body.as_bytes()), "{name}");
        let mut flipped = BASE64.decode(&signature).unwrap();
        flipped[19] ^= 1;
        assert!(!passes(&twilio, &target, &shown(&content_type, &BASE64.encode(flipped)), body.as_bytes()), "{name}");
        assert!(!passes(&twilio, &target, &[headers[0]], body.as_bytes()), "{name}: without a signature");
        assert!(!passes(&twilio, &target, &[headers[0], headers[1], headers[1]], body.as_bytes()), "{name}: with two");
        assert!(!passes(
            &self::twilio("another token", "https://hooks.example.test"),
            &target,
            &headers,
            body.as_bytes()
        ));
        assert!(!passes(&self::twilio(&token, "https://hooks.example.org"), &target, &headers, body.as_bytes()));
    }
}

#[test]
fn the_published_vectors_pass() {
    let url = "/myapp.php?foo=1&bar=2";
    let mine = twilio("12345", "https://mycompany.com");
    let call = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    for signature in ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w="] {
        assert!(passes(&mine, url, &shown(FORM, signature), call), "{signature}");
        let with_port = twilio("12345", "https://mycompany.com:443");
        assert!(passes(&with_port, url, &shown(FORM, signature), call), "{signature} with a port of ours");
        assert!(!passes(&twilio("12345", "http://mycompany.com"), url, &shown(FORM, signature), call));
    }
    let drops_the_port = shown(FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert!(passes(&twilio("12345", "https://mycompany.com:8443"), url, &drops_the_port, call));
    let twice = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    assert!(passes(&mine, url, &shown(FORM, "IK+Dwps556ElfBT0I3Rgjkr1wJU="), twice));
    let digest = "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let json = br#"{"property": "value", "boolean": true}"#;
    let signature = shown("application/json", "a9nBmqA0ju/hNViExpshrM61xv4=");
    assert!(passes(&mine, digest, &signature, json));
    assert!(!passes(&mine, digest, &signature, br#"{"property": "value", "boolean": tru}"#));
    let ours = twilio("0123456789abcdef0123456789abcdef", "https://hooks.example.test");
    let target = "/webhooks/twilio-recording?tenant=acme";
    assert!(passes(&ours, target, &shown(FORM, "vbomtKTkSrZ1blk+/OnsWj4E2Ds="), COMPLETED.as_bytes()));
    let reordered = "/webhooks/twilio-recording?tenant=acm%65";
    assert!(!passes(&ours, reordered, &shown(FORM, "vbomtKTkSrZ1blk+/OnsWj4E2Ds="), COMPLETED.as_bytes()));
}

#[test]
fn without_a_public_address_every_webhook_is_refused_and_verification_is_switched_off_by_name_only() {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    let start = |more: &[(&str, &str)]| {
        let all = [(ACCOUNT_SID, ACCOUNT), (TOKEN, "token")].iter().chain(more).copied().collect::<Vec<_>>();
        Twilio::from_env(&TWILIO, &Env::from_pairs(all), &outside).unwrap().unwrap()
    };
    assert!(!passes(&start(&[]), PATH, &shown(FORM, "eb2BX7e8kWM6J7FeAqSPbZJ549U="), COMPLETED.as_bytes()));
    assert!(passes(&start(&[(VERIFY, "off")]), PATH, &[], COMPLETED.as_bytes()));
    assert!(
        Twilio::from_env(&TWILIO, &Env::from_pairs([("WEBHOOK_BASE_URL", "https://a.test")]), &outside)
            .unwrap()
            .is_none()
    );
    let wrong: [(&[(&str, &str)], &str); 6] = [
        (&[(TOKEN, "t")], ACCOUNT_SID),
        (&[(ACCOUNT_SID, ACCOUNT)], TOKEN),
        (&[(POLLING, "true")], ACCOUNT_SID),
        (&[(ACCOUNT_SID, "AC12"), (TOKEN, "t")], ACCOUNT_SID),
        (&[(ACCOUNT_SID, ACCOUNT), (TOKEN, "t"), (POLL_INTERVAL, "0")], POLL_INTERVAL),
        (&[(ACCOUNT_SID, ACCOUNT), (TOKEN, "t"), (HOSTS, "*.a.test")], HOSTS),
    ];
    for (settings, variable) in wrong {
        let error =
            Twilio::from_env(&TWILIO, &Env::from_pairs(settings.iter().copied()), &outside).err().unwrap().to_string();
        assert!(error.contains(variable), "{error}");
    }
}

/// Receives a callback and reads it, twice, as a step and its repetition do.
fn receive(headers: &[(&str, &str)], body: &str) -> Result<(NewEvent, CallFacts), Unusable> {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    let env = Env::from_pairs([(ACCOUNT_SID, ACCOUNT), (TOKEN, "token"), (VERIFY, "off")]);
    let twilio = Twilio::from_env(&TWILIO, &env, &outside).unwrap().unwrap();
    let header = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(header).collect();
    let received_at = DateTime::UNIX_EPOCH;
    let request = WebhookRequest { target: PATH, headers: &headers, body: body.as_bytes(), received_at };
    let new = twilio.receive(&TWILIO.routes[0], twilio.verify(&request).unwrap())?;
    let NewEvent { provider, account, kind, dedupe_key, body } = new.clone();
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at };
    let facts = twilio.facts(&event)?;
    assert_eq!(twilio.facts(&event)?, facts);
    Ok((new, facts))
}

fn form(body: &str) -> (NewEvent, CallFacts) {
    receive(&[(header::CONTENT_TYPE.as_str(), FORM)], body).unwrap()
}

fn with(status: &str, more: &str) -> String {
    format!("AccountSid={ACCOUNT}&CallSid={CALL}&RecordingSid={RECORDING}&RecordingStatus={status}{more}")
}

fn keys(facts: &CallFacts) -> Vec<(&str, &str)> {
    facts.keys.iter().map(|key| (key.kind.as_str(), key.value.as_str())).collect()
}

#[test]
fn a_completed_recording_is_announced_and_its_call_over() {
    let (event, facts) = form(COMPLETED);
    assert_eq!((event.kind, event.account.as_str()), (EventKind::RecordingAvailable, ACCOUNT));
    assert_eq!(event.dedupe_key, format!("recording:{RECORDING}:completed"));
    assert_eq!(keys(&facts), [("id", CALL), ("call_sid", CALL), ("recording_sid", RECORDING)]);
    assert_eq!(facts.provider_call_id.as_deref(), Some(CALL));
    assert_eq!((facts.recorded, facts.recording_announced), (Some(true), true));
    assert_eq!((facts.duration_seconds, facts.recording_seconds), (Some(42.0), Some(42.0)));
    assert_eq!(facts.started_at, Some("2025-10-09T08:53:20Z".parse().unwrap()));
    assert_eq!(facts.ended_at, Some("2025-10-09T08:54:02Z".parse().unwrap()));
    assert_eq!((facts.status, facts.recording_url), (Some(CallStatus::Completed), None));
    // The same as JSON, as other servers send it.
    let json =
        json!({"CallSid": CALL, "RecordingSid": RECORDING, "RecordingStatus": "completed", "RecordingDuration": 42});
    let (again, facts) = receive(&[("content-type", "application/json")], &json.to_string()).unwrap();
    assert_eq!((again.dedupe_key, facts.recording_seconds), (event.dedupe_key, Some(42.0)));
}

#[test]
fn every_other_status_of_a_recording_is_kept_and_says_what_it_can() {
    let (event, facts) = form(&with("in-progress", ""));
    assert_eq!(
        (event.kind, facts.status, facts.recorded),
        (EventKind::CallStarted, Some(CallStatus::InProgress), None)
    );
    assert!(!facts.recording_announced);
    for (status, code, why) in [
        ("absent", "16101", "16101: too short"),
        ("absent", "16102", "16102: silent"),
        ("absent", "0", "absent"),
        ("failed", "31001", "failed, error 31001"),
    ] {
        let (event, facts) = form(&with(status, &format!("&ErrorCode={code}")));
        assert_eq!((event.kind, facts.recorded), (EventKind::CallEnded, Some(false)), "{status}");
        assert_eq!(facts.recording_absence.as_deref(), Some(why));
        assert_eq!((facts.status, facts.recording_announced), (Some(CallStatus::Completed), false));
    }
    assert!(matches!(form(&with("deleted", "")).0.kind, EventKind::Other(_)));
    assert!(matches!(form(&with("something-new", "")).0.kind, EventKind::Other(_)));
    let action = format!("CallSid={CALL}&RecordingSid={RECORDING}&RecordingUrl=https%3A%2F%2Fapi.twilio.com%2Fx");
    assert_eq!(form(&action).0.kind, EventKind::RecordingAvailable, "the verb <Record> says no status");
}

#[test]
fn a_conference_is_known_by_its_own_id() {
    let sid = "CF00000000000000000000000000000001";
    let (_, facts) = form(&format!("ConferenceSid={sid}&RecordingSid={RECORDING}&RecordingStatus=completed"));
    assert_eq!(keys(&facts), [("id", sid), ("recording_sid", RECORDING)]);
}

#[test]
fn a_call_says_who_spoke_to_whom_and_how_it_ended() {
    let body = |direction: &str, status: &str| {
        format!(
            "CallSid={CALL}&CallStatus={status}&Direction={direction}&From=%2B15550000001&To=%2B15550000002&CallDuration=61&Duration=2"
        )
    };
    let phones = |facts: &CallFacts| {
        let text = |phone: &Option<Phone>| phone.as_ref().unwrap().as_str().to_owned();
        (text(&facts.external_phone), text(&facts.internal_phone))
    };
    let (one, two) = ("+15550000001".to_owned(), "+15550000002".to_owned());
    let (event, facts) = form(&body("inbound", "completed"));
    assert_eq!((event.kind, event.dedupe_key), (EventKind::CallEnded, format!("call:{CALL}:completed")));
    assert_eq!((facts.direction, facts.duration_seconds), (Some(Direction::Inbound), Some(61.0)));
    assert_eq!((phones(&facts), facts.recording_seconds), ((one.clone(), two.clone()), None));
    for direction in ["outbound-api", "outbound-dial"] {
        let (_, facts) = form(&body(direction, "completed"));
        assert_eq!((facts.direction, phones(&facts)), (Some(Direction::Outbound), (two.clone(), one.clone())));
    }
    for (status, kind, expected) in [
        ("ringing", EventKind::CallStarted, CallStatus::InProgress),
        ("busy", EventKind::CallEnded, CallStatus::Missed),
        ("no-answer", EventKind::CallEnded, CallStatus::Missed),
        ("canceled", EventKind::CallEnded, CallStatus::Missed),
        ("failed", EventKind::CallEnded, CallStatus::Failed),
    ] {
        let (event, facts) = form(&body("inbound", status));
        assert_eq!((event.kind, facts.status, facts.duration_seconds), (kind, Some(expected), None), "{status}");
    }
    assert!(form(&format!("{}&AnsweredBy=machine_end_beep", body("outbound-api", "completed"))).1.voicemail);
}

#[test]
fn a_repeated_callback_is_the_same_event_whatever_else_it_says() {
    let key = |headers: &[(&str, &str)], body: &str| receive(headers, body).unwrap().0.dedupe_key;
    let token = ("i-twilio-idempotency-token", "11111111-2222-3333-4444-555555555555");
    assert_eq!(key(&[], COMPLETED), key(&[token], &format!("{COMPLETED}&AddedLater=1")));
    assert_ne!(key(&[], &with("in-progress", "")), key(&[], COMPLETED));
    let unknown = format!("CallSid={CALL}&Something=1");
    assert_eq!(key(&[token], &unknown), key(&[token], &format!("{unknown}&More=1")));
    assert_ne!(key(&[], &unknown), key(&[], &format!("{unknown}&More=1")));
}

#[test]
fn says_what_is_wrong_with_a_request() {
    let field = |body: &str| match receive(&[], body) {
        Err(Unusable::Field { field, .. }) => field,
        other => panic!("{body}: {other:?}"),
    };
    assert_eq!(field(&format!("RecordingSid={RECORDING}&RecordingStatus=completed")), "CallSid");
    assert_eq!(field(&COMPLETED.replace("RecordingSid=RE0", "RecordingSid=..%2FRE0")), "RecordingSid");
    assert_eq!(field(&COMPLETED.replace("RecordingSid=RE0", "RecordingSid=REX")), "RecordingSid");
    assert_eq!(field(&COMPLETED.replace("AccountSid=AC0", "AccountSid=AC1")), "AccountSid");
    for body in ["", "{", "&&", "{}"] {
        assert!(matches!(receive(&[], body), Err(Unusable::Malformed { .. })), "{body}");
    }
    let upload = receive(&[("content-type", "multipart/form-data; boundary=x")], COMPLETED);
    assert!(matches!(upload, Err(Unusable::MediaType { .. })));
}

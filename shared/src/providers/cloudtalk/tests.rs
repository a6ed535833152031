#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallStatus, Direction, EventId, Phone},
    sources::WebhookRequest,
};

const UPLOADED: &str = include_str!("../fixtures/cloudtalk_recording_uploaded.json");
const UUID_ONLY: &str = include_str!("../fixtures/cloudtalk_ended_uuid_only.json");
const TEXT: &str = include_str!("../fixtures/cloudtalk_ended_text.json");
const ONE_URL: &str = include_str!("../fixtures/cloudtalk_ended_one_url_for_all.json");
const TRANSCRIPTION: &str = include_str!("../fixtures/cloudtalk_transcription_created.json");
const NESTED: &str = include_str!("../fixtures/cloudtalk_ended_nested.json");
const STARTED: &str = include_str!("../fixtures/cloudtalk_started.json");
const UUID: &str = "7be10c52-41d0-4f6e-9a3c-5d2f80c1a9e4";

fn receive_as(content_type: Option<&str>, path: &str, body: &str) -> Result<(NewEvent, CallFacts), Unusable> {
    let clock = Clock::system();
    let outside = Outside::new(Budgets::unlimited(), clock.clone()).unwrap();
    let cloudtalk = CloudTalk::from_env(&Env::from_pairs([(VERIFY, "off")]), &outside).unwrap().unwrap();
    let route = ROUTES.iter().find(|route| route.path.ends_with(path)).unwrap();
    let kind = content_type.map(|kind| (axum::http::header::CONTENT_TYPE, kind.parse().unwrap()));
    let headers = kind.into_iter().collect();
    let received_at = clock.now();
    let request = WebhookRequest { target: route.path, headers: &headers, body: body.as_bytes(), received_at };
    let new = cloudtalk.receive(route, cloudtalk.verify(&request).unwrap())?;
    let NewEvent { provider, account, kind, dedupe_key, body } = new.clone();
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at };
    let facts = cloudtalk.facts(&event)?;
    assert_eq!(cloudtalk.facts(&event)?, facts);
    Ok((new, facts))
}

fn receive(path: &str, body: &str) -> (EventKind, CallFacts) {
    let (event, facts) = receive_as(Some("application/json"), path, body).unwrap();
    (event.kind, facts)
}

fn phone(facts: &CallFacts) -> Option<&str> {
    facts.external_phone.as_ref().map(Phone::as_str)
}

fn keys(facts: &CallFacts) -> Vec<(&str, &str)> {
    facts.keys.iter().map(|key| (key.kind.as_str(), key.value.as_str())).collect()
}

#[test]
fn reads_an_uploaded_recording_with_bare_numbers() {
    for path in ["/recording-available", "/call-recording-ready", "/call-started"] {
        let (kind, facts) = receive(path, UPLOADED);
        assert_eq!(kind, EventKind::RecordingAvailable, "{path}");
        assert_eq!(keys(&facts), [("id", "1042600731")]);
        assert_eq!(facts.provider_call_id.as_deref(), Some("1042600731"));
        assert_eq!(phone(&facts), Some("+390612000451"));
        assert_eq!((facts.recorded, facts.recording_announced), (Some(true), true));
        assert_eq!((facts.status, facts.recording_format.as_deref()), (Some(CallStatus::Completed), Some("wav")));
        assert!(facts.recording_url.unwrap().starts_with("https://my.cloudtalk.io/pub/r/"));
    }
    assert_eq!(receive("/call-ended", UPLOADED).0, EventKind::CallEnded);
}

#[test]
fn reads_the_call_id_from_the_link_when_nothing_else_names_it() {
    for absent in [r#""call_id":null,"#, r#""call_id":"undefined","#, ""] {
        let body = UPLOADED.replace(r#""call_id":1042600731,"#, absent);
        assert_eq!(keys(&receive("/recording-available", &body).1), [("id", "1042600731")]);
    }
    let (_, facts) = receive("/call-ended", r#"{"Recording link": "https://my.cloudtalk.io/r/play/778812"}"#);
    assert_eq!(keys(&facts), [("id", "778812")]);
    assert_eq!((facts.recording_url, facts.recorded), (None, None), "a page that plays it is not the recording");
}

#[test]
fn reads_an_ended_call_that_has_only_a_uuid() {
    let (kind, facts) = receive("/call-ended", UUID_ONLY);
    assert_eq!(kind, EventKind::CallEnded);
    assert_eq!(keys(&facts), [("uuid", UUID)]);
    assert_eq!((facts.provider_call_id.clone(), facts.contact.id.clone()), (None, None));
    assert_eq!(facts.agent.id.as_deref(), Some("510204"));
    assert_eq!((phone(&facts), facts.status), (Some("+390612000451"), Some(CallStatus::Completed)));
}

#[test]
fn reads_an_ended_call_that_is_all_text() {
    let (kind, facts) = receive("/call-ended", TEXT);
    assert_eq!(kind, EventKind::CallEnded);
    assert_eq!(keys(&facts), [("id", "778812")]);
    assert_eq!((facts.direction, facts.status), (Some(Direction::Outbound), Some(CallStatus::Completed)));
    assert_eq!((facts.duration_seconds, facts.recorded), (Some(143.0), Some(true)));
    assert_eq!((facts.agent.name.as_deref(), facts.contact.name.as_deref()), (Some("Livia"), Some("Carla Prova")));
    assert_eq!((phone(&facts), facts.campaign.as_deref()), (Some("+390612000451"), Some("Autunno")));
    assert_eq!(facts.recording_url.as_deref(), Some("https://recordings.cloudtalk.io/778812.wav"));
}

#[test]
fn reads_a_nested_missed_call() {
    let (kind, facts) = receive("/call-ended", NESTED);
    assert_eq!(kind, EventKind::CallEnded);
    assert_eq!(keys(&facts), [("id", "1042600731")]);
    assert_eq!((facts.status, facts.duration_seconds), (Some(CallStatus::Missed), Some(0.0)));
    assert_eq!(facts.started_at, Some("2026-11-19T14:02:11Z".parse().unwrap()));
    assert_eq!(facts.ended_at, Some("2026-11-19T14:02:40Z".parse().unwrap()));
    assert_eq!((facts.recording_url.clone(), facts.voicemail), (None, false));
    assert_eq!((phone(&facts), facts.contact.name.as_deref()), (Some("+390612000451"), Some("Carla Prova")));
    assert_eq!(
        (facts.agent.name.as_deref(), facts.agent.email.as_deref()),
        (Some("Livia"), Some("livia@example.test"))
    );
}

#[test]
fn the_content_outranks_the_path() {
    assert_eq!(receive("/call-started", STARTED).0, EventKind::CallStarted);
    assert_eq!(receive("/call-started", ONE_URL).0, EventKind::CallEnded);
    assert_eq!(receive("/call-started", NESTED).0, EventKind::CallEnded);
    assert_eq!(receive("/recording-available", ONE_URL).0, EventKind::CallEnded);
    assert_eq!(receive("/call-ended", &ONE_URL.replace("ended", "ringing_on_agent")).0, EventKind::CallStarted);
    for path in ["/call-recording-ready", "/transcription-ready"] {
        let (kind, facts) = receive(path, TRANSCRIPTION);
        assert_eq!((kind, facts.provider_call_id.as_deref()), (EventKind::RecordingAvailable, Some("1042600731")));
        assert!(facts.recording_url.is_some(), "its text is no transcript, its link is one");
    }
    assert_eq!(receive("/transcription-ready", ONE_URL).0, EventKind::CallEnded, "the content decides");
    let other = EventKind::Other("agent-status-changed".to_owned());
    assert_eq!(receive("/call-started", r#"{"action":"agent_status_changed","agent_id":1}"#).0, other);
}

#[test]
fn a_started_call_is_in_progress_and_one_without_talk_was_missed() {
    let (_, facts) = receive("/call-started", STARTED);
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::InProgress), Some(Direction::Outbound)));
    assert_eq!(keys(&facts), [("uuid", UUID)]);
    let (_, facts) = receive("/call-ended", r#"{"call_id":7,"talking_time":"0"}"#);
    assert_eq!(facts.status, Some(CallStatus::Missed));
    let (_, facts) = receive("/call-ended", r#"{"call_id":7,"talking_time":"0","is_voicemail":true,"recorded":"yes"}"#);
    assert_eq!((facts.status, facts.voicemail, facts.recorded), (Some(CallStatus::Completed), true, Some(true)));
}

#[test]
fn reads_durations_and_flags_however_they_are_written() {
    let duration =
        |text: &str| receive("/call-ended", &format!(r#"{{"call_id":7,"Call duration":{text}}}"#)).1.duration_seconds;
    for text in ["120", "\"120\"", "\"120s\"", "\"120 sec\"", "\"2:00\"", "\"0:02:00\"", "120.0"] {
        assert_eq!(duration(text), Some(120.0), "{text}");
    }
    for text in ["\"2.5MB\"", "-1", "\"NaN\"", "null", "\"inf\"", "1e99"] {
        assert_eq!(duration(text), None, "{text}");
    }
    let recorded = |text: &str| receive("/call-ended", &format!(r#"{{"call_id":7,"recording":{text}}}"#)).1.recorded;
    for text in ["true", "\"true\"", "\"yes\"", "1", "{\"url\":\"https://a.test/b.wav\"}", "{}", "\"https://a.test/b\""]
    {
        assert_eq!(recorded(text), Some(true), "{text}");
    }
    for text in ["false", "\"False\"", "\"no\"", "0", "\"0\""] {
        assert_eq!(recorded(text), Some(false), "{text}");
    }
    assert_eq!(recorded("\"undefined\""), None);
}

#[test]
fn says_what_is_wrong_with_a_request() {
    let error = |kind: Option<&str>, body: &str| receive_as(kind, "/call-ended", body).map(drop);
    for body in ["", "[]", "call_id=1", "\"text\"", "{\"call_id\":1"] {
        assert_eq!(error(None, body), Err(Unusable::Malformed { expected: "a JSON object" }), "{body}");
    }
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(error(Some(kind), TEXT), Err(Unusable::MediaType { expected: "application/json" }));
    }
    for kind in [None, Some("text/plain"), Some("application/octet-stream"), Some("application/json; charset=utf-8")] {
        assert_eq!(error(kind, TEXT), Ok(()));
    }
    for body in
        ["{}", r#"{"call_id":"undefined","phone":"anonymous"}"#, r#"{"call_id":"../../etc"}"#, r#"{"call_id":0}"#]
    {
        let field = match error(None, body) {
            Err(Unusable::Field { field, .. }) => field,
            other => panic!("{body}: {other:?}"),
        };
        assert_eq!(field, "call_id");
    }
}

#[test]
fn an_id_is_never_rounded() {
    let id = |text: &str| receive_as(None, "/call-ended", &format!(r#"{{"call_id":{text},"phone":"393501234567"}}"#));
    for text in ["18446744073709551615", "\"98765432109876543210987\""] {
        let (_, facts) = id(text).unwrap();
        assert_eq!(facts.provider_call_id.as_deref(), Some(text.trim_matches('"')));
    }
    match id("98765432109876543210987") {
        Err(Unusable::Field { field, .. }) => assert_eq!(field, "call_id"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_content_is_the_same_event_and_other_content_another() {
    let key = |path: &str, body: &str| receive_as(None, path, body).unwrap().0.dedupe_key;
    assert_eq!(key("/recording-available", UPLOADED), key("/call-recording-ready", UPLOADED));
    assert_ne!(key("/recording-available", UPLOADED), key("/call-ended", UPLOADED));
    assert_ne!(key("/call-ended", TEXT), key("/call-ended", &TEXT.replace("143", "144")));
    assert!(key("/call-ended", TEXT).starts_with("call-ended:778812:"));
}

proptest::proptest! {
    /// Customers type anything into a workflow's values; and what is read must not depend on when it is read.
    #[test]
    fn anything_in_any_field_is_read_the_same_way_twice(value in ".{0,40}", number in proptest::num::f64::ANY) {
        let body = serde_json::json!({
            "call_id": value, "Call duration": value, "started_at": value, "recording_url": value, "direction": value,
            "data": {"phone": value, "status": value, "talking_time": number, "ended_at": number, "recording": {"url": value}},
        });
        let body = body.to_string();
        let read = || Fields::parse(body.as_bytes()).map(|fields| payload::facts(&fields, &payload::kind(&fields, "call-ended")));
        proptest::prop_assert_eq!(read(), read());
        proptest::prop_assert!(read().is_ok_and(|facts| facts.duration_seconds.is_none_or(|s| s.is_finite() && s >= 0.0)));
    }
}

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::http::{HeaderMap, HeaderName};
use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{CallStatus, Direction, EventId, Phone},
    sources::WebhookRequest,
};

fn start(settings: &[(&str, &str)]) -> anyhow::Result<Option<Generic>> {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    Generic::from_env(&Env::from_pairs(settings.iter().copied()), &outside)
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    all.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn passes(generic: &Generic, target: &str, shown: &[(&str, &str)], body: &[u8]) -> bool {
    let headers = headers(shown);
    generic.verify(&WebhookRequest { target, headers: &headers, body, received_at: DateTime::UNIX_EPOCH }).is_ok()
}

/// Receives a body and reads it, twice, as a step and its repetition do.
fn receive(fields: &str, body: &[u8]) -> Result<(NewEvent, CallFacts), Unusable> {
    let generic = start(&[(VERIFY, "off"), (FIELDS, fields)]).unwrap().unwrap();
    let (headers, received_at) = (HeaderMap::new(), DateTime::UNIX_EPOCH);
    let request = WebhookRequest { target: ROUTES[0].path, headers: &headers, body, received_at };
    let new = generic.receive(&ROUTES[0], generic.verify(&request).unwrap())?;
    let NewEvent { provider, account, kind, dedupe_key, body } = new.clone();
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at };
    let facts = generic.facts(&event)?;
    assert_eq!(generic.facts(&event)?, facts);
    Ok((new, facts))
}

fn read(body: &Value) -> (EventKind, CallFacts) {
    let (event, facts) = receive("", body.to_string().as_bytes()).unwrap();
    (event.kind, facts)
}

fn url(body: Value) -> Option<String> {
    let mut body = body;
    body["call_id"] = "c-77".into();
    body["status"] = "completed".into();
    read(&body).1.recording_url
}

fn phones(facts: &CallFacts) -> (Option<&str>, Option<&str>) {
    (facts.external_phone.as_ref().map(Phone::as_str), facts.internal_phone.as_ref().map(Phone::as_str))
}

#[test]
fn a_shown_secret_lets_in_and_a_wrong_one_does_not() {
    let plain = start(&[(SECRET, "s3cret")]).unwrap().unwrap();
    let path = "/webhooks/generic";
    for shown in [("authorization", "Bearer s3cret"), ("x-webhook-secret", "s3cret")] {
        assert!(passes(&plain, path, &[shown], b"{}"), "{shown:?}");
    }
    assert!(passes(&plain, "/webhooks/generic?token=s3cret", &[], b"{}"));
    assert!(!passes(&plain, path, &[], b"{}"));
    assert!(!passes(&plain, path, &[("authorization", "Bearer s3cre")], b"{}"));
    assert!(!passes(&plain, path, &[("x-vapi-secret", "s3cret")], b"{}"));
    let named = start(&[(SECRET, "s3cret"), (SECRET_HEADER, "X-Vapi-Secret")]).unwrap().unwrap();
    assert!(passes(&named, path, &[("x-vapi-secret", "s3cret")], b"{}"));
    assert!(!passes(&named, path, &[("x-vapi-secret", "s3cre")], b"{}"));
}

#[test]
fn a_signature_is_over_the_raw_body_in_hex_or_base64_and_showing_the_key_is_not_enough() {
    // HMAC-SHA256, RFC 4231, test case 2.
    let (key, body) = ("Jefe", b"what do ya want for nothing?");
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    let generic = start(&[(SECRET, key), (SIGNATURE_HEADER, "X-Signature")]).unwrap().unwrap();
    let with = |value: &str, body: &[u8]| passes(&generic, "/webhooks/generic", &[("x-signature", value)], body);
    for shown in [hex, base64, &hex.to_uppercase(), &format!("sha256={hex}"), &format!("v1,{base64}")] {
        assert!(with(shown, body), "{shown}");
        assert!(!with(shown, b"what do ya want for nothing!"), "{shown}");
    }
    for shown in ["", "sha256=", "Jefe", &hex[..62], &hex.replace("5bdc", "5bdd"), &format!("{hex},{hex}")] {
        assert!(!with(shown, body), "{shown}");
    }
    assert!(!passes(&generic, "/webhooks/generic", &[("x-signature", hex), ("x-signature", hex)], body));
    assert!(!passes(&generic, "/webhooks/generic?token=Jefe", &[("authorization", "Bearer Jefe")], body));
}

#[test]
fn it_starts_only_with_settings_that_can_be_used_and_names_the_one_that_cannot() {
    assert!(start(&[("WEBHOOK_BASE_URL", "https://a.test")]).unwrap().is_none());
    let fields = |text: &'static str| [(SECRET, "s"), (FIELDS, text)];
    let both = [(SECRET, "s"), (SECRET_HEADER, "x-a"), (SIGNATURE_HEADER, "x-b")];
    let wrong: [(&[(&str, &str)], &str); 9] = [
        (&[(HOSTS, "a.test")], SECRET),
        (&[(SECRET, "s"), (HOSTS, "*.a.test")], HOSTS),
        (&[(SECRET, "s"), (SIGNATURE_HEADER, "no header")], SIGNATURE_HEADER),
        (&both, SIGNATURE_HEADER),
        (&fields("/no/such/file.json"), FIELDS),
        (&fields("{\"call\": \"id\"}"), "no field call"),
        (&fields("{\"call_id\": 7}"), "call_id"),
        (&fields("{\"events\": {\"x\": \"call-over\"}}"), "call-ended"),
        (&[(SECRET, "s"), (AUTHORIZATION, "a\nb")], AUTHORIZATION),
    ];
    for (settings, expected) in wrong {
        let error = start(settings).err().unwrap().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_moment_of_another_century_is_none() {
    let times = |text: &str| {
        let facts = read(&json!({"call_id": 4711, "status": "answered", "started_at": text, "ended_at": text})).1;
        (facts.started_at.is_some(), facts.ended_at.is_some())
    };
    assert_eq!(times("2026-11-20T09:00:00Z"), (true, true));
    for text in ["0001-01-01T00:00:00Z", "9999-12-31 23:59:59", "99999999999999"] {
        assert_eq!(times(text), (false, false), "{text}");
    }
}

#[test]
fn a_call_is_read_from_flat_nested_and_form_bodies_alike() {
    let flat = json!({"event": "call.ended", "call_id": 4711, "direction": "inbound", "from": "+39 350 123 4567",
        "to": "390612000451", "status": "answered", "duration": 61, "started_at": "2026-11-20T09:00:00+01:00",
        "agent_name": "Rita", "customer_name": "Mario", "recording_url": "https://pbx.test/r/1.mp3"});
    let nested = include_str!("../fixtures/generic_nested.json");
    let form = "Event=hangup&CallId=4711&Direction=in&From=%2B393501234567&To=%2B390612000451&Status=answered&Duration=1:01\
        &StartTime=2026-11-20+08%3A00%3A00&AgentName=Rita&CustomerName=Mario&RecordingUrl=https%3A%2F%2Fpbx.test%2Fr%2F1.mp3";
    let bodies = [flat.to_string(), nested.to_owned(), form.to_owned()];
    for body in bodies {
        let (event, facts) = receive("", body.as_bytes()).unwrap();
        assert_eq!(event.kind, EventKind::CallEnded, "{body}");
        assert_eq!(facts.keys.iter().map(|key| (&*key.kind, &*key.value)).collect::<Vec<_>>(), [("id", "4711")]);
        assert_eq!((facts.direction, facts.status), (Some(Direction::Inbound), Some(CallStatus::Completed)), "{body}");
        assert_eq!(phones(&facts), (Some("+393501234567"), Some("+390612000451")), "{body}");
        assert_eq!((facts.duration_seconds, facts.recorded), (Some(61.0), Some(true)), "{body}");
        assert_eq!(facts.started_at, Some("2026-11-20T08:00:00Z".parse().unwrap()), "{body}");
        assert_eq!(
            (facts.agent.name.as_deref(), facts.contact.name.as_deref()),
            (Some("Rita"), Some("Mario")),
            "{body}"
        );
        assert_eq!(facts.recording_url.as_deref(), Some("https://pbx.test/r/1.mp3"), "{body}");
        assert_eq!(facts.recording_format.as_deref(), Some("mp3"), "{body}");
    }
}

#[test]
fn the_recording_is_found_by_name_by_place_and_by_extension() {
    let here = "https://pbx.test/x/1";
    for body in [
        json!({"recording_url": here}),
        json!({"recordingUrl": here}),
        json!({"recording": here}),
        json!({"data": {"playback_url": here}}),
        json!({"recording": {"url": here}}),
        json!({"artifact": {"recording": {"stereoUrl": here}}}),
        json!({"payload": {"recording_urls": {"mp3": here}}}),
        json!({"recordings": [{"id": 1, "links": {"download": here}}]}),
        json!({"metadata": {"audio_url": here}, "avatar_url": "https://pbx.test/a.png", "webhook_url": "https://me.test/x"}),
    ] {
        assert_eq!(url(body.clone()).as_deref(), Some(here), "{body}");
    }
    for extension in ["mp3", "WAV", "m4a", "ogg", "flac", "mp3?token=a.b"] {
        let there = format!("https://pbx.test/deep/1.{extension}");
        let body = json!({"a": [{"b": {"c": [{"thing": there, "picture": "https://pbx.test/1.png"}]}}]});
        assert_eq!(url(body), Some(there));
    }
    for body in [
        json!({"url": "https://pbx.test/calls/1"}),
        json!({"recording_url": "not a url"}),
        json!({"recording_url": ""}),
        json!({"recording_url": "undefined"}),
        json!({"recording_url": "file:///etc/passwd"}),
        json!({"recording": true, "logo": "https://pbx.test/logo.svg"}),
    ] {
        assert_eq!(url(body.clone()), None, "{body}");
    }
}

#[test]
fn of_several_urls_the_surest_is_taken() {
    let name = "https://pbx.test/named";
    assert_eq!(url(json!({"ringtone": "https://pbx.test/r.mp3", "recording_url": name})).as_deref(), Some(name));
    let mine = "https://pbx.test/c-77/b.mp3";
    let files = json!([{"x": "https://pbx.test/c-76/a.mp3"}, {"x": mine}]);
    assert_eq!(url(json!({"turns": files})).as_deref(), Some(mine), "the one that holds the call's id");
    let outer = "https://pbx.test/whole.mp3";
    let turns = json!([{"audio": {"url": "https://pbx.test/turn.mp3"}}]);
    assert_eq!(url(json!({"audio": {"url": outer}, "transcript": turns})).as_deref(), Some(outer), "not one turn's");
}

#[test]
fn what_an_event_is_says_its_name_or_else_its_content() {
    let kind = |more: Value| {
        let mut body = json!({"call_id": 1});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&body).0
    };
    let (started, ended, ready) = (EventKind::CallStarted, EventKind::CallEnded, EventKind::RecordingAvailable);
    for (name, expected) in [
        ("call.started", &started),
        ("CallRinging", &started),
        ("call_answered", &started),
        ("call.connected", &started),
        ("call_ended", &ended),
        ("hangup", &ended),
        ("call.disconnected", &ended),
        ("end-of-call-report", &ended),
        ("call.missed", &ended),
        ("conversation.completed", &ended),
        ("call_analyzed", &ended),
        ("recording.ready", &ready),
        ("call.recording.saved", &ready),
        ("phone.recording_completed", &ready),
    ] {
        assert_eq!(&kind(json!({"event": name})), expected, "{name}");
        assert_eq!(&kind(json!({"data": {"event_type": name}})), expected, "{name}");
    }
    assert_eq!(kind(json!({"status": "in progress"})), started);
    assert_eq!(kind(json!({"status": "no-answer"})), ended);
    assert_eq!(kind(json!({"duration": 12})), ended);
    assert_eq!(kind(json!({"recording_url": "https://pbx.test/1"})), ready);
    assert_eq!(kind(json!({"event": "agent.typing"})), EventKind::other());
    let other = |name: &str| matches!(read(&json!({"event": name, "to": "+393501234567"})).0, EventKind::Other(_));
    assert!(other("sms.sent") && other("contact.created") && other("ping"));
}

#[test]
fn the_settings_say_where_fields_are_and_what_events_mean() {
    let fields = r#"{"call_id": "obj.ref", "direction": "=outbound", "external_number": ["obj.nobody", "/obj/who.called/1"],
        "recording_url": "obj.blob", "event": "what", "event_id": "obj.nr", "recorded": "/obj/tape",
        "events": {"FIN": "call-ended", "MISC": "ignored"}}"#;
    let body = json!({"what": "FIN", "call_id": "wrong", "obj": {"ref": "77:a@b", "nr": 9, "who.called": ["x", "+393501234567"],
        "blob": "https://pbx.test/blob", "tape": 1, "recording_url": "https://pbx.test/wrong"}});
    let (event, facts) = receive(fields, body.to_string().as_bytes()).unwrap();
    assert_eq!((event.kind, event.dedupe_key.as_str()), (EventKind::CallEnded, "id:9"));
    assert_eq!(facts.provider_call_id.as_deref(), Some("77:a@b"));
    assert_eq!((facts.direction, phones(&facts).0), (Some(Direction::Outbound), Some("+393501234567")));
    assert_eq!(facts.recording_url.as_deref(), Some("https://pbx.test/blob"));
    let ignored = body.to_string().replace("FIN", "MISC");
    assert!(matches!(receive(fields, ignored.as_bytes()).unwrap().0.kind, EventKind::Other(_)));
    let without = json!({"what": "FIN", "obj": {"ref": "7", "recording_url": "https://pbx.test/wrong"}}).to_string();
    assert_eq!(receive(fields, without.as_bytes()).unwrap().1.recording_url, None, "looked for nowhere else");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, fields).unwrap();
    let again = receive(file.path().to_str().unwrap(), body.to_string().as_bytes()).unwrap();
    assert_eq!(again.1, facts);
}

#[test]
fn without_a_direction_nobody_is_taken_for_the_customer() {
    let (_, facts) =
        read(&json!({"call_id": 1, "status": "completed", "from": "+393501234567", "to": "+390612000451"}));
    assert_eq!((facts.direction, phones(&facts)), (None, (None, None)));
    let (_, facts) = read(&json!({"call_id": 1, "status": "completed", "customer_number": "+393501234567"}));
    assert_eq!(phones(&facts), (Some("+393501234567"), None));
}

#[test]
fn a_repeated_body_is_the_same_event_and_another_body_another() {
    let key = |body: &Value| receive("", body.to_string().as_bytes()).unwrap().0.dedupe_key;
    let body = json!({"event": "call.ended", "event_id": 5, "call_id": 1});
    assert_eq!(key(&body), key(&body));
    let other = json!({"event": "call.ended", "event_id": 5, "call_id": 2});
    assert_ne!(key(&body), key(&other), "what is called event_id may mean anything");
}

#[test]
fn says_what_is_wrong_with_a_body() {
    for body in ["", " ", "[]", "\"text\"", "{\"a\":", "<a/>", "nonsense"] {
        assert!(matches!(receive("", body.as_bytes()), Err(Unusable::Malformed { .. })), "{body}");
    }
    match receive("", b"{\"event\": \"call.ended\"}") {
        Err(Unusable::Field { field, .. }) => assert_eq!(field, "call_id"),
        other => panic!("{other:?}"),
    }
    let refused = |body: Value| match receive("", body.to_string().as_bytes()) {
        Err(Unusable::Field { field, detail }) => (field, detail),
        other => panic!("{body}: {other:?}"),
    };
    for id in ["../..", "0", "--", " "] {
        assert_eq!(refused(json!({"event": "call.ended", "call_id": id})).0, "call_id", "{id:?} says nothing");
    }
    for nothing in [json!({}), json!({"hello": "world"}), json!({"status": "who knows"})] {
        assert_eq!(refused(nothing).0, "call_id");
    }
    let (field, detail) = refused(json!({"call_id": "4711"}));
    assert!(field == "event" && detail.contains("status"), "which call, but not what happened: {field} {detail}");
    assert!(body::refuse_uploads(&headers(&[("content-type", "multipart/form-data; boundary=x")])).is_err());
    assert!(body::refuse_uploads(&headers(&[("content-type", "text/plain")])).is_ok());
}

#[test]
fn what_stands_where_there_is_no_id_makes_no_calls_one() {
    let ended = |id: &str| json!({"event": "call.ended", "call_id": id, "customer_number": "+393501234567"});
    for no_id in ["N/A", "Not available", "unknown", "<callid>", "%UNIQUEID%", "{{call.id}}", "${id}", "[id]"] {
        assert_eq!(read(&ended(no_id)).1.provider_call_id, None, "{no_id}");
    }
}

#[test]
fn a_calls_id_is_kept_whatever_is_in_it_and_refused_rather_than_shortened() {
    let ended = |id: Value| json!({"event": "call.ended", "call_id": id, "customer_number": "+393501234567"});
    let longest = "x".repeat(512);
    for id in ["a/b", "a?b#c", "a b", "50%", "вызов 7", "7<8>\"9\"", "..\\x", longest.as_str()] {
        let facts = read(&ended(id.into())).1;
        assert_eq!(facts.provider_call_id.as_deref(), Some(id));
        assert_eq!(facts.key("id"), Some(id));
    }
    for (number, text) in [(json!(18_446_744_073_709_551_615_u64), "18446744073709551615"), (json!(4711.0), "4711")] {
        assert_eq!(read(&ended(number)).1.provider_call_id.as_deref(), Some(text));
    }
    let refused = |body: &str| match receive("", body.as_bytes()) {
        Err(Unusable::Field { field, detail }) => (field, detail),
        other => panic!("{body}: {other:?}"),
    };
    let too_long = ended(format!("{longest}x").into()).to_string();
    assert_eq!(refused(&too_long), ("call_id".to_owned(), "longer than 512 bytes".to_owned()));
    assert!(refused(&ended("a\nb".into()).to_string()).1.contains("line break"));
    let rounded = ended(json!(7)).to_string().replace(":7", ":98765432109876543210987");
    assert!(refused(&rounded).1.contains("as text"));
    let uuid = r#"{"event": "call.ended", "call_id": 7, "call_uuid": 98765432109876543210987}"#;
    assert_eq!(refused(uuid).0, "call_uuid");
}

proptest::proptest! {
    /// Whatever is in any field, it is read the same way twice, and quickly.
    #[test]
    fn anything_anywhere_is_read_the_same_way_twice(value in ".{0,40}", name in "[a-zA-Z_]{1,12}", number in proptest::num::f64::ANY) {
        let body = json!({"call_id": value, "data": {name: value, "duration": number, "from": value, "direction": value,
            "recording": {"url": value}, "end_time": number, "status": value}}).to_string();
        let mapping = Mapping::default();
        let body = Body::parse(body.as_bytes()).unwrap();
        let read = || {
            let reading = Reading::new(&body, &mapping);
            let kind = reading.kind();
            (reading.facts(kind.as_ref().unwrap_or(&EventKind::other())), kind)
        };
        proptest::prop_assert_eq!(read(), read());
    }
}

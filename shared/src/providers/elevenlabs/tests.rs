#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::*;
use crate::{
    budgets::Budgets,
    domain::{CallStatus, Direction, EventId, Phone, Speaker},
};

const TRANSCRIPTION: &str = include_str!("../fixtures/elevenlabs_transcription.json");
const WEB_CALL: &str = include_str!("../fixtures/elevenlabs_web_call.json");
const NOT_TAKEN: &str = include_str!("../fixtures/elevenlabs_failure_twilio.json");
const SIP_FAILED: &str = include_str!("../fixtures/elevenlabs_failure_sip.json");
const SIGNED: &str = include_str!("../fixtures/elevenlabs_signed.json");
/// Facts: telephony §3.1.
const VECTOR: &str = r#"{"type":"post_call_audio","event_timestamp":1760000000,"data":{"agent_id":"agent_test_1","conversation_id":"conv_test_1","full_audio":"SUQzBAAAAAAAAA=="}}"#;
const VECTOR_V0: &str = "7ccba40c46fee7ddd6d5a655919c3107b2b07be3928e647da9e92d12e9397067";
const VECTOR_SECRET: &str = "wsec_test_0123456789abcdef";

/// Requests that the vendor's own library accepts.
#[derive(Deserialize)]
struct Signed {
    secret: String,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    header: String,
    body: String,
}

fn with(settings: &[(&str, &str)]) -> ElevenLabs {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    ElevenLabs::from_env(&Env::from_pairs(settings.iter().copied()), &outside).unwrap().unwrap()
}

fn verifies(elevenlabs: &ElevenLabs, header: &str, body: &[u8], received_at: DateTime<Utc>) -> bool {
    let headers: HeaderMap = [("elevenlabs-signature".parse().unwrap(), header.parse().unwrap())].into_iter().collect();
    elevenlabs.verify(&WebhookRequest { target: ROUTES[0].path, headers: &headers, body, received_at }).is_ok()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn receive(body: &str) -> Result<NewEvent, Unusable> {
    let elevenlabs = with(&[(VERIFY, "off")]);
    let headers = HeaderMap::new();
    let request = WebhookRequest { target: "/", headers: &headers, body: body.as_bytes(), received_at: at(0) };
    elevenlabs.receive(&ROUTES[0], elevenlabs.verify(&request).unwrap())
}

fn recorded(body: &str) -> Event {
    let NewEvent { provider, account, kind, dedupe_key, body } = receive(body).unwrap();
    Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at: at(0) }
}

fn facts(body: &str) -> CallFacts {
    with(&[(VERIFY, "off")]).facts(&recorded(body)).unwrap()
}

fn keys(facts: &CallFacts) -> Vec<(&str, &str)> {
    facts.keys.iter().map(|key| (key.kind.as_str(), key.value.as_str())).collect()
}

#[test]
fn the_vector_holds_and_with_any_bit_flipped_it_does_not() {
    let elevenlabs = with(&[(SECRET, VECTOR_SECRET)]);
    let (header, now) = (format!("t=1760000000,v0={VECTOR_V0}"), at(1_760_000_060));
    assert!(verifies(&elevenlabs, &header, VECTOR.as_bytes(), now));
    for place in [0, 80, VECTOR.len() - 1] {
        let mut body = VECTOR.as_bytes().to_vec();
        body[place] ^= 1;
        assert!(!verifies(&elevenlabs, &header, &body, now));
    }
    assert!(!verifies(&elevenlabs, &header.replace("7ccb", "7ccc"), VECTOR.as_bytes(), now));
    assert!(!verifies(&elevenlabs, &header.replace("1760000000", "1760000001"), VECTOR.as_bytes(), now));
    assert!(!verifies(&with(&[(SECRET, "another")]), &header, VECTOR.as_bytes(), now));
}

#[test]
fn what_the_vendors_own_library_accepts_is_accepted_and_nothing_near_it() {
    let signed: Signed = serde_json::from_str(SIGNED).unwrap();
    let elevenlabs = with(&[(SECRET, &signed.secret)]);
    for Request { header, body } in &signed.requests {
        let now = at(1_795_165_300);
        assert!(verifies(&elevenlabs, header, body.as_bytes(), now), "{header}");
        assert!(!verifies(&elevenlabs, header, format!("{body} ").as_bytes(), now), "{header}");
        receive(body).unwrap();
    }
}

#[test]
fn a_signature_holds_for_half_an_hour() {
    let elevenlabs = with(&[(SECRET, VECTOR_SECRET)]);
    let (header, signed) = (format!("t=1760000000,v0={VECTOR_V0}"), at(1_760_000_000));
    let after = |delta: TimeDelta| verifies(&elevenlabs, &header, VECTOR.as_bytes(), signed + delta);
    assert!(after(TimeDelta::minutes(30)) && after(TimeDelta::minutes(-5)));
    assert!(!after(TimeDelta::minutes(30) + TimeDelta::seconds(1)), "a replay");
    assert!(!after(TimeDelta::minutes(-6)), "from the future");
}

#[test]
fn headers_are_read_with_several_signatures_and_blanks_and_not_when_broken() {
    let several = with(&[(SECRET, &format!("old-secret, {VECTOR_SECRET}"))]);
    let right = |header: &str| verifies(&several, header, VECTOR.as_bytes(), at(1_760_000_000));
    let other = "00".repeat(32);
    assert!(right(&format!("t=1760000000, v0={other}, v0={VECTOR_V0}, v1=later")));
    assert!(right(&format!("v0={VECTOR_V0},t=1760000000")));
    for broken in [
        String::new(),
        "t=1760000000".to_owned(),
        format!("v0={VECTOR_V0}"),
        format!("t=1760000000,v0={}", &VECTOR_V0[2..]),
        format!("t=1760000000,v0={other}"),
        format!("t=x,v0={VECTOR_V0}"),
        format!("t=+1760000000,v0={VECTOR_V0}"),
        format!("t=99999999999999999999,v0={VECTOR_V0}"),
        format!("t=1760000000,t=1760000000,v0={VECTOR_V0}"),
        format!("t=1760000000,v1={VECTOR_V0}"),
    ] {
        assert!(!right(&broken), "{broken}");
    }
    let none = WebhookRequest { target: "/", headers: &HeaderMap::new(), body: b"{}", received_at: at(0) };
    assert!(several.verify(&none).is_err());
    assert!(with(&[(VERIFY, "off")]).verify(&none).is_ok());
}

#[test]
fn a_finished_conversation_is_an_ended_call() {
    let event = receive(TRANSCRIPTION).unwrap();
    assert_eq!((event.kind, event.dedupe_key.as_str()), (EventKind::CallEnded, "post_call_transcription:conv_7301kx"));
    assert_eq!(event.body, TRANSCRIPTION.as_bytes(), "kept as it came");
    let facts = facts(TRANSCRIPTION);
    assert_eq!(facts.provider_call_id.as_deref(), Some("conv_7301kx"));
    let named = [("id", "conv_7301kx"), ("call_sid", "CA5d0c0000000000000000000000000001"), ("chat_id", "chat-88/2")];
    assert_eq!(keys(&facts), named);
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::Completed), Some(Direction::Outbound)));
    assert_eq!(facts.external_phone.as_ref().map(Phone::as_str), Some("+393331230088"));
    assert_eq!(facts.internal_phone.as_ref().map(Phone::as_str), Some("+390287000111"));
    assert_eq!((facts.duration_seconds, facts.recorded, facts.words), (Some(21.0), Some(true), true));
    assert_eq!((facts.started_at, facts.ended_at), (Some(at(1_795_165_200)), Some(at(1_795_165_221))));
    assert_eq!((facts.agent.id.as_deref(), facts.agent.name.as_deref()), (Some("agent_2901kx"), Some("Reception")));
    assert_eq!(facts.received, None);
}

#[test]
fn a_conversation_without_a_telephone_has_no_numbers_and_its_chat() {
    let facts = facts(WEB_CALL);
    assert_eq!(keys(&facts), [("id", "conv_7302kx"), ("chat_id", "5512")]);
    assert_eq!((facts.direction, facts.external_phone, facts.internal_phone), (None, None, None));
    assert_eq!((facts.recorded, facts.words), (Some(false), true));
}

#[test]
fn a_call_that_did_not_come_about_was_missed_or_failed() {
    let facts_of = facts;
    let facts = facts_of(NOT_TAKEN);
    assert_eq!((facts.status, facts.recorded), (Some(CallStatus::Missed), Some(false)));
    assert_eq!(facts.external_phone.as_ref().map(Phone::as_str), Some("+393331230088"));
    assert_eq!(keys(&facts), [("id", "conv_7303kx"), ("call_sid", "CA5d0c0000000000000000000000000003")]);
    assert_eq!(facts.started_at, Some(at(1_795_165_200)));
    let facts = facts_of(SIP_FAILED);
    assert_eq!((facts.status, facts.started_at), (Some(CallStatus::Failed), Some(at(1_795_165_230))));
    assert_eq!(facts.external_phone.as_ref().map(Phone::as_str), Some("+393331230088"));
    assert_eq!(keys(&facts), [("id", "conv_7304kx"), ("call_sid", "SCL_5d0c")]);
}

#[test]
fn the_agents_own_words_have_speakers_and_no_times_of_their_own() {
    let elevenlabs = with(&[(VERIFY, "off")]);
    let heard = elevenlabs.transcript(&recorded(TRANSCRIPTION)).unwrap();
    let turns: Vec<_> = heard.turns.iter().map(|t| (t.speaker, t.start, t.end)).collect();
    let (agent, caller) = (Speaker::Agent, Speaker::Caller);
    assert_eq!(turns, [(agent, 0.0, 4.0), (caller, 4.0, 11.0), (agent, 11.0, 16.0), (caller, 16.0, 21.0)]);
    assert_eq!((heard.timed, heard.language.as_deref(), heard.cost), (false, Some("it"), Some(0.0)));
    assert!(heard.text().ends_with("Caller: Sì, grazie — perfect."), "{}", heard.text());
    let silent = TRANSCRIPTION.replace("\"message\"", "\"unsaid\"");
    assert_eq!(elevenlabs.transcript(&recorded(&silent)), None);
    assert!(!facts(&silent).words);
}

#[test]
fn audio_is_a_recording_and_nobody_but_us_says_where_it_is_kept() {
    let audio = |full_audio: &str, more: &str| {
        format!(r#"{{"type":"post_call_audio","data":{{"conversation_id":"conv_1","full_audio":{full_audio}{more}}}}}"#)
    };
    let event = receive(&audio("\"\"", "")).unwrap();
    assert_eq!((event.kind, event.dedupe_key.as_str()), (EventKind::RecordingAvailable, "post_call_audio:conv_1"));
    let said = facts(&audio("\"\"", r#","chat_id":"chat-9","called_number":"+393331230088""#));
    assert_eq!(keys(&said), [("id", "conv_1"), ("chat_id", "chat-9")]);
    assert_eq!((said.recorded, said.recording_announced, said.received), (Some(true), true, None));
    assert_eq!(said.external_phone.as_ref().map(Phone::as_str), Some("+393331230088"));
    let forged = audio(r#"{"object_key":"recordings/cloudtalk/2026/11/other.wav","size_bytes":1}"#, "");
    assert!(matches!(receive(&forged), Err(Unusable::Field { field, .. }) if field == "data.full_audio"));
}

#[test]
fn what_is_unknown_is_kept_and_what_cannot_be_used_is_named() {
    let event = receive(r#"{"type":"voice_removed","data":{"voice_id":"v1"}}"#).unwrap();
    assert_eq!(event.kind, EventKind::Other("voice_removed".to_owned()));
    let field = |body: &str| match receive(body).map(|event| event.kind) {
        Err(Unusable::Field { field, .. }) => field,
        other => panic!("{body}: {other:?}"),
    };
    assert_eq!(field(r#"{"data":{}}"#), "type");
    assert_eq!(field(r#"{"type":"post_call_audio","data":{"conversation_id":"../x"}}"#), "data.conversation_id");
    assert_eq!(field(r#"{"type":"call_initiation_failure"}"#), "data.conversation_id");
    for body in ["", "[]", "nonsense", "{\"type\":"] {
        assert_eq!(receive(body).map(drop), Err(Unusable::Malformed { expected: "a JSON object" }), "{body}");
    }
}

#[test]
fn a_conversation_that_was_asked_for_is_the_event_that_its_webhook_would_have_been() {
    let webhook: Value = serde_json::from_str(TRANSCRIPTION).unwrap();
    let mut conversation = webhook["data"].clone();
    let event = event_of(&conversation).unwrap();
    assert_eq!(event.dedupe_key, receive(TRANSCRIPTION).unwrap().dedupe_key);
    assert_eq!(facts(std::str::from_utf8(&event.body).unwrap()), facts(TRANSCRIPTION));
    conversation["status"] = "processing".into();
    assert!(event_of(&conversation).is_none(), "it would keep the finished one out");
}

fn judged(analysis: &Value) -> Option<Judged> {
    let body = json!({"type": "post_call_transcription", "data": {"conversation_id": "conv_1", "analysis": analysis}});
    with(&[(VERIFY, "off")]).judged(&recorded(&body.to_string()))
}

#[test]
fn the_analysis_is_a_judgement_whether_its_values_have_reasons_or_stand_bare() {
    let given = judged(&json!({
        "call_successful": "failure", "transcript_summary": " Billing issue. ",
        "data_collection_results": {
            "email": {"value": "ada@example.test", "rationale": "She said so."}, "age": 41, "callback": true,
            "address": {"value": null}, "order": "",
        },
        "evaluation_criteria_results": {
            "polite": {"result": "success", "rationale": "Thanked her."}, "solved": {"result": "failure"},
            "named": {"result": "unknown", "rationale": "Not clear."},
        },
    }));
    let given = given.unwrap();
    let mut data = given.collected_data.clone();
    data.sort();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(data, [pair("age", "41"), pair("callback", "true"), pair("email", "ada@example.test")]);
    assert_eq!((given.summary.as_str(), given.outcome.as_deref()), ("Billing issue.", Some("failure")));
    let advice: Vec<_> =
        given.coaching.iter().map(|one| (one.strength.as_deref(), one.improvement.as_deref())).collect();
    assert_eq!(advice, [(Some("polite: Thanked her."), None), (None, Some("solved"))]);
    assert_eq!(given.sentiment, None, "it says nothing of the mood");
    for nothing in [json!(null), json!({"call_successful": "success", "transcript_summary": null})] {
        assert_eq!(judged(&nothing), None, "{nothing}");
    }
}

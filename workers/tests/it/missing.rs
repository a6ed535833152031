//! Recordings that were promised and cannot be had: what people are told, and what becomes of it when they come after all.

use bytes::Bytes;
use sandbox::{RecordingFile, samples};
use serde_json::{Value, json};
use shared::{
    db::console,
    domain::{Call, Conclusion, ProviderId},
    replay::{Which, replay},
    testing::{Shape, eventually},
};

use crate::running::{Running, SECRET, in_both_shapes};

const CLOUDTALK: ProviderId = ProviderId::new("cloudtalk");
const GENERIC: ProviderId = ProviderId::new("generic");
const GONE: &str = "📼 Recording: Not available - its provider does not have it any more\n";

in_both_shapes! {
    a_recording_that_is_gone_is_told_as_missing_and_as_it_is_once_it_comes_after_all: &[],
}

async fn post(at: &Running, path: &str, body: Value) {
    #[expect(clippy::disallowed_methods, reason = "the provider, which is outside")]
    let http = reqwest::Client::new();
    let answer = http.post(format!("{}{path}", at.url)).bearer_auth(SECRET).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// What whoever follows the lasting link gets: the status, and what a problem says.
async fn follow(at: &Running, call: &Call) -> (u16, String) {
    #[expect(clippy::disallowed_methods, reason = "a listener, who is outside")]
    let answer = reqwest::Client::new().get(at.app.links.link(call).unwrap()).send().await.unwrap();
    let status = answer.status().as_u16();
    let detail = answer.json::<Value>().await.ok().and_then(|body| body["detail"].as_str().map(str::to_owned));
    (status, detail.unwrap_or_default())
}

fn tags(at: &Running) -> Vec<String> {
    let mut tags = at.sandbox.state().ghl.contacts[0].contact.tags.clone();
    tags.sort_unstable();
    tags
}

async fn a_recording_that_is_gone_is_told_as_missing_and_as_it_is_once_it_comes_after_all(at: Running) {
    let wav = || RecordingFile::Bytes(samples::named("billing").unwrap().wav.clone());
    at.sandbox.add_recording(4711, wav().gone());
    let ended = json!({"call_id": 4711, "talking_time": 20, "external_number": 393501112233_u64, "recording": true,
        "direction": "incoming", "call_status": "answered", "contact_name": "Mario Rossi"});
    post(&at, "/api/cloudtalk-webhooks/call-ended", ended).await;
    let call = at.concludes(&CLOUDTALK, "4711", |_| true).await;
    assert_eq!(call.conclusion, Some(Conclusion::RecordingMissing));
    let notes = at.notes("4711");
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(notes[0].contains("Contact: Mario Rossi") && notes[0].contains(GONE), "{}", notes[0]);
    assert!(!notes[0].contains("http"), "no link that leads nowhere: {}", notes[0]);
    assert_eq!(tags(&at), ["ct-callcompleted", "ct-completed", "ct-inbound"]);
    let record = &at.records("4711")[0];
    assert_eq!(record["summary"], "The recording is not available: its provider does not have it any more.");
    assert!(!record.contains_key("recordingUrl"), "{record:?}");
    let why = "there is no recording: its provider does not have it any more";
    assert_eq!(follow(&at, &call).await, (410, why.to_owned()));

    at.sandbox.add_recording(4711, wav());
    let which = Which::Call(call.id);
    assert_eq!(replay(&at.app.db, &at.app.queue, &at.app.clock, &which).await.unwrap(), 1);
    let analyzed = async || at.find(&CLOUDTALK, "4711").await.unwrap().conclusion == Some(Conclusion::Analyzed);
    eventually("the call is analyzed", analyzed).await;
    at.concludes(&CLOUDTALK, "4711", |_| true).await;
    let notes = at.told_once("CloudTalk", "4711").await;
    assert_eq!(notes.len(), 2, "the note that said it was missing is the call's normal one now: {notes:#?}");
    assert!(
        notes[0].contains("📼 Recording: Available - 🔗 http") && !notes[0].contains("Not available"),
        "{}",
        notes[0]
    );
    assert!(tags(&at).contains(&"ct-recordingavailable".to_owned()), "{:?}", tags(&at));
    assert!(at.records("4711")[0].contains_key("recordingUrl"));
    assert_eq!(follow(&at, &call).await.0, 200);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_host_that_is_not_allowed_never_passes_for_a_recording() {
    let at = Running::start(Shape::Embedded, &[("GENERIC_RECORDING_HOSTS", "media.example.test")]).await;
    let url = "https://elsewhere.example.test/secret/1.mp3";
    let ended = json!({"event": "call.ended", "call_id": "c-1", "direction": "inbound", "from": "+393501112233",
        "status": "answered", "recording_url": url});
    post(&at, "/webhooks/generic", ended).await;
    let call = at.concludes(&GENERIC, "c-1", |_| true).await;
    let jobs = console::jobs(&at.app.db, call.id).await.unwrap();
    let fetch = jobs.iter().find(|job| job.step == "fetch").unwrap();
    assert_eq!((fetch.state.as_str(), fetch.reason.as_deref()), ("dead", Some("recording-host-not-allowed")));
    let notes = at.notes("c-1");
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert!(notes[0].contains("Not available - its link leads to a host that is not allowed here"), "{}", notes[0]);
    assert!(!notes[0].contains("elsewhere") && !notes[0].contains("http"), "{}", notes[0]);
    assert_eq!(tags(&at), ["ct-callcompleted", "ct-completed", "ct-inbound"]);
    assert_eq!(follow(&at, &call).await.0, 410);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_audio_however_often_it_is_asked_for_is_told_as_that() {
    let at = Running::start(Shape::Embedded, &[("RETRY_SCALE", "0.00001")]).await;
    at.sandbox.add_recording(4711, RecordingFile::Bytes(Bytes::from_static(b"<!DOCTYPE html><p>Please log in</p>")));
    let ended = json!({"call_id": 4711, "talking_time": 20, "external_number": 393501112233_u64, "recording": true,
        "direction": "incoming", "call_status": "answered"});
    post(&at, "/api/cloudtalk-webhooks/call-ended", ended).await;
    let call = at.concludes(&CLOUDTALK, "4711", |_| true).await;
    let jobs = console::jobs(&at.app.db, call.id).await.unwrap();
    let fetch = jobs.iter().find(|job| job.step == "fetch").unwrap();
    assert_eq!((fetch.state.as_str(), fetch.attempts), ("dead", 15));
    let note = at.notes("4711").remove(0);
    assert!(note.contains("📼 Recording: Not available - what its provider sent is not audio\n"), "{note}");
    at.stop().await;
}

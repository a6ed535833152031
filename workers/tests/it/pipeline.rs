//! From a webhook to the CRM, everything real but the vendors, in both shapes.

use std::sync::Arc;

use sandbox::{CallMode, Fault, FaultKind, PlaceCall, Vendor};
use shared::{
    domain::ProviderId,
    service::{App, Role},
    testing::{Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

use crate::running::{Running, SECRET, in_both_shapes};

in_both_shapes! {
    a_recorded_call_becomes_notes_and_a_record: &[],
    a_call_reaches_the_crm_however_its_recording_is_announced: &[],
    a_call_without_a_recording_is_told_as_it_is: &[],
    the_same_webhook_fifty_times_at_once_is_one_call: &[],
    a_crm_that_is_down_holds_up_nobody_else: &[],
    a_reply_lost_after_the_write_leaves_one_note: &[],
    a_name_with_line_breaks_forges_no_line_of_a_note: &[],
}

fn order(at: &Running, sample: &str, mode: CallMode) -> PlaceCall {
    at.order("cloudtalk", sample, mode)
}

/// The id of a call that was had.
async fn place(at: &Running, order: PlaceCall) -> String {
    at.place(order).await.call_id.to_string()
}

async fn concludes(at: &Running, id: &str) {
    at.concludes(&ProviderId::new("cloudtalk"), id, |_| true).await;
    let idle = async || shared::db::jobs::unfinished(&at.app.db).await.unwrap() == 0;
    eventually("nothing is due", idle).await;
}

async fn a_recorded_call_becomes_notes_and_a_record(at: Running) {
    let id = place(&at, order(&at, "billing", CallMode::EndedWithUrl)).await;
    concludes(&at, &id).await;
    let notes = at.notes(&id);
    assert_eq!(notes.len(), 2, "the call and the feedback: {notes:#?}");
    assert!(notes[0].starts_with("[CloudTalk] Call completed"), "{}", notes[0]);
    assert!(notes[0].contains("🔗") && !notes[0].contains("/pub/r/"), "our link, never the provider's: {}", notes[0]);
    assert!(notes[1].starts_with("[CloudTalk Feedback]"), "{}", notes[1]);
    let sample = sandbox::samples::named("billing").unwrap();
    let said = |channel| sample.turns.iter().find(|t| t.channel == channel).unwrap().text.clone();
    let records = at.records(&id);
    assert_eq!(records.len(), 1);
    let transcript = records[0]["transcript"].as_str().unwrap();
    let first_words = |text: &str| text.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    for (label, channel) in [("Caller", 0), ("Agent", 1)] {
        let line = format!("{label}: {}", first_words(&said(channel)));
        assert!(transcript.contains(&line), "{line:?} in {transcript}");
        assert!(notes[1].contains(&line), "{line:?} in {}", notes[1]);
    }
    assert_eq!(records[0]["status"], "completed");
    let link = records[0]["recordingUrl"].as_str().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a listener, who is outside")]
    let audio = reqwest::Client::new().get(link).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(audio, sample.wav, "the link plays the recording");
    let contact = at.sandbox.state().ghl.contacts.into_iter().next().unwrap().contact;
    for tag in ["ct-callcompleted", "ct-recordingavailable", "ct-completed"] {
        assert!(contact.tags.iter().any(|t| t == tag), "{tag} in {:?}", contact.tags);
    }
    assert_eq!(contact.custom_fields.len(), 2);
    at.stop().await;
}

async fn a_call_reaches_the_crm_however_its_recording_is_announced(at: Running) {
    let mut late = order(&at, "support", CallMode::ApiFallback);
    late.not_ready_times = 1;
    let mut ids = Vec::new();
    for call in
        [order(&at, "sales", CallMode::EndedThenRecording), late, order(&at, "appointment", CallMode::EndedWithUrl)]
    {
        ids.push(place(&at, call).await);
    }
    for id in ids {
        concludes(&at, &id).await;
        let notes = at.notes(&id);
        let of_kind = |kind: &str| notes.iter().filter(|n| n.starts_with(kind)).count();
        assert_eq!(of_kind("[CloudTalk] "), 1, "{notes:#?}");
        assert_eq!(of_kind("[CloudTalk Feedback] "), 1, "{notes:#?}");
        assert!(of_kind("[CloudTalk Recording] ") <= 1, "{notes:#?}");
        assert!(notes.iter().any(|n| n.contains("🔗")), "{notes:#?}");
        assert_eq!(at.records(&id).len(), 1);
    }
    at.stop().await;
}

async fn a_call_without_a_recording_is_told_as_it_is(at: Running) {
    for mode in [CallMode::Missed, CallMode::NotRecorded] {
        let id = place(&at, order(&at, "billing", mode)).await;
        concludes(&at, &id).await;
        let notes = at.notes(&id);
        assert_eq!(notes.len(), 1, "{notes:#?}");
        assert!(!notes[0].contains("Recording"), "{}", notes[0]);
        let records = at.records(&id);
        assert_eq!(records.len(), 1);
        let status = if mode == CallMode::Missed { "missed" } else { "completed" };
        assert_eq!(records[0]["status"], status);
        assert!(!records[0].contains_key("transcript") && !records[0].contains_key("recordingUrl"));
    }
    assert!(at.sandbox.asked(Vendor::Openai, "").is_empty(), "nothing was paid for");
    at.stop().await;
}

async fn the_same_webhook_fifty_times_at_once_is_one_call(at: Running) {
    let at = Arc::new(at);
    let calls = (0..50).map(|_| {
        let at = at.clone();
        async move {
            let body = serde_json::json!({"call_id": 4711, "talking_time": 20, "external_number": 393501112233u64,
                "direction": "incoming", "call_status": "answered",
                "recording_url": at.sandbox.add_recording(4711, sandbox::RecordingFile::Bytes(
                    sandbox::samples::named("billing").unwrap().wav.clone()))});
            #[expect(clippy::disallowed_methods, reason = "the provider, which is outside")]
            let http = reqwest::Client::new();
            let url = format!("{}/api/cloudtalk-webhooks/call-ended", at.url);
            http.post(url).bearer_auth(SECRET).json(&body).send().await.unwrap().status().as_u16()
        }
    });
    assert!(futures::future::join_all(calls).await.into_iter().all(|status| status == 200));
    concludes(&at, "4711").await;
    assert_eq!(at.notes("4711").len(), 2);
    assert_eq!(at.records("4711").len(), 1);
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat").len(), 1, "paid once");
    Arc::into_inner(at).unwrap().stop().await;
}

async fn a_crm_that_is_down_holds_up_nobody_else(at: Running) {
    at.sandbox.fault(Fault::status(Vendor::Ghl, 503));
    let id = place(&at, order(&at, "billing", CallMode::EndedWithUrl)).await;
    eventually("the other sink has its record", async || at.records(&id).len() == 1).await;
    eventually("many tries failed", async || at.sandbox.asked(Vendor::Ghl, "").len() >= 5).await;
    assert!(at.notes(&id).is_empty());
    at.sandbox.clear_faults();
    concludes(&at, &id).await;
    assert_eq!(at.notes(&id).len(), 2);
    assert_eq!(at.records(&id).len(), 1);
    at.stop().await;
}

async fn a_reply_lost_after_the_write_leaves_one_note(at: Running) {
    at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLost).method("POST").path("/notes").times(2));
    at.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::ReplyLost).method("POST").times(1));
    let id = place(&at, order(&at, "billing", CallMode::EndedWithUrl)).await;
    concludes(&at, &id).await;
    assert_eq!(at.notes(&id).len(), 2, "{:#?}", at.notes(&id));
    assert_eq!(at.records(&id).len(), 1);
    at.stop().await;
}

async fn a_name_with_line_breaks_forges_no_line_of_a_note(at: Running) {
    let forged = "Mario\nStatus: missed\nCall ID: 9 - 2025-09-16T14:04:58Z\n[CloudTalk] Call completed";
    let body = serde_json::json!({"call_id": 4712, "external_number": 393501112233u64, "direction": "incoming",
        "call_status": "answered", "talking_time": 20, "recording": false, "contact_name": forged,
        "agent_name": "Rita\u{2028}Duration: 1s", "campaign": "Autumn\r\nCall ID: 8 - 2025"});
    #[expect(clippy::disallowed_methods, reason = "the provider, which is outside")]
    let http = reqwest::Client::new();
    let url = format!("{}/api/cloudtalk-webhooks/call-ended", at.url);
    assert_eq!(http.post(url).bearer_auth(SECRET).json(&body).send().await.unwrap().status(), 200);
    concludes(&at, "4712").await;
    let note = at.notes("4712").remove(0);
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!(lines.len(), 6, "{note}");
    for (line, begins) in lines.iter().zip([
        "[CloudTalk] Call ",
        "Contact: Mario Status: missed",
        "Duration: 20s",
        "Agent: Rita Duration: 1s,",
        "Campaign: Autumn",
        "Call ID: 4712 - ",
    ]) {
        assert!(line.starts_with(begins), "{line:?} where {begins:?} belongs");
    }
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_embedded_shape_loses_nothing() {
    let at = Running::start(Shape::Embedded, &[]).await;
    at.sandbox.fault(Fault::status(Vendor::Openai, 500));
    let id = place(&at, order(&at, "billing", CallMode::EndedWithUrl)).await;
    eventually("speech was tried", async || !at.sandbox.asked(Vendor::Openai, "").is_empty()).await;
    let Running { sandbox, app, stop, tasks, scratch, .. } = at;
    stop.cancel();
    for task in tasks {
        task.await.unwrap();
    }
    let env = app.env.clone();
    app.close().await;
    drop(app);
    sandbox.clear_faults();
    let app = App::open("test", env, Role::Whole).await.unwrap();
    let stop = CancellationToken::new();
    let working = workers::run(app.clone(), Pool::all(), stop.clone());
    let tasks = vec![tokio::spawn(async move { working.await.unwrap() })];
    let again = Running { sandbox, url: String::new(), app, stop, tasks, scratch };
    concludes(&again, &id).await;
    assert_eq!(again.notes(&id).len(), 2);
    assert_eq!(again.records(&id).len(), 1);
    again.stop().await;
}

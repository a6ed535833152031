//! From a webhook to the CRM, everything real but the vendors, in both shapes.

use std::sync::Arc;

use sandbox::{CallMode, Fault, FaultKind, PlaceCall, PlacedCall, Sandbox, Vendor};
use serde_json::Value;
use shared::{
    domain::ProviderId,
    service::{App, Role},
    testing::{Scratch, Shape, eventually},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

pub(crate) const SECRET: &str = "a-webhook-secret";

/// Everything in one process, and the vendors beside it.
pub(crate) struct Running {
    pub(crate) sandbox: Sandbox,
    pub(crate) url: String,
    pub(crate) app: App,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    scratch: Scratch,
}

impl Running {
    pub(crate) async fn start(shape: Shape, more: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(shape).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let vendors = sandbox.base_urls();
        let env = scratch.env().with([
            ("WEBHOOK_BASE_URL", url.as_str()),
            ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
            ("CLOUDTALK_API_KEY", "id:secret"),
            ("CLOUDTALK_BASE_URL", &vendors.cloudtalk),
            ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
            ("TWILIO_AUTH_TOKEN", SECRET),
            ("TWILIO_BASE_URL", &vendors.twilio),
            ("ELEVENLABS_WEBHOOK_SECRET", SECRET),
            ("ELEVENLABS_API_KEY", "key"),
            ("ELEVENLABS_BASE_URL", &vendors.elevenlabs),
            ("OPENAI_BASE_URL", &vendors.openai),
            ("OPENAI_API_KEY", "key"),
            ("GHL_BASE_URL", &vendors.ghl),
            ("GHL_API_KEY", "pit-key"),
            ("GHL_LOCATION_ID", "LOC1"),
            ("CALLMIND_BASE_URL", &vendors.callmind),
            ("CALLMIND_TOKEN", "token"),
            ("CALLMIND_AGENT_ID", "agent_1"),
            ("RETRY_SCALE", "0.02"),
            ("LEASE_SECONDS", "5"),
        ]);
        let env = env.with(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let app = App::open("test", env, Role::Whole).await.unwrap();
        let stop = CancellationToken::new();
        let ingest = tokio::spawn(ingest::serve(app.clone(), listener, stop.clone()));
        let working = workers::run(app.clone(), Pool::all(), stop.clone());
        let workers = tokio::spawn(async move { working.await.unwrap() });
        Self { sandbox, url, app, stop, tasks: vec![ingest, workers], scratch }
    }

    fn call(&self, sample: &str, mode: CallMode) -> PlaceCall {
        PlaceCall::new(&self.url, SECRET, sample).mode(mode)
    }

    async fn place(&self, call: PlaceCall) -> PlacedCall {
        let placed = self.sandbox.place_call(call).await.unwrap();
        assert!(placed.answers.iter().all(|a| a.status == 200), "{:?}", placed.answers);
        placed
    }

    /// The notes about a call, in the order they were written.
    fn notes(&self, call_id: u64) -> Vec<String> {
        let id = call_id.to_string();
        let contacts = self.sandbox.state().ghl.contacts;
        contacts.into_iter().flat_map(|c| c.notes).map(|n| n.body).filter(|body| body.contains(&id)).collect()
    }

    fn records(&self, call_id: u64) -> Vec<serde_json::Map<String, Value>> {
        let id = call_id.to_string();
        let records = self.sandbox.state().callmind.records;
        records.into_iter().map(|r| r.fields).filter(|fields| fields["callSid"] == id.as_str()).collect()
    }

    /// Waits until all our work on the call is done.
    async fn concludes(&self, call_id: u64) {
        let provider = ProviderId::new("cloudtalk");
        eventually("the call is concluded and nothing is due", async || {
            let call = shared::db::calls::find_by_key(&self.app.db, &provider, &call_id.to_string()).await.unwrap();
            let concluded = call.is_some_and(|call| call.conclusion.is_some());
            concluded && shared::db::jobs::unfinished(&self.app.db).await.unwrap() == 0
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        self.app.close().await;
        drop(self.scratch);
    }
}

macro_rules! in_both_shapes {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                super::$name(Running::start(Shape::Embedded, &[]).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                super::$name(Running::start(Shape::Production, &[]).await).await;
            }
        }
    )*};
}

in_both_shapes! {
    a_recorded_call_becomes_notes_and_a_record,
    a_call_reaches_the_crm_however_its_recording_is_announced,
    a_call_without_a_recording_is_told_as_it_is,
    the_same_webhook_fifty_times_at_once_is_one_call,
    a_crm_that_is_down_holds_up_nobody_else,
    a_reply_lost_after_the_write_leaves_one_note,
}

async fn a_recorded_call_becomes_notes_and_a_record(at: Running) {
    let placed = at.place(at.call("billing", CallMode::EndedWithUrl)).await;
    at.concludes(placed.call_id).await;
    let notes = at.notes(placed.call_id);
    assert_eq!(notes.len(), 2, "the call and the feedback: {notes:#?}");
    assert!(notes[0].starts_with("[CloudTalk] Call completed"), "{}", notes[0]);
    assert!(notes[0].contains("🔗") && !notes[0].contains("/pub/r/"), "our link, never the provider's: {}", notes[0]);
    assert!(notes[1].starts_with("[CloudTalk Feedback]"), "{}", notes[1]);
    let sample = sandbox::samples::named("billing").unwrap();
    let said = |channel| sample.turns.iter().find(|t| t.channel == channel).unwrap().text.clone();
    let records = at.records(placed.call_id);
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
    let mut late = at.call("support", CallMode::ApiFallback);
    late.not_ready_times = 1;
    let mut ids = Vec::new();
    for call in [at.call("sales", CallMode::EndedThenRecording), late, at.call("appointment", CallMode::EndedWithUrl)] {
        ids.push(at.place(call).await.call_id);
    }
    for id in ids {
        at.concludes(id).await;
        let notes = at.notes(id);
        let of_kind = |kind: &str| notes.iter().filter(|n| n.starts_with(kind)).count();
        assert_eq!(of_kind("[CloudTalk] "), 1, "{notes:#?}");
        assert_eq!(of_kind("[CloudTalk Feedback] "), 1, "{notes:#?}");
        assert!(of_kind("[CloudTalk Recording] ") <= 1, "{notes:#?}");
        assert!(notes.iter().any(|n| n.contains("🔗")), "{notes:#?}");
        assert_eq!(at.records(id).len(), 1);
    }
    at.stop().await;
}

async fn a_call_without_a_recording_is_told_as_it_is(at: Running) {
    for mode in [CallMode::Missed, CallMode::NotRecorded] {
        let placed = at.place(at.call("billing", mode)).await;
        at.concludes(placed.call_id).await;
        let notes = at.notes(placed.call_id);
        assert_eq!(notes.len(), 1, "{notes:#?}");
        assert!(!notes[0].contains("Recording"), "{}", notes[0]);
        let records = at.records(placed.call_id);
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
        let call = at.call("billing", CallMode::EndedWithUrl).call_id(4_711);
        async move {
            let body = serde_json::json!({"call_id": 4711, "talking_time": 20, "external_number": 393501112233u64,
                "direction": "incoming", "call_status": "answered",
                "recording_url": at.sandbox.add_recording(4711, sandbox::RecordingFile::Bytes(
                    sandbox::samples::named("billing").unwrap().wav.clone()))});
            drop(call);
            #[expect(clippy::disallowed_methods, reason = "the provider, which is outside")]
            let http = reqwest::Client::new();
            let url = format!("{}/api/cloudtalk-webhooks/call-ended", at.url);
            http.post(url).bearer_auth(SECRET).json(&body).send().await.unwrap().status().as_u16()
        }
    });
    assert!(futures::future::join_all(calls).await.into_iter().all(|status| status == 200));
    at.concludes(4_711).await;
    assert_eq!(at.notes(4_711).len(), 2);
    assert_eq!(at.records(4_711).len(), 1);
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat").len(), 1, "paid once");
    Arc::into_inner(at).unwrap().stop().await;
}

async fn a_crm_that_is_down_holds_up_nobody_else(at: Running) {
    at.sandbox.fault(Fault::status(Vendor::Ghl, 503));
    let placed = at.place(at.call("billing", CallMode::EndedWithUrl)).await;
    eventually("the other sink has its record", async || at.records(placed.call_id).len() == 1).await;
    eventually("many tries failed", async || at.sandbox.asked(Vendor::Ghl, "").len() >= 5).await;
    assert!(at.notes(placed.call_id).is_empty());
    at.sandbox.clear_faults();
    at.concludes(placed.call_id).await;
    assert_eq!(at.notes(placed.call_id).len(), 2);
    assert_eq!(at.records(placed.call_id).len(), 1);
    at.stop().await;
}

async fn a_reply_lost_after_the_write_leaves_one_note(at: Running) {
    at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLost).method("POST").path("/notes").times(2));
    at.sandbox.fault(Fault::new(Vendor::Callmind, FaultKind::ReplyLost).method("POST").times(1));
    let placed = at.place(at.call("billing", CallMode::EndedWithUrl)).await;
    at.concludes(placed.call_id).await;
    assert_eq!(at.notes(placed.call_id).len(), 2, "{:#?}", at.notes(placed.call_id));
    assert_eq!(at.records(placed.call_id).len(), 1);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_embedded_shape_loses_nothing() {
    let at = Running::start(Shape::Embedded, &[]).await;
    at.sandbox.fault(Fault::status(Vendor::Openai, 500));
    let placed = at.place(at.call("billing", CallMode::EndedWithUrl)).await;
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
    again.concludes(placed.call_id).await;
    assert_eq!(again.notes(placed.call_id).len(), 2);
    assert_eq!(again.records(placed.call_id).len(), 1);
    again.stop().await;
}

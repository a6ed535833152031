//! Looking for recordings at once.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use chrono::TimeDelta;
use sandbox::{CallMode, Fault, PlaceCall, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db::{calls, events},
    domain::{CallId, EventKind, NewEvent, ProviderId, Step},
    testing::{Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

use crate::desk::{Desk, TOKEN, dead};

const TWILIO: ProviderId = ProviderId::new("twilio");

/// A desk whose carrier is simulated, and workers that fetch.
async fn with(sandbox: &Sandbox) -> Desk {
    let desk = desk(Shape::Embedded, sandbox, &[]).await;
    work(&desk, &[Step::Intake, Step::Fetch]);
    desk
}

/// A desk whose carrier is simulated.
async fn desk(shape: Shape, sandbox: &Sandbox, more: &[(&str, &str)]) -> Desk {
    let base = sandbox.base_urls().twilio;
    let settings = [
        ("API_TOKEN", TOKEN),
        ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_BASE_URL", base.as_str()),
    ];
    Desk::with(shape, &[&settings, more].concat()).await
}

/// A desk whose agents are simulated, too, and keep no audio that we could ask for.
async fn with_agents(shape: Shape, sandbox: &Sandbox) -> Desk {
    let base = sandbox.base_urls().elevenlabs;
    let settings = [
        ("ELEVENLABS_WEBHOOK_SECRET", "wsec"),
        ("ELEVENLABS_API_KEY", "key"),
        ("ELEVENLABS_BASE_URL", base.as_str()),
        ("ELEVENLABS_AGENT_ID", "agent_1"),
        ("ELEVENLABS_AGENT_PHONE_NUMBER_ID", "phnum_1"),
        ("CLOUDTALK_WEBHOOK_SECRET", "secret"),
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_BASE_URL", base.as_str()),
    ];
    desk(shape, sandbox, &settings).await
}

fn work(desk: &Desk, steps: &[Step]) {
    let pools = steps.iter().map(|step| Pool { step: *step, sink: None }).collect();
    tokio::spawn(workers::run(desk.app.clone(), pools, CancellationToken::new()));
}

/// A call of an agent that was started here, and how it was answered.
async fn started(desk: &Desk) -> Value {
    let answer = desk.post("/api/calls", json!({"to_number": "+393331230088", "chat_id": "lead-77"})).await;
    assert_eq!(answer.status(), 201);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// What was found of the only call.
async fn only(desk: &Desk) -> Value {
    let mut answer = polled(desk).await;
    assert_eq!(answer["details"].as_array().unwrap().len(), 1, "{answer}");
    answer["details"][0].take()
}

/// A call that the carrier placed and of which we know only that it began.
async fn known(desk: &Desk, sandbox: &Sandbox, mode: CallMode) -> String {
    let order = PlaceCall::new("http://127.0.0.1:9", "token", "billing").provider("twilio").mode(mode);
    let sid = sandbox.place_call(order).await.unwrap().call_uuid;
    let event = NewEvent {
        provider: TWILIO,
        account: sandbox::TWILIO_ACCOUNT.into(),
        kind: EventKind::CallStarted,
        dedupe_key: format!("call:{sid}:queued"),
        body: format!("CallSid={sid}&CallStatus=queued").into_bytes(),
    };
    events::learn(&desk.app.db, vec![event], None, desk.app.clock.now()).await.unwrap();
    eventually("the call is known", async || calls::find_by_key(&desk.app.db, &TWILIO, &sid).await.unwrap().is_some())
        .await;
    sid
}

async fn polled(desk: &Desk) -> Value {
    let answer = desk.post("/api/chats/poll-recordings", json!({})).await;
    assert_eq!(answer.status(), 200);
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_for_each_call_without_a_recording_what_came_of_looking_for_it() {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let desk = with(&sandbox).await;
    assert_eq!(polled(&desk).await, json!({"processed": 0, "details": []}));
    let silent = known(&desk, &sandbox, CallMode::NotRecorded).await;
    let recorded = known(&desk, &sandbox, CallMode::ApiFallback).await;
    sandbox.fault(Fault::status(Vendor::Twilio, 401));
    let failed = polled(&desk).await;
    assert_eq!(failed["processed"], 0);
    let statuses: Vec<_> = failed["details"].as_array().unwrap().iter().map(|detail| &detail["status"]).collect();
    assert_eq!(statuses, ["twilio_error", "twilio_error"]);
    sandbox.clear_faults();
    let answer = polled(&desk).await;
    assert_eq!(answer["processed"], 1, "{answer}");
    for (sid, status) in [(&recorded, "uploaded"), (&silent, "no_recordings")] {
        let call = calls::find_by_key(&desk.app.db, &TWILIO, sid).await.unwrap().unwrap();
        let expected = json!({"chatId": call.id, "callId": call.id, "callSid": sid, "status": status});
        assert!(answer["details"].as_array().unwrap().contains(&expected), "{expected} in {answer}");
    }
    eventually("what is stored is not looked for again", async || {
        let again = polled(&desk).await;
        again["details"].as_array().unwrap().iter().all(|detail| detail["callSid"] != recorded.as_str())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_an_agent_was_started_with_is_asked_of_whoever_carried_it() {
    for shape in [Shape::Embedded, Shape::Production] {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let desk = with_agents(shape, &sandbox).await;
        work(&desk, &[Step::Intake, Step::Fetch]);
        let call = started(&desk).await;
        let found = |status: &str| json!({"chatId": "lead-77", "callId": call["call_id"], "callSid": call["call_sid"], "status": status});
        assert_eq!(only(&desk).await, found("pending"), "it is being made");
        sandbox.end_conversation(call["conversation_id"].as_str().unwrap(), "", "").await.unwrap();
        assert_eq!(only(&desk).await, found("uploaded"), "no webhook told of it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_was_given_up_is_fetched_once_somebody_looks_again() {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let desk = with_agents(Shape::Embedded, &sandbox).await;
    let call = started(&desk).await;
    sandbox.end_conversation(call["conversation_id"].as_str().unwrap(), "", "").await.unwrap();
    let now = desk.app.clock.now();
    let told = desk.app.providers.get(&TWILIO).unwrap().poll(now - TimeDelta::days(1), None).await.unwrap();
    assert_eq!(events::learn(&desk.app.db, told.events, None, now).await.unwrap(), 1);
    work(&desk, &[Step::Intake]);
    let id: CallId = serde_json::from_value(call["call_id"].clone()).unwrap();
    let known = async || calls::find(&desk.app.db, id).await.unwrap().unwrap().facts.recording_announced;
    eventually("the carrier's recording is known", known).await;
    desk.tried(id, Step::Fetch, dead("store-refuses"), Vec::new()).await;
    work(&desk, &[Step::Fetch]);
    assert_eq!(only(&desk).await["status"], "uploaded");
}

#[tokio::test]
async fn nobody_looks_without_the_token() {
    let desk = Desk::start(Shape::Embedded).await;
    let url = format!("{}/api/chats/poll-recordings", desk.base);
    assert_eq!(desk.app.outside.http.post(url).send().await.unwrap().status(), 401);
}

//! Looking for recordings at once.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{CallMode, Fault, PlaceCall, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db::{calls, events},
    domain::{EventKind, NewEvent, ProviderId, Step},
    testing::{Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

use crate::desk::{Desk, TOKEN};

const TWILIO: ProviderId = ProviderId::new("twilio");

/// A desk whose carrier is simulated, and workers that fetch.
async fn with(sandbox: &Sandbox) -> Desk {
    let base = sandbox.base_urls().twilio;
    let settings = [
        ("API_TOKEN", TOKEN),
        ("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_BASE_URL", base.as_str()),
    ];
    let desk = Desk::with(Shape::Embedded, &settings).await;
    let pools = [Step::Intake, Step::Fetch].map(|step| Pool { step, sink: None }).to_vec();
    tokio::spawn(workers::run(desk.app.clone(), pools, CancellationToken::new()));
    desk
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
        let expected = json!({"chatId": call.id, "callSid": sid, "status": status});
        assert!(answer["details"].as_array().unwrap().contains(&expected), "{expected} in {answer}");
    }
    eventually("what is stored is not looked for again", async || {
        let again = polled(&desk).await;
        again["details"].as_array().unwrap().iter().all(|detail| detail["callSid"] != recorded.as_str())
    })
    .await;
}

#[tokio::test]
async fn nobody_looks_without_the_token() {
    let desk = Desk::start(Shape::Embedded).await;
    let url = format!("{}/api/chats/poll-recordings", desk.base);
    assert_eq!(desk.app.outside.http.post(url).send().await.unwrap().status(), 401);
}

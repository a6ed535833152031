//! What events make due that come late, or after two calls turned out to be one.

use shared::{
    db::{
        self,
        events::Incoming,
        settle::{End, Settlement},
    },
    domain::{
        CallId, Conclusion, EventId, EventKind, JobId, NewEvent, NewJob, Outcome, ProviderId, SinkId, Step, Wake, Write,
    },
    service::{App, Role},
    testing::{Scratch, Shape},
};
use uuid::Uuid;
use workers::{
    step::Run,
    steps::{fetch::Fetch, intake::Intake, sync::Sync},
};

use crate::given;

const SINK: SinkId = SinkId::new("callmind");

async fn open(scratch: &Scratch) -> App {
    let env = scratch.env().with([
        ("CLOUDTALK_WEBHOOK_SECRET", "secret"),
        ("CALLMIND_BASE_URL", "http://127.0.0.1:9"),
        ("CALLMIND_TOKEN", "token"),
        ("CALLMIND_AGENT_ID", "agent_1"),
    ]);
    App::open("test", env, Role::Whole).await.unwrap()
}

/// Records an event and takes it in.
async fn comes(app: &App, kind: EventKind, body: serde_json::Value) -> (EventId, Outcome) {
    let (id, now) = (EventId::new(), app.clock.now());
    let event = NewEvent {
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        kind,
        dedupe_key: id.to_string(),
        body: body.to_string().into_bytes(),
    };
    db::events::record(&app.db, &[Incoming { id, event, traceparent: None }], now, now).await.unwrap();
    (id, Intake::new(app).run(&given::job(&NewJob::intake(id))).await.unwrap())
}

async fn conclude(app: &App, event: EventId, call: CallId, conclusion: Conclusion) {
    let (owner, now) = (Uuid::now_v7(), app.clock.now());
    let claimed = db::jobs::claim(&app.db, &[JobId(event.0)], owner, now, now).await.unwrap();
    let job = claimed.into_iter().next().unwrap();
    let writes = vec![Write::Conclusion(call, conclusion)];
    let settlement = Settlement { job, end: End::Done { skipped: None }, writes, next: Vec::new() };
    db::settle::settle(&app.db, owner, &[settlement], now, now).await.unwrap();
}

async fn call(app: &App, key: &str) -> CallId {
    db::calls::find_by_key(&app.db, &ProviderId::new("cloudtalk"), key).await.unwrap().unwrap().id
}

fn tells(outcome: &Outcome) -> bool {
    outcome.next.iter().any(|job| job.sink == Some(SINK))
}

#[tokio::test]
async fn the_end_of_a_call_that_comes_after_its_feedback_is_told_too() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let app = open(&scratch).await;
    let recorded = serde_json::json!({"call_id": 7, "recording_url": "https://my.cloudtalk.io/r/7.wav"});
    let (event, outcome) = comes(&app, EventKind::RecordingAvailable, recorded).await;
    assert!(!tells(&outcome), "nothing is known yet that this sink wants");
    conclude(&app, event, call(&app, "7").await, Conclusion::Analyzed).await;
    let ended = serde_json::json!({"call_id": 7, "call_status": "answered", "talking_time": 20});
    let (_, outcome) = comes(&app, EventKind::CallEnded, ended).await;
    assert!(tells(&outcome));
    assert!(outcome.writes.is_empty(), "{outcome:?}");
}

#[tokio::test]
async fn a_late_word_that_nothing_was_recorded_does_not_undo_what_was_found() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let app = open(&scratch).await;
    let ended =
        |recorded: Option<bool>| serde_json::json!({"call_id": 8, "call_status": "answered", "recorded": recorded});
    let (event, outcome) = comes(&app, EventKind::CallEnded, ended(None)).await;
    assert!(outcome.next.iter().any(|job| job.step == Step::Fetch));
    conclude(&app, event, call(&app, "8").await, Conclusion::TooShort).await;
    let (_, outcome) = comes(&app, EventKind::CallEnded, ended(Some(false))).await;
    assert!(outcome.writes.is_empty(), "{outcome:?}");
}

#[tokio::test]
async fn a_job_of_a_call_that_was_another_one_leaves_the_work_to_that_ones_job() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let app = open(&scratch).await;
    comes(&app, EventKind::CallStarted, serde_json::json!({"call_uuid": "u-9"})).await;
    comes(&app, EventKind::CallStarted, serde_json::json!({"call_id": 9})).await;
    let gone = call(&app, "9").await;
    comes(&app, EventKind::CallStarted, serde_json::json!({"call_id": 9, "call_uuid": "u-9"})).await;
    assert_ne!(call(&app, "9").await, gone);
    let survivor = call(&app, "9").await;
    let fetched = Fetch::new(&app).unwrap().run(&given::job(&NewJob::step(Step::Fetch, gone, Wake::No))).await.unwrap();
    let synced = Sync::new(&app).run(&given::job(&NewJob::sync(gone, SINK))).await.unwrap();
    for (outcome, next) in
        [(fetched, NewJob::step(Step::Fetch, survivor, Wake::Yes)), (synced, NewJob::sync(survivor, SINK))]
    {
        assert_eq!(outcome.skipped.as_deref(), Some("merged"));
        assert!(outcome.writes.is_empty());
        assert_eq!(outcome.next, [next]);
    }
}

//! What is set aside under the daily cap for a request, and what becomes of it when the request ends otherwise than paid.

use std::time::Duration;

use chrono::TimeDelta;
use sandbox::{Bent, Fault, FaultKind, Vendor};
use shared::{
    budgets::OPEN_AFTER,
    db::{
        self,
        budgets::{Admission, Terms},
    },
    domain::{Call, CallId, Micros, NewJob, Step, Wake},
    service::App,
    testing::eventually,
};
use workers::{
    step::Run,
    steps::{analyze::Analyze, transcribe::Transcribe},
};

use crate::{
    analyze::conversation,
    given::{self, Given},
    transcribe::{World, sample},
};

const STEPS: [Step; 2] = [Step::Transcribe, Step::Analyze];
const CAP: (&str, &str) = ("DAILY_COST_CAP", "5");

/// What today has cost, with what is set aside; also where a test runs over midnight.
pub(crate) async fn spent(app: &App) -> Micros {
    // Lines are written in order: whatever was given back before this is written, too.
    if let Ok(held) = app.outside.ledger.purse(CallId::new(), Step::Analyze).reserve(Some(0.0)).await {
        held.released().await;
    }
    let now = app.clock.now().date_naive();
    let of = async |day: chrono::NaiveDate| db::spending::spent(&app.db, &day.to_string()).await.unwrap();
    of(now).await + of(now - TimeDelta::days(1)).await
}

async fn call(world: &World, step: Step) -> Call {
    match step {
        Step::Transcribe => world.call(Some(&sample().wav), None).await,
        _ => given::call(&world.app, Given { recording: None, ..conversation() }).await,
    }
}

/// One try; whether it came to an end of its own that was no failure.
async fn tried(world: &World, step: Step, call: &Call) -> bool {
    let job = given::job(&NewJob::step(step, call.id, Wake::No));
    let run: Box<dyn Run> = match step {
        Step::Transcribe => Box::new(Transcribe::new(&world.app).unwrap()),
        _ => Box::new(Analyze::new(&world.app).unwrap()),
    };
    run.run(&job).await.is_ok()
}

/// What stays counted after a try that met this fault, beyond what stands in the ledger.
async fn left(step: Step, fault: FaultKind, settings: &[(&str, &str)]) -> Micros {
    let world = World::new(&[&[CAP], settings].concat()).await;
    world.sandbox.fault(Fault::new(Vendor::Openai, fault.clone()));
    let call = call(&world, step).await;
    assert!(!tried(&world, step, &call).await, "{step}, {fault:?}");
    let paid: Micros = db::spending::of(&world.app.db, call.id).await.unwrap().iter().map(|sum| sum.micros).sum();
    spent(&world.app).await - paid
}

#[tokio::test]
async fn what_was_refused_or_never_sent_is_given_back_and_what_is_unknown_stays_counted() {
    let status = |status| FaultKind::Status { status, retry_after: None, body: None };
    let in_a_second = [("FEEDBACK_TIMEOUT_SECONDS", "1"), ("TRANSCRIBE_TIMEOUT_SECONDS", "1")];
    for step in STEPS {
        for code in [400, 401, 429, 500, 503, 522] {
            assert_eq!(left(step, status(code), &[]).await, 0, "{step}, {code}");
        }
        let nobody = [("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")];
        assert_eq!(left(step, FaultKind::Refuse, &nobody).await, 0, "{step}: nobody is there");
        assert!(left(step, FaultKind::ReplyLost, &[]).await > 0, "{step}: it was answered, and the answer lost");
        assert!(left(step, FaultKind::CutOff, &[]).await > 0, "{step}: half of the answer came");
        for code in [502, 504, 520] {
            assert!(left(step, status(code), &[]).await > 0, "{step}, {code}: a gateway has no answer to pass on");
        }
        assert!(left(step, FaultKind::Hang { ms: 60_000 }, &in_a_second).await > 0, "{step}: no answer in time");
    }
}

#[tokio::test]
async fn a_vendor_that_is_paused_has_nothing_set_aside_for_it() {
    for (step, vendor) in STEPS.into_iter().zip(["speech", "model"]) {
        let world = World::new(&[CAP]).await;
        world.app.outside.budgets.pause(vendor, Duration::from_secs(60)).await;
        let call = call(&world, step).await;
        assert!(!tried(&world, step, &call).await);
        assert_eq!((spent(&world.app).await, world.sandbox.asked(Vendor::Openai, "").len()), (0, 0), "{step}");
    }
}

#[tokio::test]
async fn a_call_that_waits_for_the_cap_is_not_admitted_to_a_vendor_whose_circuit_may_close() {
    for (step, vendor) in STEPS.into_iter().zip(["speech", "model"]) {
        let world = World::new(&[("DAILY_COST_CAP", "0")]).await;
        let (db, now) = (&world.app.db, world.app.clock.now());
        for _ in 0..OPEN_AFTER {
            // Its pause is over.
            db::budgets::failed(db, vendor, OPEN_AFTER, Duration::ZERO, now).await.unwrap();
        }
        let call = call(&world, step).await;
        assert!(!tried(&world, step, &call).await);
        let terms = Terms { burst: 0, interval: 0, open_after: OPEN_AFTER, probe: Duration::from_secs(20) };
        let admitted = db::budgets::take(db, vendor, terms, world.app.clock.now()).await.unwrap();
        assert_eq!(admitted, Admission::Probe, "{step}: the next one may try");
    }
}

#[tokio::test]
async fn a_try_that_is_stopped_leaves_counted_what_was_sent() {
    for step in STEPS {
        let world = World::new(&[CAP]).await;
        world.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::ReplyLate { ms: 60_000 }));
        let call = call(&world, step).await;
        let answered = || {
            let openai = world.sandbox.state().openai;
            openai.transcriptions + openai.chats > 0
        };
        tokio::select! {
            ended = tried(&world, step, &call) => panic!("{step} was to be stopped: {ended}"),
            () = eventually("it is on its way back", async || answered()) => {}
        }
        assert!(spent(&world.app).await > 0, "{step}: it may be answered yet");
    }
}

#[tokio::test]
async fn a_useless_reply_is_paid_for_and_nothing_beyond_it() {
    let world = World::new(&[CAP]).await;
    world.sandbox.fault(Fault::reply(Bent::Prose, 2));
    let call = call(&world, Step::Analyze).await;
    assert!(!tried(&world, Step::Analyze, &call).await);
    let [sum] = db::spending::of(&world.app.db, call.id).await.unwrap().try_into().unwrap();
    assert_eq!((sum.requests, spent(&world.app).await), (2, sum.micros));
    assert!(sum.micros > 0);
}

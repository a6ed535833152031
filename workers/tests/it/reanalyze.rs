//! Feedback made anew, while workers run: bought again, nothing else is, and what sinks hold is changed and not doubled.

use sandbox::{Bent, CallMode, Fault, Vendor};
use serde_json::json;
use shared::{
    db,
    domain::{Call, Feedback, NewJob, ProviderId, Step, Wake},
    reanalyze::reanalyze,
    replay::{Which, replay},
    testing::{Shape, eventually},
};

use crate::running::Running;

const CLOUDTALK: ProviderId = ProviderId::new("cloudtalk");

/// A call that is analyzed, and told to the CRM: its id there, and ours.
async fn call(at: &Running, sample: &str) -> (String, Call) {
    let id = at.place(at.order("cloudtalk", sample, CallMode::EndedWithUrl)).await.call_id.to_string();
    let call = concludes(at, &id).await;
    (id, call)
}

async fn concludes(at: &Running, id: &str) -> Call {
    at.concludes(&CLOUDTALK, id, |_| true).await
}

async fn feedback(at: &Running, call: &Call) -> Feedback {
    db::feedback::find(&at.app.db, call.id).await.unwrap().unwrap()
}

async fn again(at: &Running, call: &Call) {
    reanalyze(&at.app.db, &at.app.queue, &at.app.clock, &[call.id]).await.unwrap();
}

/// What a model says that thinks otherwise than the sandbox's.
fn first_opinion() -> Fault {
    let reply = json!({
        "summary": "First opinion.", "sentiment": "negative", "topics": ["weather"], "action_items": [], "objections": [],
        "outcome": null, "next_step": null, "coaching": [], "collected_data": [],
    });
    let message = json!({"role": "assistant", "content": reply.to_string(), "refusal": null});
    let answer = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
    Fault::status(Vendor::Openai, 200).body(answer).path("chat/completions").times(1)
}

async fn the_newest_feedback_replaces_the_old_one_everywhere(shape: Shape) {
    let at = Running::start(shape, &[]).await;
    at.sandbox.fault(first_opinion());
    let (id, call) = call(&at, "billing").await;
    assert_eq!(feedback(&at, &call).await.judged.summary, "First opinion.");
    let notes = at.notes(&id);
    assert!(notes[1].contains("First opinion."), "{notes:#?}");
    let heard = at.sandbox.state().openai.transcriptions;

    again(&at, &call).await;
    eventually("the CRM has the new feedback", async || {
        let (notes, records) = (at.notes(&id), at.records(&id));
        notes[1].contains("(simulated)") && records[0]["summary"].as_str().unwrap().contains("(simulated)")
    })
    .await;
    concludes(&at, &id).await;
    let (notes_now, records) = (at.notes(&id), at.records(&id));
    assert_eq!((notes_now.len(), records.len()), (2, 1), "changed and not doubled: {notes_now:#?}");
    assert_eq!(notes_now[0], notes[0]);
    assert!(!notes_now[1].contains("First opinion."));
    assert_eq!(at.sandbox.state().openai.transcriptions, heard, "nothing is transcribed again");

    // Once: a wake-up that comes late finds it done.
    let bought = at.sandbox.asked(Vendor::Openai, "chat/completions").len();
    let mut tx = at.app.db.begin().await.unwrap();
    let now = at.app.clock.now();
    let woken = (NewJob::step(Step::Analyze, call.id, Wake::Yes), None);
    db::jobs::add(&mut tx, &[woken], now, now).await.unwrap();
    tx.commit().await.unwrap();
    concludes(&at, &id).await;
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat/completions").len(), bought);
    at.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_feedback_replaces_the_old_one_everywhere_embedded() {
    the_newest_feedback_replaces_the_old_one_everywhere(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_feedback_replaces_the_old_one_everywhere_in_production() {
    the_newest_feedback_replaces_the_old_one_everywhere(Shape::Production).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_that_cannot_be_made_anew_stays_and_a_replay_tries_again() {
    let at = Running::start(Shape::Embedded, &[]).await;
    at.sandbox.fault(first_opinion());
    let (id, call) = call(&at, "sales").await;
    at.sandbox.fault(Fault::reply(Bent::Refused, 1));
    again(&at, &call).await;
    let job = NewJob::step(Step::Analyze, call.id, Wake::No).id;
    eventually("the model declines", async || db::jobs::state(&at.app.db, job).await.unwrap().unwrap().0 == "dead")
        .await;
    assert_eq!(feedback(&at, &call).await.judged.summary, "First opinion.");
    assert!(at.notes(&id)[1].contains("First opinion."));

    assert_eq!(replay(&at.app.db, &at.app.queue, &at.app.clock, &Which::Call(call.id)).await.unwrap(), 1);
    eventually("the CRM has the new feedback", async || at.notes(&id)[1].contains("(simulated)")).await;
    concludes(&at, &id).await;
    assert_eq!(at.notes(&id).len(), 2);
    at.stop().await;
}

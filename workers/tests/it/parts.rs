//! Very long calls: each part is paid for once, however tries end.

use std::collections::BTreeSet;

use sandbox::{Fault, FaultKind, Vendor};
use shared::{
    db,
    domain::{Call, NewJob, Outcome, Speaker, Step, StepError, Transcript, Verdict, Wake},
    testing::{Shape, eventually},
};
use workers::{step::Run, steps::analyze::Analyze};

use crate::{
    analyze::{feedback, turn},
    given,
    money::spent,
    transcribe::World,
};

/// A model that reads little at once, under a cap.
const SETTINGS: [(&str, &str); 2] = [("FEEDBACK_CONTEXT_TOKENS", "6000"), ("DAILY_COST_CAP", "5")];

async fn very_long_call(world: &World) -> Call {
    let said = |n: usize| {
        let (speaker, at) = (if n.is_multiple_of(2) { Speaker::Agent } else { Speaker::Caller }, n as f64);
        turn(speaker, at, at + 1.0, &format!("And then there was matter number {n}, of which we spoke for a while."))
    };
    world.call(None, Some(Transcript { turns: (0..900).map(said).collect(), ..Transcript::default() })).await
}

async fn run(world: &World, call: &Call) -> Result<Outcome, StepError> {
    let job = given::job(&NewJob::step(Step::Analyze, call.id, Wake::No));
    Analyze::new(&world.app).unwrap().run(&job).await
}

async fn kept(world: &World, call: &Call) -> usize {
    db::pieces::of(&world.app.db, call.id, Step::Analyze).await.unwrap().len()
}

/// The questions that were answered, as far as they were about a part.
fn parts(world: &World) -> Vec<String> {
    let asked = world.sandbox.state().openai.asked;
    let of_parts = asked.iter().filter(|body| body["response_format"]["json_schema"]["name"] == "call_part");
    of_parts.map(|body| body["messages"].to_string()).collect()
}

/// Every part was bought once, over all tries, and so it stands in the ledger; nothing is kept once the feedback is written.
async fn assert_paid_once(world: &World, call: &Call, outcome: Outcome) {
    let feedback = feedback(&outcome).unwrap().clone();
    let parts = parts(world);
    assert_eq!(parts.iter().collect::<BTreeSet<_>>().len(), parts.len(), "none twice");
    assert_eq!(feedback.parts, u32::try_from(parts.len()).ok());
    let [sum] = db::spending::of(&world.app.db, call.id).await.unwrap().try_into().unwrap();
    assert_eq!(sum.requests as usize, parts.len() + 1, "and the judgement");
    let told = feedback.usage;
    assert_eq!((sum.input_tokens, sum.output_tokens), (told.input_tokens, told.output_tokens));
    given::written(&world.app, outcome.writes).await;
    assert_eq!(kept(world, call).await, 0);
}

#[tokio::test]
async fn a_part_that_fails_costs_none_of_the_others() {
    let world = World::new(&SETTINGS).await;
    let call = very_long_call(&world).await;
    // Those that are under way when one fails are answered after it did.
    let late = Fault::new(Vendor::Openai, FaultKind::ReplyLate { ms: 300 });
    world.sandbox.fault(late.path("chat/completions").times(2));
    world.sandbox.fault(Fault::status(Vendor::Openai, 500).path("chat/completions").times(1));
    let error = run(&world, &call).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Retry { after: None });
    let bought = parts(&world).len();
    assert!((2..6).contains(&bought), "what was under way, and no more: {bought}");
    assert_eq!(kept(&world, &call).await, bought);
    let outcome = run(&world, &call).await.unwrap();
    assert!(parts(&world).len() > bought + 1);
    assert_paid_once(&world, &call, outcome).await;
    let sums = db::spending::of(&world.app.db, call.id).await.unwrap();
    assert_eq!(spent(&world.app).await, sums[0].micros, "nothing stays set aside");
}

async fn a_try_that_was_killed_leaves_only_the_rest_to_buy(shape: Shape) {
    let world = World::shaped(shape, &SETTINGS).await;
    let call = very_long_call(&world).await;
    world.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: 600_000 }).after(3));
    tokio::select! {
        ended = run(&world, &call) => panic!("it was to be killed: {ended:?}"),
        () = eventually("three parts are kept", async || kept(&world, &call).await == 3) => {}
    }
    world.sandbox.clear_faults();
    let outcome = run(&world, &call).await.unwrap();
    assert_paid_once(&world, &call, outcome).await;
}

#[tokio::test]
async fn a_try_that_was_killed_leaves_only_the_rest_to_buy_embedded() {
    a_try_that_was_killed_leaves_only_the_rest_to_buy(Shape::Embedded).await;
}

#[tokio::test]
async fn a_try_that_was_killed_leaves_only_the_rest_to_buy_in_production() {
    a_try_that_was_killed_leaves_only_the_rest_to_buy(Shape::Production).await;
}

#[tokio::test]
async fn another_model_notes_it_anew_and_notes_on_other_words_are_forgotten() {
    let mut world = World::new(&SETTINGS).await;
    let call = very_long_call(&world).await;
    run(&world, &call).await.unwrap();
    let (once, noted) = (parts(&world).len(), kept(&world, &call).await);
    run(&world, &call).await.unwrap();
    assert_eq!((parts(&world).len(), noted), (once, once), "everything is kept");
    world.app.env = world.app.env.with([("FEEDBACK_MODEL", "gpt-6.1-terra")]);
    run(&world, &call).await.unwrap();
    assert_eq!((parts(&world).len(), kept(&world, &call).await), (2 * once, 2 * once));

    let mut transcript = db::transcripts::find(&world.app.db, call.id).await.unwrap().unwrap();
    transcript.turns[0].text = "My card is [card number], and that was that.".into();
    given::written(&world.app, vec![shared::domain::Write::Transcript(call.id, transcript)]).await;
    let outcome = run(&world, &call).await.unwrap();
    assert_eq!(kept(&world, &call).await as u32, feedback(&outcome).unwrap().parts.unwrap());
}

//! Calls over Twilio, from its callback or without any to the CRM, in both shapes.

use sandbox::{CallMode, Fault, PlaceCall, Vendor, samples};
use shared::{
    db::{self, console},
    domain::{Call, CallId, Conclusion, EventKind, NewEvent, NewJob, ProviderId, Step, Wake},
    testing::eventually,
};

use crate::running::{Running, SECRET, in_both_shapes};

const TWILIO: ProviderId = ProviderId::new("twilio");
const POLLING: [(&str, &str); 2] =
    [("TWILIO_RECORDING_POLLING", "true"), ("TWILIO_RECORDING_POLL_INTERVAL_MINUTES", "0.01")];

in_both_shapes! {
    a_callback_becomes_notes_with_both_voices_and_the_callers_number: &[],
    a_call_that_no_webhook_tells_of_is_found: &POLLING,
    a_call_without_a_recording_says_why: &[],
    a_live_call_is_recorded_from_its_answer_on: &[],
}

fn order(at: &Running, sample: &str, mode: CallMode) -> PlaceCall {
    at.order("twilio", sample, mode)
}

/// The id of a call that was had.
async fn place(at: &Running, order: PlaceCall) -> String {
    at.place(order).await.call_uuid
}

/// Waits until all our work on the call is done, and its numbers are known.
async fn concludes(at: &Running, id: &str) -> Call {
    at.concludes(&TWILIO, id, |facts| facts.direction.is_some()).await
}

async fn a_callback_becomes_notes_with_both_voices_and_the_callers_number(at: Running) {
    // The audio is not there at once, nor does the API answer; and the callback comes three times.
    at.sandbox.fault(Fault::status(Vendor::Twilio, 500).path("/Calls/").times(2));
    let mut order = order(&at, "billing", CallMode::EndedWithUrl);
    (order.duplicates, order.not_ready_times) = (2, 1);
    let sid = place(&at, order).await;
    let call = concludes(&at, &sid).await;
    let sample = samples::named("billing").unwrap();
    assert_eq!(call.facts.external_phone.as_ref().map(ToString::to_string).as_ref(), Some(&sample.contact.phone));
    assert_eq!(call.facts.key("call_sid"), Some(sid.as_str()));
    eventually("the sinks know the number", async || !at.notes(&sid).is_empty()).await;
    let notes = at.told_once("Twilio", &sid).await;
    let first_words = |channel| {
        let text = &sample.turns.iter().find(|turn| turn.channel == channel).unwrap().text;
        text.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
    };
    for line in [format!("Caller: {}", first_words(0)), format!("Agent: {}", first_words(1))] {
        assert!(notes.iter().any(|note| note.contains(&line)), "{line:?} in {notes:#?}");
    }
    let recording = db::recordings::find(&at.app.db, call.id).await.unwrap().unwrap();
    assert_eq!((recording.channels, recording.size_bytes), (2, sample.wav.len() as i64));
    assert_eq!(console::events(&at.app.db, call.id).await.unwrap().len(), 2, "the recording, and what the API says");
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat").len(), 1, "paid once");
    at.stop().await;
}

async fn a_call_that_no_webhook_tells_of_is_found(at: Running) {
    let silent = place(&at, order(&at, "sales", CallMode::ApiFallback)).await;
    let told = place(&at, order(&at, "support", CallMode::EndedWithUrl)).await;
    for sid in [&silent, &told] {
        let call = concludes(&at, sid).await;
        assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
        at.told_once("Twilio", sid).await;
    }
    let rounds = || at.sandbox.asked(Vendor::Twilio, "/Recordings.json?DateCreated").len();
    let before = rounds();
    eventually("it goes on asking", async || rounds() > before + 1).await;
    let call = at.find(&TWILIO, &told).await.unwrap();
    assert_eq!(console::events(&at.app.db, call.id).await.unwrap().len(), 2, "what is found again is nothing new");
    at.stop().await;
}

async fn a_call_without_a_recording_says_why(at: Running) {
    let sid = place(&at, order(&at, "sales", CallMode::NotRecorded)).await;
    let call = concludes(&at, &sid).await;
    assert_eq!(call.conclusion, Some(Conclusion::NotRecorded));
    assert_eq!(call.facts.recording_absence.as_deref(), Some("16101: too short"));
    eventually("the CRM has its note", async || at.notes(&sid).len() == 1).await;
    assert!(!at.notes(&sid)[0].contains("🔗"));
    assert!(at.sandbox.asked(Vendor::Openai, "").is_empty(), "nothing was paid for");
    at.stop().await;
}

async fn a_live_call_is_recorded_from_its_answer_on(at: Running) {
    let sid = at.sandbox.dial("appointment").unwrap();
    let call = known(&at, &sid).await;
    let (now, record) = (at.app.clock.now(), NewJob::step(Step::Record, call, Wake::Yes));
    let mut tx = at.app.db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(record, None)], now, now).await.unwrap();
    tx.commit().await.unwrap();
    eventually("it was tried too early", async || {
        at.sandbox.asked(Vendor::Twilio, "").iter().any(|line| line.method == "POST" && line.status == 400)
    })
    .await;
    at.sandbox.answer(&sid).unwrap();
    eventually("the call is recorded", async || at.sandbox.state().twilio.recordings.len() == 1).await;
    let answers = at.sandbox.hang_up(&sid, SECRET).await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200]);
    concludes(&at, &sid).await;
    at.told_once("Twilio", &sid).await;
    at.stop().await;
}

/// A call that is known by its id alone, as whoever started it knows it.
async fn known(at: &Running, sid: &str) -> CallId {
    let event = NewEvent {
        provider: TWILIO,
        account: sandbox::TWILIO_ACCOUNT.into(),
        kind: EventKind::CallStarted,
        dedupe_key: format!("call:{sid}:queued"),
        body: format!("CallSid={sid}&CallStatus=queued").into_bytes(),
    };
    assert_eq!(db::events::learn(&at.app.db, vec![event], None, at.app.clock.now()).await.unwrap(), 1);
    eventually("the call is known", async || at.find(&TWILIO, sid).await.is_some()).await;
    at.find(&TWILIO, sid).await.unwrap().id
}

//! Calls that turn out to be one while they are told to the CRM, or after: it ends with one note, whatever the moment.
//!
//! The conversation does not name its telephone call until it is over, so that the carrier's word of it is a call of its own.

use std::time::Duration;

use sandbox::{Fault, FaultKind, Sandbox, Vendor};
use shared::{
    db::{
        self,
        events::Incoming,
        settle::{End, Settlement},
    },
    domain::{
        CallFacts, CallId, CallKey, EventId, EventKind, Job, NewEvent, NewJob, Outcome, ProviderId, SinkId, Step,
        StepError, Transcript, Wake, Write,
    },
    service::{App, Role},
    sinks::sample,
    testing::{Scratch, Shape},
};
use uuid::Uuid;
use workers::{
    step::Run,
    steps::{analyze::Analyze, sync::Sync, transcribe::Transcribe},
};

use crate::given;

const CRM: SinkId = SinkId::new("gohighlevel");
const LINE: (&str, &str) = ("call_sid", "CA1");
const CONVERSATION: (&str, &str) = ("id", "conv_1");

struct Place {
    sandbox: Sandbox,
    app: App,
    _scratch: Scratch,
}

/// A try of a sync job that is under way: it has written, and nothing of it is settled.
struct Try {
    job: Job,
    owner: Uuid,
    result: Result<Outcome, StepError>,
}

async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for shape in [Shape::Embedded, Shape::Production] {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(shape).await;
        let env = scratch.env().with([
            ("GHL_API_KEY", "pit-test"),
            ("GHL_LOCATION_ID", "LOC00000000000000001"),
            ("GHL_BASE_URL", &sandbox.base_urls().ghl),
        ]);
        let app = App::open("test", env, Role::Whole).await.unwrap();
        places.push(Place { sandbox, app, _scratch: scratch });
    }
    places
}

impl Place {
    /// The call of an event of this provider with these names.
    async fn tie(&self, provider: &'static str, names: &[(&str, &str)]) -> CallId {
        let (id, now) = (EventId::new(), self.app.clock.now());
        let (provider, account, kind) = (ProviderId::new(provider), "default".into(), EventKind::CallEnded);
        let event = NewEvent { provider, account, kind, dedupe_key: id.to_string(), body: b"{}".to_vec() };
        let incoming = Incoming { id, event, traceparent: None };
        db::events::record(&self.app.db, &[incoming], now, now).await.unwrap();
        let event = db::events::find(&self.app.db, id).await.unwrap().unwrap();
        let keys = names.iter().map(|(kind, value)| CallKey { kind: (*kind).into(), value: (*value).into() });
        let (provider_call_id, said) = (names.first().map(|name| name.1.to_owned()), sample::ended().call.facts);
        let facts = CallFacts { keys: keys.collect(), provider_call_id, recorded: Some(false), ..said };
        let mut tx = self.app.db.begin().await.unwrap();
        let (call, _) = db::calls::tie(&mut tx, &event, &facts, now).await.unwrap();
        db::calls::save_facts(&mut tx, call, &facts, now).await.unwrap();
        db::calls::save_owner(&mut tx, call, &event.provider, "default").await.unwrap();
        tx.commit().await.unwrap();
        call
    }

    /// What the carrier says, and what the agent says.
    async fn two_calls(&self) -> (CallId, CallId) {
        let calls = (self.tie("twilio", &[LINE]).await, self.tie("elevenlabs", &[CONVERSATION]).await);
        assert_ne!(calls.0, calls.1);
        calls
    }

    /// The agent names its telephone call.
    async fn merge(&self) -> CallId {
        self.tie("elevenlabs", &[CONVERSATION, LINE]).await
    }

    async fn sync(&self, call: CallId) -> Try {
        let (new, owner, now) = (NewJob::sync(call, CRM), Uuid::now_v7(), self.app.clock.now());
        let mut tx = self.app.db.begin().await.unwrap();
        db::jobs::add(&mut tx, &[(new.clone(), None)], now, now).await.unwrap();
        tx.commit().await.unwrap();
        let lease = now + Duration::from_secs(60);
        let job = db::jobs::claim(&self.app.db, &[new.id], owner, now, lease).await.unwrap().pop().expect("it is due");
        let result = Sync::new(&self.app).run(&job).await;
        Try { job, owner, result }
    }

    async fn settle(&self, tried: Try) {
        let now = self.app.clock.now();
        let (end, writes, next) = match tried.result {
            Ok(outcome) => (End::Done { skipped: outcome.skipped }, outcome.writes, outcome.next),
            Err(error) => {
                let (reason, text) = (error.reason, error.source.to_string());
                let end = End::Again { due_at: now, counts: true, verdict: "retry", reason, error: text };
                (end, error.writes, Vec::new())
            }
        };
        let settlement = Settlement { job: tried.job, end, writes, next };
        let settled = db::settle::settle(&self.app.db, tried.owner, &[settlement], now, now).await.unwrap();
        assert_eq!(settled.held.len(), 1);
    }

    fn notes(&self) -> Vec<String> {
        let contacts = self.sandbox.state().ghl.contacts;
        assert_eq!(contacts.len(), 1, "one person called");
        contacts.into_iter().flat_map(|contact| contact.notes).map(|note| note.body).collect()
    }

    /// The survivor's job is done, once more, and there is one note, the conversation's.
    async fn ends_with_one_note(&self, call: CallId, what: &str) {
        for _ in 0..2 {
            let tried = self.sync(call).await;
            assert!(tried.result.is_ok(), "{what}: {:?}", tried.result);
            self.settle(tried).await;
        }
        let notes = self.notes();
        assert!(notes.len() == 1 && notes[0].starts_with("[ElevenLabs] "), "{what}: {notes:#?}");
        let writes = self.sandbox.asked(Vendor::Ghl, "/notes").len();
        self.settle(self.sync(call).await).await;
        assert_eq!(self.sandbox.asked(Vendor::Ghl, "/notes").len(), writes, "{what}: nothing is left to do");
    }
}

#[tokio::test]
async fn a_note_that_is_being_written_when_its_call_is_merged_is_the_survivors() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        let writing = at.sync(talked).await;
        assert_eq!(at.merge().await, carried);
        let early = at.sync(carried).await;
        assert_eq!(early.result.as_ref().unwrap_err().reason, "merged-call-busy", "it waits for what is under way");
        at.settle(early).await;
        at.settle(writing).await;
        at.ends_with_one_note(carried, "in flight").await;
    }
}

#[tokio::test]
async fn of_two_notes_that_were_written_before_their_calls_were_one_the_younger_goes() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        for call in [carried, talked] {
            at.settle(at.sync(call).await).await;
        }
        assert_eq!(at.notes().len(), 2, "nobody could know");
        at.merge().await;
        at.sandbox.fault(Fault::status(Vendor::Ghl, 500).method("DELETE").times(1));
        let interrupted = at.sync(carried).await;
        assert!(interrupted.result.is_err());
        at.settle(interrupted).await;
        at.ends_with_one_note(carried, "both told").await;
    }
}

#[tokio::test]
async fn two_notes_that_are_being_written_when_their_calls_are_merged_end_as_one() {
    for own_first in [true, false] {
        for at in places().await {
            let (carried, talked) = at.two_calls().await;
            let (own, other) = (at.sync(carried).await, at.sync(talked).await);
            at.merge().await;
            let (first, second) = if own_first { (own, other) } else { (other, own) };
            at.settle(first).await;
            at.settle(second).await;
            at.ends_with_one_note(carried, "both in flight").await;
        }
    }
}

#[tokio::test]
async fn a_note_whose_reply_was_lost_is_found_under_the_name_that_its_call_had() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLost).method("POST").path("/notes").times(1));
        let lost = at.sync(talked).await;
        assert!(lost.result.is_err());
        assert_eq!(at.notes().len(), 1);
        at.merge().await;
        at.settle(lost).await;
        let handed_over = at.sync(talked).await;
        let outcome = handed_over.result.as_ref().unwrap();
        assert_eq!(outcome.skipped.as_deref(), Some("merged"));
        assert_eq!(outcome.next, [NewJob::sync(carried, CRM)]);
        at.settle(handed_over).await;
        at.ends_with_one_note(carried, "lost reply").await;
    }
}

#[tokio::test]
async fn a_second_note_whose_reply_was_lost_is_found_and_goes() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        at.settle(at.sync(carried).await).await;
        at.sandbox.fault(Fault::new(Vendor::Ghl, FaultKind::ReplyLost).method("POST").path("/notes").times(1));
        let lost = at.sync(talked).await;
        assert!(lost.result.is_err());
        at.settle(lost).await;
        assert_eq!(at.notes().len(), 2, "and nobody knows of the second");
        at.merge().await;
        at.ends_with_one_note(carried, "lost second reply").await;
    }
}

#[tokio::test]
async fn what_is_being_paid_for_a_merged_call_is_not_bought_for_the_survivor() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        let (app, now) = (&at.app, at.app.clock.now());
        for step in [Step::Transcribe, Step::Analyze] {
            let (own, other) = (NewJob::step(step, carried, Wake::No), NewJob::step(step, talked, Wake::No));
            let mut tx = app.db.begin().await.unwrap();
            db::jobs::add(&mut tx, &[(own.clone(), None), (other.clone(), None)], now, now).await.unwrap();
            tx.commit().await.unwrap();
            let lease = now + Duration::from_secs(60);
            let claimed = db::jobs::claim(&app.db, &[own.id, other.id], Uuid::now_v7(), now, lease).await.unwrap();
            let survivors = claimed.into_iter().find(|job| job.id == own.id).unwrap();
            at.merge().await;
            let run: Box<dyn Run> = match step {
                Step::Transcribe => Box::new(Transcribe::new(app).unwrap()),
                _ => Box::new(Analyze::new(app).unwrap()),
            };
            assert_eq!(run.run(&survivors).await.unwrap_err().reason, "merged-call-busy");
        }
    }
}

#[tokio::test]
async fn what_is_redacted_is_redacted_under_every_name_that_the_call_had() {
    for at in places().await {
        let (carried, talked) = at.two_calls().await;
        let mut heard = sample::analyzed().transcript.unwrap();
        heard.turns[0].text = "My card is 4111 1111 1111 1111, and that was that.".into();
        let kept = async |call| {
            let kept: Vec<(CallId, Transcript)> = db::transcripts::all(&at.app.db, &[call]).await.unwrap();
            kept.into_iter().map(|(_, transcript)| transcript.turns[0].text.clone()).collect::<Vec<_>>()
        };
        at.merge().await;
        let job = given::job(&NewJob::step(Step::Analyze, carried, Wake::No));
        for copies in [vec![talked], vec![carried, talked]] {
            let before = copies.iter().map(|call| Write::Transcript(*call, heard.clone()));
            given::written(&at.app, before.collect()).await;
            let outcome = Analyze::new(&at.app).unwrap().run(&job).await.unwrap();
            given::written(&at.app, outcome.writes).await;
            for call in copies {
                let texts = kept(call).await;
                assert!(texts.len() == 1 && texts[0].starts_with("My card is ["), "{texts:?}");
            }
        }
    }
}

//! Calls that turn out to be one, with results, and while work on them is under way. On both databases.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    db::{
        self, Db,
        events::Incoming,
        settle::{End, Settlement, settle},
    },
    domain::{
        CallFacts, CallId, CallKey, Conclusion, Delivery, Event, EventId, EventKind, Feedback, Job, JobId, Milestone,
        NewEvent, NewJob, ProviderId, SinkId, Step, Transcript, Wake, Write,
    },
    sinks::sample,
    testing::{Scratch, Shape, eventually},
};
use uuid::Uuid;

use crate::on_both_databases;

on_both_databases! {
    two_calls_that_turn_out_to_be_one_are_merged,
    what_was_done_for_a_merged_call_is_kept_and_its_work_goes_on,
    what_is_paid_for_while_its_call_is_merged_is_the_survivors,
    of_two_results_the_survivors_own_is_used_and_the_other_kept_whichever_comes_first,
    of_two_deliveries_the_finished_one_is_held_and_else_the_survivors_own,
    feedback_and_the_words_that_it_was_made_from_are_found_under_two_calls_of_one,
    that_one_call_has_no_recording_takes_back_nothing_that_came_of_the_others,
    what_an_event_makes_due_while_its_call_is_merged_is_due_for_the_survivor,
    work_on_a_merged_call_is_seen_by_the_survivors_job_of_that_step_alone,
}

const SINK: SinkId = SinkId::new("callmind");

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn names(keys: &[(&str, &str)]) -> CallFacts {
    let key = |(kind, value): &(&str, &str)| CallKey { kind: (*kind).into(), value: (*value).into() };
    CallFacts { keys: keys.iter().map(key).collect(), ..CallFacts::default() }
}

async fn event(db: &Db) -> Event {
    let id = EventId::new();
    let event = NewEvent {
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        kind: EventKind::CallEnded,
        dedupe_key: id.to_string(),
        body: b"{}".to_vec(),
    };
    db::events::record(db, &[Incoming { id, event, traceparent: None }], now(), now()).await.unwrap();
    db::events::find(db, id).await.unwrap().unwrap()
}

/// The call that an event with these names is about.
async fn tie(db: &Db, keys: &[(&str, &str)]) -> CallId {
    let (event, facts) = (event(db).await, names(keys));
    let mut tx = db.begin().await.unwrap();
    let (id, _) = db::calls::tie(&mut tx, &event, &facts, now()).await.unwrap();
    db::calls::save_facts(&mut tx, id, &facts, now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Two calls that are one, and nobody knows it yet.
async fn two(db: &Db) -> (CallId, CallId) {
    let both = (tie(db, &[("uuid", "u-1")]).await, tie(db, &[("id", "7")]).await);
    assert_ne!(both.0, both.1);
    both
}

/// Somebody says that they are one.
async fn merge(db: &Db) -> CallId {
    tie(db, &[("id", "7"), ("uuid", "u-1")]).await
}

/// A try that is under way.
struct Try {
    job: Job,
    owner: Uuid,
}

async fn begin(db: &Db, job: NewJob) -> Try {
    let (id, owner) = (job.id, Uuid::now_v7());
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(job, None)], now(), now()).await.unwrap();
    tx.commit().await.unwrap();
    Try { job: claim(db, id, owner).await.expect("it is due"), owner }
}

async fn claim(db: &Db, id: JobId, owner: Uuid) -> Option<Job> {
    db::jobs::claim(db, &[id], owner, now(), now() + TimeDelta::seconds(60)).await.unwrap().pop()
}

impl Try {
    async fn done(self, db: &Db, writes: Vec<Write>, next: Vec<NewJob>) {
        let id = self.job.id;
        let settlement = Settlement { job: self.job, end: End::Done { skipped: None }, writes, next };
        assert!(settle(db, self.owner, &[settlement], now(), now()).await.unwrap().held.contains(&id));
    }
}

async fn state(db: &Db, job: &NewJob) -> Option<String> {
    db::jobs::state(db, job.id).await.unwrap().map(|(state, _)| state)
}

fn transcript(model: &str) -> Transcript {
    Transcript { model: model.into(), ..sample::analyzed().transcript.unwrap() }
}

fn feedback(model: &str) -> Feedback {
    Feedback { model: model.into(), ..sample::analyzed().feedback.unwrap() }
}

fn delivery(hash: &str, note: &str) -> Delivery {
    let refs = serde_json::json!({"note_id": note});
    Delivery { milestone: Milestone::Ended, content_hash: hash.into(), refs }
}

async fn two_calls_that_turn_out_to_be_one_are_merged(db: Db) {
    let (first, second) = two(&db).await;
    assert_eq!(merge(&db).await, first);
    assert_eq!(db::calls::find(&db, second).await.unwrap().unwrap().id, first, "the old name still finds it");
    assert_eq!(tie(&db, &[("id", "7")]).await, first);
    assert_eq!(db::events::of(&db, first).await.unwrap().len(), 4);
    let merged = db::calls::merged_into(&db, first).await.unwrap();
    assert_eq!(merged.iter().map(|call| call.id).collect::<Vec<_>>(), [second]);
}

async fn what_was_done_for_a_merged_call_is_kept_and_its_work_goes_on(db: Db) {
    let (first, second) = two(&db).await;
    let stored = sample::recorded().recording.unwrap();
    let fetching = begin(&db, NewJob::step(Step::Fetch, second, Wake::No)).await;
    fetching.done(&db, vec![Write::Recording(second, stored.clone())], Vec::new()).await;
    let told = delivery("h", "N2");
    let writes = vec![
        Write::Delivery(second, SINK, told.clone()),
        Write::Transcript(second, transcript("theirs")),
        Write::Feedback(second, feedback("theirs")),
        Write::Conclusion(second, Conclusion::Analyzed),
    ];
    begin(&db, NewJob::sync(second, SINK)).await.done(&db, writes, Vec::new()).await;
    merge(&db).await;
    assert_eq!(db::recordings::find(&db, first).await.unwrap(), Some(stored));
    assert_eq!(db::transcripts::find(&db, first).await.unwrap().unwrap().model, "theirs");
    assert_eq!(db::feedback::find(&db, first).await.unwrap().unwrap().model, "theirs");
    assert_eq!(db::deliveries::of(&db, &[first, second], &SINK).await.unwrap(), (vec![told], Vec::new()));
    assert_eq!(db::calls::find(&db, first).await.unwrap().unwrap().conclusion, Some(Conclusion::Analyzed));
    let known = db::feedback::of_transcribed(&db, &[first]).await.unwrap();
    assert!(known[&first].is_some(), "and can be asked for anew");
    for job in [NewJob::step(Step::Fetch, first, Wake::No), NewJob::sync(first, SINK)] {
        assert!(claim(&db, job.id, Uuid::now_v7()).await.is_some(), "{:?} is due", job.step);
    }
}

async fn what_is_paid_for_while_its_call_is_merged_is_the_survivors(db: Db) {
    let (first, second) = two(&db).await;
    let transcribing = begin(&db, NewJob::step(Step::Transcribe, second, Wake::No)).await;
    assert_eq!(merge(&db).await, first);
    db::pieces::keep(&db, second, Step::Transcribe, "first half", &serde_json::json!({"text": "Hello"}), now())
        .await
        .unwrap();
    let kept = db::pieces::of(&db, first, Step::Transcribe).await.unwrap();
    assert_eq!(kept[0].0, "first half", "also when the try does not come to its end");
    let next = NewJob::step(Step::Analyze, second, Wake::No);
    transcribing.done(&db, vec![Write::Transcript(second, transcript("late"))], vec![next.clone()]).await;
    assert_eq!(db::transcripts::find(&db, first).await.unwrap().unwrap().model, "late");
    assert!(db::pieces::of(&db, first, Step::Transcribe).await.unwrap().is_empty());
    assert_eq!(state(&db, &next).await, None, "there is no such call any more");
    let analyzing = Try {
        owner: second.0,
        job: claim(&db, NewJob::step(Step::Analyze, first, Wake::No).id, second.0).await.expect("it is due"),
    };
    let writes = vec![Write::Feedback(first, feedback("late")), Write::Conclusion(first, Conclusion::Analyzed)];
    analyzing.done(&db, writes, Vec::new()).await;
    assert_eq!(db::calls::find(&db, second).await.unwrap().unwrap().conclusion, Some(Conclusion::Analyzed));
}

async fn of_two_results_the_survivors_own_is_used_and_the_other_kept_whichever_comes_first(db: Db) {
    let (first, second) = two(&db).await;
    for (step, own_comes_first) in [(Step::Transcribe, true), (Step::Analyze, false)] {
        let own = begin(&db, NewJob::step(step, first, Wake::Yes)).await;
        let other = begin(&db, NewJob::step(step, second, Wake::Yes)).await;
        merge(&db).await;
        let writes = |call: CallId, whose: &str| match step {
            Step::Transcribe => vec![Write::Transcript(call, transcript(whose))],
            _ => vec![Write::Feedback(call, feedback(whose)), Write::Conclusion(call, Conclusion::Analyzed)],
        };
        let (own_writes, other_writes) = (writes(first, "own"), writes(second, "other's"));
        if own_comes_first {
            own.done(&db, own_writes, Vec::new()).await;
            other.done(&db, other_writes, Vec::new()).await;
        } else {
            other.done(&db, other_writes, Vec::new()).await;
            let conclusion = db::calls::find(&db, first).await.unwrap().unwrap().conclusion;
            assert_eq!(conclusion, Some(Conclusion::Analyzed), "as long as there is no other");
            own.done(&db, own_writes, Vec::new()).await;
        }
    }
    assert_eq!(db::transcripts::find(&db, first).await.unwrap().unwrap().model, "own");
    assert_eq!(db::feedback::find(&db, first).await.unwrap().unwrap().model, "own");
    for sql in ["select body from transcripts where call_id = $1", "select body from feedback where call_id = $1"] {
        let kept: serde_json::Value = match &db {
            Db::Postgres(pool) => sqlx::query_scalar(sql).bind(second.0).fetch_one(pool).await.unwrap(),
            Db::Sqlite(pool) => sqlx::query_scalar(sql).bind(second.0).fetch_one(pool).await.unwrap(),
        };
        assert_eq!(kept["model"], "other's", "what was paid for is thrown away by nobody");
    }
}

async fn of_two_deliveries_the_finished_one_is_held_and_else_the_survivors_own(db: Db) {
    let (first, second) = two(&db).await;
    let cases = [
        (delivery("a", "N1"), delivery("b", "N2"), true),
        (delivery(Delivery::UNFINISHED, "N1"), delivery("b", "N2"), false),
        (delivery("a", "N1"), delivery(Delivery::UNFINISHED, "N2"), true),
    ];
    merge(&db).await;
    for (own, other, own_is_held) in cases {
        for (call, told) in [(second, &other), (first, &own)] {
            let writes = vec![Write::Delivery(call, SINK, told.clone())];
            begin(&db, NewJob::sync(call, SINK)).await.done(&db, writes, Vec::new()).await;
        }
        let (held, outranked) = if own_is_held { (own, (second, other)) } else { (other, (first, own)) };
        assert_eq!(db::deliveries::of(&db, &[first, second], &SINK).await.unwrap(), (vec![held], vec![outranked]));
    }
}

async fn feedback_and_the_words_that_it_was_made_from_are_found_under_two_calls_of_one(db: Db) {
    let (first, second) = two(&db).await;
    let transcribing = begin(&db, NewJob::step(Step::Transcribe, second, Wake::No)).await;
    merge(&db).await;
    transcribing.done(&db, vec![Write::Transcript(second, transcript("late"))], Vec::new()).await;
    let known = async || db::feedback::of_transcribed(&db, &[first]).await.unwrap();
    assert!(known().await[&first].is_none());
    let writes = vec![Write::Feedback(first, feedback("own")), Write::Conclusion(first, Conclusion::Analyzed)];
    begin(&db, NewJob::step(Step::Analyze, first, Wake::No)).await.done(&db, writes, Vec::new()).await;
    assert_eq!(known().await[&first].as_ref().unwrap().model, "own");
    let late = vec![Write::Feedback(second, feedback("other's"))];
    begin(&db, NewJob::step(Step::Analyze, second, Wake::No)).await.done(&db, late, Vec::new()).await;
    assert_eq!(known().await[&first].as_ref().unwrap().model, "own");
}

async fn that_one_call_has_no_recording_takes_back_nothing_that_came_of_the_others(db: Db) {
    let (first, second) = two(&db).await;
    let fetching = begin(&db, NewJob::step(Step::Fetch, first, Wake::No)).await;
    merge(&db).await;
    let stored = sample::recorded().recording.unwrap();
    let other = begin(&db, NewJob::step(Step::Fetch, second, Wake::No)).await;
    other.done(&db, vec![Write::Recording(second, stored)], Vec::new()).await;
    let writes = vec![Write::Conclusion(first, Conclusion::Analyzed)];
    begin(&db, NewJob::step(Step::Analyze, first, Wake::No)).await.done(&db, writes, Vec::new()).await;
    fetching.done(&db, vec![Write::Conclusion(first, Conclusion::NotRecorded)], Vec::new()).await;
    assert_eq!(db::calls::find(&db, first).await.unwrap().unwrap().conclusion, Some(Conclusion::Analyzed));
}

async fn what_an_event_makes_due_while_its_call_is_merged_is_due_for_the_survivor(db: Db) {
    let (first, second) = two(&db).await;
    let intake = event(&db).await;
    let owner = Uuid::now_v7();
    let job = claim(&db, JobId(intake.id.0), owner).await.unwrap();
    merge(&db).await;
    let fetch = |call| NewJob::step(Step::Fetch, call, Wake::Yes);
    let writes = vec![Write::Conclusion(second, Conclusion::Voicemail)];
    Try { job, owner }.done(&db, writes, vec![fetch(second), NewJob::sync(second, SINK)]).await;
    for job in [fetch(first), NewJob::sync(first, SINK)] {
        assert_eq!(state(&db, &job).await.as_deref(), Some("waiting"));
    }
    assert_eq!(state(&db, &fetch(second)).await, None);
    assert_eq!(db::calls::find(&db, first).await.unwrap().unwrap().conclusion, Some(Conclusion::Voicemail));
}

async fn work_on_a_merged_call_is_seen_by_the_survivors_job_of_that_step_alone(db: Db) {
    let (first, second) = two(&db).await;
    let (sync, transcribe) = (NewJob::sync(first, SINK), NewJob::step(Step::Transcribe, first, Wake::No));
    let found = async |job: &NewJob| {
        let found = db::calls::find_for(&db, first, &job.queue()).await.unwrap().unwrap();
        (found.call.id, found.family, found.is_busy)
    };
    let syncing = begin(&db, NewJob::sync(second, SINK)).await;
    assert_eq!(found(&sync).await, (first, vec![first], false));
    merge(&db).await;
    assert_eq!(found(&sync).await, (first, vec![first, second], true));
    assert_eq!(found(&transcribe).await, (first, vec![first, second], false));
    let merged = db::calls::find_for(&db, second, &sync.queue()).await.unwrap().unwrap();
    assert_eq!(merged.call.id, first);
    syncing.done(&db, Vec::new(), Vec::new()).await;
    assert_eq!(found(&sync).await, (first, vec![first, second], false));
}

/// So many statements of this database wait for another one's lock.
async fn waiting(db: &Db) -> i64 {
    let Db::Postgres(pool) = db else { panic!("it has many writers") };
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_tied_to_a_call_while_that_is_merged_is_the_survivors() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let (first, _) = two(&db).await;
    let (merging, late) = (event(&db).await, event(&db).await);
    let mut tx = db.begin().await.unwrap();
    db::calls::tie(&mut tx, &merging, &names(&[("id", "7"), ("uuid", "u-1")]), now()).await.unwrap();
    let other = db.clone();
    let tying = tokio::spawn(async move {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut tx = other.begin().await.unwrap();
            match db::calls::tie(&mut tx, &late, &names(&[("id", "7")]), now()).await {
                Ok((call, events)) => {
                    tx.commit().await.unwrap();
                    return (call, events.len(), tries);
                }
                Err(sqlx::Error::Protocol(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    eventually("it waits for the merge", async || waiting(&db).await == 1).await;
    tx.commit().await.unwrap();
    assert_eq!(tying.await.unwrap(), (first, 4, 2), "all four events are the survivor's, and known");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_settled_while_its_call_is_merged_waits_for_that_and_leads_on_to_the_survivor() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let (first, second) = two(&db).await;
    let transcribing = begin(&db, NewJob::step(Step::Transcribe, second, Wake::No)).await;
    let merging = event(&db).await;
    let mut tx = db.begin().await.unwrap();
    db::calls::tie(&mut tx, &merging, &names(&[("id", "7"), ("uuid", "u-1")]), now()).await.unwrap();
    let other = db.clone();
    let settling = tokio::spawn(async move {
        let writes = vec![Write::Transcript(second, transcript("late"))];
        transcribing.done(&other, writes, vec![NewJob::step(Step::Analyze, second, Wake::No)]).await;
    });
    eventually("it waits for the merge", async || waiting(&db).await == 1).await;
    tx.commit().await.unwrap();
    settling.await.unwrap();
    assert_eq!(db::transcripts::find(&db, first).await.unwrap().unwrap().model, "late");
    assert_eq!(state(&db, &NewJob::step(Step::Analyze, first, Wake::No)).await.as_deref(), Some("waiting"));
    db.close().await;
}

#[tokio::test]
async fn the_survivors_jobs_are_locked_in_order_with_those_that_lead_to_them() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let Db::Postgres(pool) = &db else { panic!("it has many writers") };
    let (first, second) = two(&db).await;
    merge(&db).await;
    // Such that the survivor's comes first in the order of ids.
    let sinks = (0..40).map(|n| SinkId::from(format!("sink-{n}")));
    let due = sinks.clone().map(|sink| NewJob::sync(first, sink)).min_by_key(|job| job.id).unwrap();
    let ending = sinks.map(|sink| NewJob::sync(second, sink)).max_by_key(|job| job.id).unwrap();
    assert!(due.id < ending.id);
    let trying = begin(&db, ending.clone()).await;
    begin(&db, due.clone()).await.done(&db, Vec::new(), Vec::new()).await;
    let lock = "select id from jobs where id = $1 for no key update skip locked";
    let mut holding = pool.begin().await.unwrap();
    sqlx::query(lock).bind(due.id.0).fetch_one(&mut *holding).await.unwrap();
    let (other, next) = (db.clone(), NewJob::sync(second, due.sink.unwrap()));
    let settling = tokio::spawn(async move { trying.done(&other, Vec::new(), vec![next]).await });
    eventually("it waits for the survivor's job", async || waiting(&db).await == 1).await;
    let free = sqlx::query(lock).bind(ending.id.0).fetch_optional(pool).await.unwrap();
    assert!(free.is_some(), "and holds none that comes after it");
    holding.commit().await.unwrap();
    settling.await.unwrap();
    db.close().await;
}

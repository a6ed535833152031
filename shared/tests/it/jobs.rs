//! Jobs on both databases: claimed once, settled once, dispatched, replayed.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    db::{
        self, Db,
        events::{Incoming, Recorded},
        jobs::Which,
        settle::{End, Settlement, settle},
    },
    domain::{
        CallFacts, CallId, CallKey, Conclusion, EventId, EventKind, Job, JobId, NewEvent, NewJob, Phone, ProviderId,
        Recording, SinkId, Step, Wake, Write,
    },
};
use uuid::Uuid;

use crate::on_both_databases;

on_both_databases! {
    an_event_is_recorded_once_however_often_it_comes,
    of_many_claims_at_once_one_gets_the_job,
    a_job_that_is_not_due_cannot_be_claimed,
    a_worker_that_lost_its_lease_settles_nothing,
    a_claim_whose_answer_was_lost_runs_out,
    a_restart_of_the_only_process_ends_its_leases_and_counts_the_tries,
    news_for_a_running_job_makes_it_run_once_more,
    news_outlives_the_worker_and_refreshes_the_attempts,
    a_recording_that_is_stored_cannot_be_concluded_away,
    a_snooze_spends_no_attempt_and_a_retry_does,
    a_dead_job_is_replayed_with_fresh_attempts,
    what_was_skipped_because_something_was_off_is_caught_up_on,
    events_with_a_common_phone_number_become_one_call,
    the_dispatcher_sees_what_is_due_and_nothing_else,
    noting_a_publication_late_does_not_undo_a_retry,
    who_comes_early_by_their_clock_keeps_the_only_message,
    stats_count_what_waits_and_what_is_dead,
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn event(key: &str) -> Incoming {
    Incoming {
        id: EventId::new(),
        event: NewEvent {
            provider: ProviderId::new("cloudtalk"),
            account: "default".into(),
            kind: EventKind::CallEnded,
            dedupe_key: key.into(),
            body: br#"{"call_id":1}"#.to_vec(),
        },
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
    }
}

/// A call with one event.
async fn call(db: &Db, key: &str, facts: &CallFacts) -> CallId {
    let incoming = event(key);
    db::events::record(db, std::slice::from_ref(&incoming), now(), now()).await.unwrap();
    let event = db::events::find(db, incoming.id).await.unwrap().unwrap();
    let mut tx = db.begin().await.unwrap();
    let (id, _) = db::calls::tie(&mut tx, &event, facts, now()).await.unwrap();
    db::calls::save_facts(&mut tx, id, facts, now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn add(db: &Db, job: NewJob, at: DateTime<Utc>) -> JobId {
    let id = job.id;
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(job, None)], at, at).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn claim(db: &Db, id: JobId, owner: Uuid) -> Option<Job> {
    claim_at(db, id, owner, now()).await
}

async fn claim_at(db: &Db, id: JobId, owner: Uuid, at: DateTime<Utc>) -> Option<Job> {
    db::jobs::claim(db, &[id], owner, at, at + TimeDelta::seconds(60)).await.unwrap().pop()
}

fn ended(job: Job, end: End) -> Settlement {
    Settlement { job, end, writes: Vec::new(), next: Vec::new() }
}

async fn end(db: &Db, owner: Uuid, settlement: Settlement) -> bool {
    let id = settlement.job.id;
    settle(db, owner, &[settlement], now(), now()).await.unwrap().held.contains(&id)
}

fn again(counts: bool) -> End {
    let (reason, error) = ("rate-limited".into(), "too many".into());
    End::Again { due_at: now() - TimeDelta::seconds(1), counts, verdict: "retry", reason, error }
}

async fn an_event_is_recorded_once_however_often_it_comes(db: Db) {
    let tries = (0..20).map(|_| {
        let db = db.clone();
        async move { db::events::record(&db, &[event("a"), event("b"), event("a")], now(), now()).await.unwrap() }
    });
    let outcomes: Vec<Recorded> = futures::future::join_all(tries).await.concat();
    assert_eq!(outcomes.iter().filter(|o| **o == Recorded::New).count(), 2);
    let mut tx = db.begin().await.unwrap();
    let due = db::jobs::due(&db, &mut tx, 100, now()).await.unwrap();
    assert_eq!(due.len(), 2, "one intake job for each");
    assert!(due.iter().all(|d| d.queue.as_str() == "intake" && d.traceparent.is_some()));
}

async fn of_many_claims_at_once_one_gets_the_job(db: Db) {
    let id = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), now()).await;
    let claims = (0..20).map(|_| {
        let db = db.clone();
        async move { claim(&db, id, Uuid::now_v7()).await }
    });
    let claimed: Vec<Job> = futures::future::join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].attempt, claimed[0].claims), (1, 1));
}

async fn a_job_that_is_not_due_cannot_be_claimed(db: Db) {
    let due = now() + TimeDelta::hours(1);
    let id = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), due).await;
    assert!(claim(&db, id, Uuid::now_v7()).await.is_none());
    assert!(claim_at(&db, id, Uuid::now_v7(), due).await.is_some());
}

async fn a_worker_that_lost_its_lease_settles_nothing(db: Db) {
    let (slow, quick) = (Uuid::now_v7(), Uuid::now_v7());
    let call = call(&db, "a", &CallFacts::default()).await;
    let id = add(&db, NewJob::step(Step::Analyze, call, Wake::No), now()).await;
    let lost = claim(&db, id, slow).await.unwrap();
    let (back, dead) = db::jobs::expire(&db, 15, now() + TimeDelta::seconds(61)).await.unwrap();
    assert_eq!((back, dead.len()), (1, 0));
    let later = now() + TimeDelta::seconds(61);
    let held = claim_at(&db, id, quick, later).await.unwrap();
    assert_eq!((held.attempt, held.claims), (2, 2));
    assert!(db::jobs::renew(&db, slow, &[id], later).await.unwrap().is_empty());
    let mut settlement = ended(lost, End::Done { skipped: None });
    settlement.writes.push(Write::Conclusion(call, Conclusion::TooShort));
    assert!(!end(&db, slow, settlement).await, "the job is somebody else's");
    assert_eq!(db::calls::find(&db, call).await.unwrap().unwrap().conclusion, None, "and nothing was written");
    let mut settlement = ended(held, End::Done { skipped: None });
    settlement.writes.push(Write::Conclusion(call, Conclusion::Analyzed));
    assert!(end(&db, quick, settlement).await);
    assert_eq!(db::calls::find(&db, call).await.unwrap().unwrap().conclusion, Some(Conclusion::Analyzed));
}

async fn news_for_a_running_job_makes_it_run_once_more(db: Db) {
    let owner = Uuid::now_v7();
    let job = NewJob::sync(CallId::new(), SinkId::new("callmind"));
    let id = add(&db, job.clone(), now()).await;
    let running = claim(&db, id, owner).await.unwrap();
    add(&db, job.clone(), now()).await;
    assert!(claim(&db, id, owner).await.is_none(), "it runs already");
    assert!(end(&db, owner, ended(running, End::Done { skipped: None })).await);
    let second = claim(&db, id, owner).await.expect("it runs once more");
    assert_eq!(second.attempt, 1);
    assert!(end(&db, owner, ended(second, End::Done { skipped: None })).await);
    assert!(claim(&db, id, owner).await.is_none(), "and only once");
    add(&db, job, now()).await;
    assert!(claim(&db, id, owner).await.is_some(), "news wakes a finished job");
}

async fn a_claim_whose_answer_was_lost_runs_out(db: Db) {
    let owner = Uuid::now_v7();
    let (known, lost) =
        (NewJob::step(Step::Fetch, CallId::new(), Wake::No), NewJob::step(Step::Fetch, CallId::new(), Wake::No));
    for job in [&known, &lost] {
        add(&db, job.clone(), now()).await;
        claim(&db, job.id, owner).await.unwrap();
    }
    let later = now() + TimeDelta::seconds(120);
    let held = db::jobs::renew(&db, owner, &[known.id], later).await.unwrap();
    assert_eq!(held, [(known.id, 1)]);
    let (back, _) = db::jobs::expire(&db, 15, now() + TimeDelta::seconds(61)).await.unwrap();
    assert_eq!(back, 1);
    assert_eq!(db::jobs::state(&db, lost.id).await.unwrap(), Some(("waiting".into(), 1)));
    assert_eq!(db::jobs::renew(&db, owner, &[], later).await.unwrap(), []);
}

async fn a_restart_of_the_only_process_ends_its_leases_and_counts_the_tries(db: Db) {
    let id = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), now()).await;
    for try_number in 1..=3 {
        assert_eq!(claim(&db, id, Uuid::now_v7()).await.expect("it is due").attempt, try_number);
        db::jobs::release_all(&db, now()).await.unwrap();
        let (back, dead) = db::jobs::expire(&db, 3, now() + TimeDelta::milliseconds(1)).await.unwrap();
        assert_eq!((back, dead.len()), if try_number < 3 { (1, 0) } else { (0, 1) });
    }
}

async fn news_outlives_the_worker_and_refreshes_the_attempts(db: Db) {
    let owner = Uuid::now_v7();
    let job = NewJob::sync(CallId::new(), SinkId::new("callmind"));
    let id = add(&db, job.clone(), now()).await;
    end(&db, owner, ended(claim(&db, id, owner).await.unwrap(), again(true))).await;
    assert_eq!(claim(&db, id, owner).await.unwrap().attempt, 2);
    add(&db, job.clone(), now()).await;
    let (back, dead) = db::jobs::expire(&db, 2, now() + TimeDelta::seconds(61)).await.unwrap();
    assert_eq!((back, dead.len()), (1, 0), "the news is still to be brought");
    let later = now() + TimeDelta::seconds(61);
    let third = claim_at(&db, id, owner, later).await.unwrap();
    assert_eq!(third.attempt, 1);
    end(&db, owner, ended(third, again(true))).await;
    add(&db, job, now()).await;
    assert_eq!(claim(&db, id, owner).await.unwrap().attempt, 1, "also while it waits for another try");
}

fn recording() -> Recording {
    shared::sinks::sample::recorded().recording.unwrap()
}

async fn conclude(db: &Db, call: CallId, writes: Vec<Write>) {
    let owner = Uuid::now_v7();
    let id = add(db, NewJob::sync(call, SinkId::new("callmind")), now()).await;
    let job = claim(db, id, owner).await.unwrap();
    assert!(end(db, owner, Settlement { job, end: End::Done { skipped: None }, writes, next: Vec::new() }).await);
}

async fn a_recording_that_is_stored_cannot_be_concluded_away(db: Db) {
    let call = call(&db, "a", &CallFacts::default()).await;
    let conclusion = async || db::calls::find(&db, call).await.unwrap().unwrap().conclusion;
    let not_recorded = || vec![Write::Conclusion(call, Conclusion::NotRecorded)];
    conclude(&db, call, not_recorded()).await;
    assert_eq!(conclusion().await, Some(Conclusion::NotRecorded));
    conclude(&db, call, vec![Write::Recording(call, recording()), Write::Conclusion(call, Conclusion::Analyzed)]).await;
    conclude(&db, call, not_recorded()).await;
    assert_eq!(conclusion().await, Some(Conclusion::Analyzed));
}

async fn a_snooze_spends_no_attempt_and_a_retry_does(db: Db) {
    let owner = Uuid::now_v7();
    let id = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), now()).await;
    let first = claim(&db, id, owner).await.unwrap();
    end(&db, owner, ended(first, again(false))).await;
    let second = claim(&db, id, owner).await.unwrap();
    assert_eq!((second.attempt, second.snoozes, second.claims), (1, 1, 2));
    end(&db, owner, ended(second, again(true))).await;
    let third = claim(&db, id, owner).await.unwrap();
    assert_eq!((third.attempt, third.snoozes, third.claims), (2, 1, 3));
}

async fn a_dead_job_is_replayed_with_fresh_attempts(db: Db) {
    let owner = Uuid::now_v7();
    let call = call(&db, "a", &CallFacts::default()).await;
    let id = add(&db, NewJob::step(Step::Fetch, call, Wake::No), now()).await;
    let dead = || End::Dead { reason: "not-audio".into(), error: "an error page".into() };
    for which in [
        Which::Jobs(vec![id]),
        Which::Call(call),
        Which::Dead { queue: Some("fetch".to_owned().into()), reason: Some("not-audio".into()), limit: 10 },
        Which::Dead { queue: None, reason: None, limit: 1 },
    ] {
        let job = claim(&db, id, owner).await.expect("due again");
        assert_eq!(job.attempt, 1);
        assert!(end(&db, owner, ended(job, dead())).await);
        assert!(claim(&db, id, owner).await.is_none(), "the dead stay where they are");
        let other = Which::Dead { queue: None, reason: Some("other".into()), limit: 10 };
        assert_eq!(db::jobs::replay(&db, &other, now()).await.unwrap(), []);
        assert_eq!(db::jobs::replay(&db, &which, now()).await.unwrap().len(), 1, "{which:?}");
        assert_eq!(db::jobs::replay(&db, &which, now()).await.unwrap(), [], "replayed once");
    }
}

async fn what_was_skipped_because_something_was_off_is_caught_up_on(db: Db) {
    let owner = Uuid::now_v7();
    let call = call(&db, "a", &CallFacts::default()).await;
    let all = Which::Dead { queue: None, reason: None, limit: 9 };
    let off = |reason: &str| Which::Dead { queue: None, reason: Some(reason.into()), limit: 9 };
    let id = add(&db, NewJob::step(Step::Transcribe, call, Wake::No), now()).await;
    for (reason, which, replayed) in [
        ("no-speech-server", off("no-speech-server"), 1),
        ("no-speech-server", Which::Call(call), 1),
        ("no-speech-server", all, 0),
        ("no-speech-server", off("no-model"), 0),
        ("too-short", off("too-short"), 0),
        ("too-short", Which::Call(call), 0),
    ] {
        let job = claim(&db, id, owner).await.expect("due again");
        assert!(end(&db, owner, ended(job, End::Done { skipped: Some(reason.into()) })).await);
        assert_eq!(db::jobs::replay(&db, &which, now()).await.unwrap().len(), replayed, "{reason} {which:?}");
        if replayed == 0 {
            assert_eq!(db::jobs::replay(&db, &Which::Jobs(vec![id]), now()).await.unwrap().len(), 1);
        }
    }
}

fn key(kind: &str, value: &str) -> CallKey {
    CallKey { kind: kind.into(), value: value.into() }
}

fn facts(keys: &[CallKey], phone: Option<&str>) -> CallFacts {
    CallFacts { keys: keys.to_vec(), external_phone: phone.and_then(Phone::parse), ..CallFacts::default() }
}

async fn events_with_a_common_phone_number_become_one_call(db: Db) {
    let phone = Some("+393501234567");
    let ended = call(&db, "1", &facts(&[key("uuid", "u-1")], phone)).await;
    let recorded = call(&db, "2", &facts(&[key("id", "7")], phone)).await;
    assert_eq!(ended, recorded, "only the number ties them");
    let next = call(&db, "3", &facts(&[key("id", "8")], phone)).await;
    assert_ne!(next, ended, "another id is another call");
    assert_eq!(call(&db, "4", &facts(&[key("id", "7")], None)).await, ended);
    let found = db::calls::find_by_key(&db, &ProviderId::new("cloudtalk"), "7").await.unwrap();
    assert_eq!(found.map(|c| c.id), Some(ended));
    let other = call(&db, "5", &facts(&[key("id", "9")], Some("+393509999999"))).await;
    assert!(other != ended && other != next);
}

async fn the_dispatcher_sees_what_is_due_and_nothing_else(db: Db) {
    let soon = now() + TimeDelta::minutes(1);
    let due = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), now()).await;
    let later = add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), soon).await;
    let taken = async |at| {
        let mut tx = db.begin().await.unwrap();
        let ids: Vec<JobId> = db::jobs::due(&db, &mut tx, 100, at).await.unwrap().iter().map(|d| d.id).collect();
        db::jobs::published(&mut tx, &ids).await.unwrap();
        tx.commit().await.unwrap();
        ids
    };
    assert_eq!(taken(now()).await, [due]);
    assert_eq!(taken(now()).await, [], "a message is under way");
    assert_eq!(db::jobs::next_due(&db).await.unwrap(), Some(soon));
    assert_eq!(db::jobs::republish(&db, &"fetch".to_owned().into()).await.unwrap(), 1, "the broker lost it");
    assert_eq!(taken(now()).await, [due]);
    let found: HashSet<JobId> = taken(soon).await.into_iter().collect();
    assert_eq!(found, HashSet::from([later]));
}

async fn noting_a_publication_late_does_not_undo_a_retry(db: Db) {
    let owner = Uuid::now_v7();
    let new = |step| NewJob::step(step, CallId::new(), Wake::No);
    let (backlog, failed) = (new(Step::Fetch), new(Step::Analyze));
    let mut tx = db.begin().await.unwrap();
    let grace = now() + TimeDelta::seconds(5);
    db::jobs::add(&mut tx, &[(backlog.clone(), None), (failed.clone(), None)], now(), grace).await.unwrap();
    tx.commit().await.unwrap();
    let job = claim(&db, failed.id, owner).await.unwrap();
    assert!(end(&db, owner, ended(job, again(true))).await);
    db::jobs::note_published(&db, &[(backlog.id, grace), (failed.id, grace)]).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let due = db::jobs::due(&db, &mut tx, 9, grace).await.unwrap();
    assert_eq!(due.iter().map(|d| d.id).collect::<Vec<_>>(), [failed.id]);
}

async fn who_comes_early_by_their_clock_keeps_the_only_message(db: Db) {
    let new = |step| NewJob::step(step, CallId::new(), Wake::No);
    let (alone, published, due) = (new(Step::Fetch), new(Step::Analyze), new(Step::Transcribe));
    let soon = now() + TimeDelta::seconds(9);
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(alone.clone(), None), (published.clone(), None)], soon, soon).await.unwrap();
    db::jobs::add(&mut tx, &[(due.clone(), None)], now(), now()).await.unwrap();
    db::jobs::published(&mut tx, &[alone.id, due.id]).await.unwrap();
    tx.commit().await.unwrap();
    let ids = [alone.id, published.id, due.id, JobId::new()];
    assert_eq!(db::jobs::early(&db, &ids, now()).await.unwrap(), [alone.id]);
    assert_eq!(db::jobs::early(&db, &ids, soon).await.unwrap(), []);
}

async fn stats_count_what_waits_and_what_is_dead(db: Db) {
    let owner = Uuid::now_v7();
    let long_ago = now() - TimeDelta::hours(1);
    add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), long_ago).await;
    add(&db, NewJob::step(Step::Fetch, CallId::new(), Wake::No), now() + TimeDelta::hours(1)).await;
    let id = add(&db, NewJob::step(Step::Analyze, CallId::new(), Wake::No), now()).await;
    let job = claim(&db, id, owner).await.unwrap();
    end(&db, owner, ended(job, End::Dead { reason: "x".into(), error: "y".into() })).await;
    let mut stats = db::jobs::stats(&db, now()).await.unwrap();
    stats.sort_by(|a, b| a.queue.cmp(&b.queue));
    let counts: Vec<_> = stats.iter().map(|s| (s.queue.as_str(), s.waiting, s.oldest_due, s.dead)).collect();
    assert_eq!(counts, [("analyze", 0, None, 1), ("fetch", 2, Some(long_ago), 0)]);
}

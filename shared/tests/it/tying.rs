//! A conversation that two providers know: one call, whoever speaks first. On both databases.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shared::{
    clock::Clock,
    db::{
        self, Db,
        settle::{End, Settlement, settle},
    },
    domain::{Call, CallId, CallStatus, Event, EventKind, NewEvent, NewJob, ProviderId, Recording, Step, Wake, Write},
    env::Env,
    providers::{Providers, StartedCall, elevenlabs},
    testing::{Scratch, Shape},
    tying,
};
use uuid::Uuid;

use crate::outside;

const TWILIO: ProviderId = ProviderId::new("twilio");
const ELEVENLABS: ProviderId = ProviderId::new("elevenlabs");
const SID: &str = "CA00000000000000000000000000000007";
const ACCOUNT: &str = "AC00000000000000000000000000000001";

fn providers() -> Providers {
    let env = Env::from_pairs([
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("ELEVENLABS_WEBHOOK_SECRET", "secret"),
    ]);
    Providers::from_env(&env, &outside::impatient()).unwrap()
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn twilio(kind: EventKind, key: &str, form: &str) -> NewEvent {
    let body = format!("AccountSid={ACCOUNT}&CallSid={SID}&{form}").into_bytes();
    NewEvent { provider: TWILIO, account: ACCOUNT.into(), kind, dedupe_key: key.into(), body }
}

/// That a call was started, that its recording is there, what Twilio says of the call, and what was said in it.
fn events() -> [NewEvent; 4] {
    let conversation = json!({
        "conversation_id": "conv_7", "agent_id": "agent_7", "agent_name": "Ada", "status": "done", "has_audio": true,
        "transcript": [{"role": "agent", "message": "Hello", "time_in_call_secs": 0}],
        "metadata": {"start_time_unix_secs": 1_760_000_000, "call_duration_secs": 42, "phone_call": {
            "type": "twilio", "direction": "outbound", "agent_number": "+390212345678",
            "external_number": "+393331230088", "call_sid": SID,
        }},
    });
    let started = StartedCall {
        conversation_id: Some("conv_7".into()),
        called_number: shared::domain::Phone::parse("+393331230088"),
        ..Default::default()
    };
    let recording = "RecordingSid=RE00000000000000000000000000000007&RecordingStatus=completed&RecordingDuration=45";
    let call = "CallStatus=completed&Direction=outbound-api&From=%2B390212345678&To=%2B393331230088&CallDuration=47";
    [
        elevenlabs::started(&started, now()).unwrap(),
        twilio(EventKind::RecordingAvailable, "recording", recording),
        twilio(EventKind::CallEnded, "call", call),
        elevenlabs::event_of(&conversation).unwrap(),
    ]
}

async fn record(db: &Db, event: NewEvent) -> Event {
    let (provider, account, key) = (event.provider.clone(), event.account.clone(), event.dedupe_key.clone());
    db::events::learn(db, vec![event], None, now()).await.unwrap();
    db::events::find_by_dedupe_key(db, &provider, &account, &key).await.unwrap().unwrap()
}

async fn tie(db: &Db, event: &Event) -> Call {
    let providers = providers();
    let facts = providers.get(&event.provider).unwrap().facts(event).unwrap();
    tying::tie(db, &providers, event, &facts, now()).await.unwrap()
}

async fn known(db: &Db) -> Call {
    let calls = [(&ELEVENLABS, "conv_7"), (&ELEVENLABS, SID), (&TWILIO, SID)];
    let mut found = Vec::new();
    for (provider, name) in calls {
        found.push(db::calls::find_by_key(db, provider, name).await.unwrap().unwrap());
    }
    assert_eq!(found.iter().map(|call| call.id).collect::<BTreeSet<CallId>>().len(), 1, "one call by all its names");
    found.remove(0)
}

/// Every order of the four.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    let fours = (0..256).map(|number: usize| [number % 4, number / 4 % 4, number / 16 % 4, number / 64]);
    fours.filter(|order| order.iter().collect::<BTreeSet<_>>().len() == 4)
}

#[tokio::test]
async fn whoever_speaks_first_it_is_one_call_of_whoever_held_the_conversation() {
    let expected = |call: &Call| {
        assert_eq!((&call.provider, call.account.as_str()), (&ELEVENLABS, "default"));
        assert_eq!(call.facts.provider_call_id.as_deref(), Some("conv_7"));
        assert_eq!((call.facts.status, call.facts.duration_seconds), (Some(CallStatus::Completed), Some(42.0)));
        assert_eq!((call.facts.recording_seconds, call.facts.agent.name.as_deref()), (Some(45.0), Some("Ada")));
        assert_eq!(call.facts.key("recording_sid"), Some("RE00000000000000000000000000000007"));
    };
    let mut first = None;
    for order in orders() {
        let scratch = Scratch::new(Shape::Embedded).await;
        let db = scratch.db().await;
        for at in order {
            let event = record(&db, events()[at].clone()).await;
            tie(&db, &event).await;
        }
        let call = known(&db).await;
        expected(&call);
        assert_eq!(&call.facts, first.get_or_insert_with(|| call.facts.clone()), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_providers_that_speak_at_the_same_moment_make_one_call() {
    let scratch = Scratch::new(Shape::Production).await;
    let db = scratch.db().await;
    let mut tied = Vec::new();
    for event in events() {
        tied.push(record(&db, event).await);
    }
    let tying = tied.into_iter().map(|event| {
        let db = db.clone();
        tokio::spawn(async move { tie(&db, &event).await })
    });
    for task in tying.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let call = known(&db).await;
    assert_eq!(call.provider, ELEVENLABS);
    db.close().await;
}

#[tokio::test]
async fn two_conversations_over_one_telephone_call_stay_two() {
    let scratch = Scratch::new(Shape::Embedded).await;
    let db = scratch.db().await;
    let second = json!({
        "conversation_id": "conv_8", "status": "done",
        "metadata": {"call_duration_secs": 5, "phone_call": {"call_sid": SID, "direction": "outbound"}},
    });
    let [_, recording, _, first] = events();
    let mut ids = Vec::new();
    for event in [first, elevenlabs::event_of(&second).unwrap(), recording] {
        let event = record(&db, event).await;
        ids.push(tie(&db, &event).await.id);
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[2], ids[0], "the recording serves the first");
}

/// A call out that was made known by its telephone call alone.
async fn registered(db: &Db, sid: &str) -> CallId {
    let number = shared::domain::Phone::parse("+393331230088");
    let started = StartedCall { call_sid: Some(sid.into()), called_number: number, ..Default::default() };
    let event = record(db, elevenlabs::started(&started, now()).unwrap()).await;
    tie(db, &event).await.id
}

fn recording(key: &str) -> Recording {
    Recording {
        object_key: key.into(),
        size_bytes: 960_044,
        sha256: "ab".repeat(32),
        duration_seconds: 60.0,
        channels: 2,
        sample_rate: 8000,
        format: "wav".into(),
        stored_at: now(),
    }
}

async fn store(db: &Db, call: CallId) {
    let job = NewJob::step(Step::Fetch, call, Wake::No);
    let (id, owner) = (job.id, Uuid::now_v7());
    let mut tx = db.begin().await.unwrap();
    db::jobs::add(&mut tx, &[(job, None)], now(), now()).await.unwrap();
    tx.commit().await.unwrap();
    let job = db::jobs::claim(db, &[id], owner, now(), now() + TimeDelta::minutes(1)).await.unwrap().pop().unwrap();
    let writes = vec![Write::Recording(call, recording("recordings/twilio/1.wav"))];
    let stored = Settlement { job, end: End::Done { skipped: None }, writes, next: Vec::new() };
    settle(db, owner, &[stored], now(), now()).await.unwrap();
}

#[tokio::test]
async fn audio_that_names_no_more_than_a_number_goes_to_the_latest_call_without_a_recording() {
    for shape in [Shape::Embedded, Shape::Production] {
        let scratch = Scratch::new(shape).await;
        let db = scratch.db().await;
        let mut calls = Vec::new();
        for sid in ["CA1", "CA2", "CA3"] {
            calls.push(registered(&db, sid).await);
        }
        store(&db, calls[2]).await;
        // The second is without one, too, until the first audio has come.
        for (conversation, call) in [("conv_1", calls[1]), ("conv_2", calls[0])] {
            let body = json!({"type": "post_call_audio", "data": {
                "conversation_id": conversation, "called_number": "+393331230088", "full_audio": recording(conversation),
            }});
            let event = NewEvent {
                provider: ELEVENLABS,
                account: "default".into(),
                kind: EventKind::RecordingAvailable,
                dedupe_key: conversation.into(),
                body: body.to_string().into_bytes(),
            };
            let event = record(&db, event).await;
            assert_eq!(tie(&db, &event).await.id, call, "{conversation}");
        }
        db.close().await;
    }
}

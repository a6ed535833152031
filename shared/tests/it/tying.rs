//! A conversation that two providers know: one call, whoever speaks first. On both databases.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    clock::Clock,
    db::{self, Db},
    domain::{Call, CallId, CallStatus, Event, EventKind, NewEvent, ProviderId},
    env::Env,
    providers::{Providers, elevenlabs},
    testing::{Scratch, Shape},
    tying,
};

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
    let started = elevenlabs::StartedCall {
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

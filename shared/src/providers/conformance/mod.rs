//! What every provider has to do, beyond what every source must (`sources/conformance`): to say what its events mean, and to
//! fetch recordings. The rules run over the registry. To add one: one function.
#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests may panic")]

mod fetching;

use std::sync::Arc;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestCaseError,
};

pub use fetching::{a_recording_on_a_foreign_or_private_host_is_not_asked_for, a_vendors_answer_has_its_verdict};

use super::{Provider, Providers};
use crate::{
    db::{self, Db},
    domain::{Call, CallFacts, CallId, Event, EventId, NewEvent},
    sources::conformance::{Example, PUBLIC, examples, now, runner},
    testing::{Scratch, Shape},
    tying,
};

/// The examples of providers.
fn calling() -> impl Iterator<Item = Example> {
    examples().into_iter().filter(|example| example.vendor.is_some())
}

/// An example's events as they would be recorded.
fn recorded(example: &Example, provider: &dyn Provider) -> Vec<Event> {
    example.events.iter().map(|(path, body)| event(example.receive(provider, path, body))).collect()
}

fn event(new: NewEvent) -> Event {
    let NewEvent { provider, account, kind, dedupe_key, body } = new;
    Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at: now() }
}

/// In whatever order events come, and however often, what they say adds up to the same.
pub fn facts_add_up_to_the_same_in_any_order() {
    for example in calling() {
        let provider = example.provider(PUBLIC, Vec::new());
        let events = recorded(&example, &*provider);
        let fold = |events: &[Event]| {
            let said = events.iter().map(|e| (&e.kind, e.dedupe_key.as_str(), provider.facts(e).unwrap()));
            CallFacts::fold(said)
        };
        let expected = fold(&events);
        assert!(!expected.keys.is_empty(), "{}: a call without a key", example.name());
        in_any_order(64, &events, |shuffled| {
            proptest::prop_assert_eq!(&fold(shuffled), &expected, "{}", example.name());
            Ok(())
        });
    }
}

/// The same through the database: whichever event makes the call, and whichever is tied to it twice.
pub async fn events_are_tied_to_one_call_in_any_order(shape: Shape) {
    let scratch = Scratch::new(shape).await;
    let db = scratch.db().await;
    for example in calling() {
        let provider = example.provider(PUBLIC, Vec::new());
        let events = recorded(&example, &*provider);
        let mut orders = Vec::new();
        in_any_order(12, &events, |shuffled| {
            orders.push(shuffled.to_vec());
            Ok(())
        });
        let mut expected: Option<CallFacts> = None;
        for (number, order) in orders.into_iter().enumerate() {
            // Accounts are apart, so that each order makes a call of its own.
            let call = tied(&db, &provider, order, &format!("{} {number}", example.name())).await;
            assert_eq!(&call.facts, expected.get_or_insert_with(|| call.facts.clone()), "{}", example.name());
        }
    }
    db.close().await;
}

async fn tied(db: &Db, provider: &Arc<dyn Provider>, order: Vec<Event>, account: &str) -> Call {
    let providers = Providers::new(vec![provider.clone()]);
    let mut calls: Vec<CallId> = Vec::new();
    let mut last = None;
    for event in order {
        let new = NewEvent {
            provider: event.provider,
            account: account.to_owned(),
            kind: event.kind,
            dedupe_key: event.dedupe_key,
            body: event.body,
        };
        let id = EventId::new();
        let incoming = db::events::Incoming { id, event: new, traceparent: None };
        db::events::record(db, &[incoming], now(), now()).await.unwrap();
        // One that came before is known under its first id.
        let Some(event) = db::events::find(db, id).await.unwrap() else { continue };
        let call = tying::tie(db, &providers, &event, &provider.facts(&event).unwrap(), now()).await.unwrap();
        // And a step that is repeated ties it again.
        let again = tying::tie(db, &providers, &event, &provider.facts(&event).unwrap(), now()).await.unwrap();
        assert_eq!((again.id, &again.facts), (call.id, &call.facts));
        calls.push(call.id);
        last = Some(call);
    }
    let call = last.unwrap();
    let survivor = db::calls::find(db, call.id).await.unwrap().unwrap();
    for id in calls {
        assert_eq!(db::calls::find(db, id).await.unwrap().map(|call| call.id), Some(survivor.id), "more than one call");
    }
    survivor
}

/// Calls `hold` with shuffled events, some of them several times.
fn in_any_order(cases: u32, events: &[Event], mut hold: impl FnMut(&[Event]) -> Result<(), TestCaseError>) {
    let mut runner = runner(cases);
    let order = proptest::collection::vec(0..events.len(), 0..3)
        .prop_map(|more| more.into_iter().chain(0..events.len()).collect::<Vec<_>>());
    let order = order.prop_shuffle();
    for _ in 0..cases {
        let order = order.new_tree(&mut runner).unwrap().current();
        let shuffled: Vec<_> = order.iter().map(|at| events[*at].clone()).collect();
        hold(&shuffled).unwrap_or_else(|error| panic!("in the order {order:?}: {error}"));
    }
}

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use proptest::{prelude::*, sample::select};

use super::*;

type Said = (EventKind, String, CallFacts);

fn kind() -> impl Strategy<Value = EventKind> {
    let other = EventKind::Other("unknown".to_owned());
    select(vec![EventKind::CallStarted, EventKind::CallEnded, EventKind::RecordingAvailable, other])
}

/// Facts of which anything may be missing, with few values, so that events agree and differ.
fn facts() -> impl Strategy<Value = CallFacts> {
    let text = || prop::option::of("[a-c]");
    let keys = prop::collection::vec(("(id|uuid|call_sid)", "[a-c]"), 0..3);
    let status = prop::option::of(select(vec![
        CallStatus::InProgress,
        CallStatus::Completed,
        CallStatus::Missed,
        CallStatus::Failed,
    ]));
    let direction = prop::option::of(select(vec![Direction::Inbound, Direction::Outbound]));
    let phone = prop::option::of("3935012345[0-2]");
    let flags = (any::<Option<bool>>(), any::<bool>(), any::<bool>());
    let seconds = prop::option::of(0_u8..3);
    (text(), text(), keys, status, direction, phone, flags, seconds).prop_map(
        |(id, url, keys, status, direction, phone, (recorded, announced, voicemail), seconds)| CallFacts {
            provider_call_id: id.clone(),
            keys: keys.into_iter().map(|(kind, value)| CallKey { kind, value }).collect(),
            direction,
            status,
            external_phone: phone.and_then(|phone| Phone::parse(&phone)),
            agent: Agent { name: url.clone(), ..Agent::default() },
            contact: Contact { id, ..Contact::default() },
            duration_seconds: seconds.map(f64::from),
            started_at: seconds.and_then(|s| DateTime::from_timestamp(i64::from(s), 0)),
            recording_url: url,
            recorded,
            recording_announced: announced,
            voicemail,
            ..CallFacts::default()
        },
    )
}

/// Events as a provider may send them: those of one kind and key are one, repeated.
fn events() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::btree_map((kind(), "[a-f]"), facts(), 1..7)
        .prop_map(|all| all.into_iter().map(|((kind, key), facts)| (kind, key, facts)).collect())
}

fn fold<'a>(events: impl IntoIterator<Item = &'a Said>) -> CallFacts {
    CallFacts::fold(events.into_iter().map(|(kind, key, facts)| (kind, key.as_str(), facts.clone())))
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_a_calls_events_gives_the_same_call(
        (events, shuffled) in events().prop_flat_map(|all| {
            let more = prop::collection::vec(select(all.clone()), 0..6);
            let repeated = (Just(all.clone()), more).prop_map(|(all, more)| [all, more].concat());
            (Just(all), repeated.prop_shuffle())
        }),
    ) {
        prop_assert_eq!(fold(&shuffled), fold(&events));
    }

    /// What one event is the only one to say is never lost among the others.
    #[test]
    fn what_only_one_event_says_is_kept(events in events(), campaign in "[a-z]{1,9}", at in any::<prop::sample::Index>()) {
        let mut events = events;
        let at = at.index(events.len());
        events[at].2.campaign = Some(campaign.clone());
        let folded = fold(&events);
        prop_assert_eq!(folded.campaign, Some(campaign));
        let every: Vec<_> = events.iter().flat_map(|(.., facts)| &facts.keys).collect();
        prop_assert!(every.into_iter().all(|key| folded.keys.contains(key)));
    }
}

#[test]
fn what_others_call_a_person_stays_on_one_line() {
    let named = |name: &str| Some(name.to_owned());
    let facts = CallFacts {
        contact: Contact { name: named("Mario\r\nCall ID: 9\u{2028}Rossi"), ..Contact::default() },
        agent: Agent { name: named("Rita\t Bianchi\n"), ..Agent::default() },
        campaign: named("Autumn\n\nStatus: missed"),
        ..CallFacts::default()
    };
    let folded = fold(&[(EventKind::CallEnded, "k".to_owned(), facts)]);
    assert_eq!(folded.contact.name.as_deref(), Some("Mario Call ID: 9 Rossi"));
    assert_eq!(folded.agent.name.as_deref(), Some("Rita Bianchi"));
    assert_eq!(folded.campaign.as_deref(), Some("Autumn Status: missed"));
}

#[test]
fn an_event_that_knows_of_a_recording_outweighs_one_that_knows_of_none() {
    let said = |kind, recorded| (kind, "k".to_owned(), CallFacts { recorded: Some(recorded), ..CallFacts::default() });
    let folded = fold(&[said(EventKind::RecordingAvailable, true), said(EventKind::CallEnded, false)]);
    assert!(folded.recorded.unwrap());
}

//! Calls over CloudTalk whose webhooks were lost, or say little: its API makes up for it. In both shapes.

use sandbox::{CallMode, PlaceCall, Vendor, samples};
use shared::{
    db::{self, console},
    domain::{Conclusion, ProviderId},
    testing::eventually,
};

use crate::running::{Running, SECRET, in_both_shapes};

const CLOUDTALK: ProviderId = ProviderId::new("cloudtalk");
const POLLING: [(&str, &str); 2] = [("CLOUDTALK_POLLING", "on"), ("CLOUDTALK_POLL_INTERVAL_MINUTES", "0.01")];

in_both_shapes! {
    a_call_that_no_webhook_tells_of_is_found_and_one_that_was_told_stays_one: &POLLING,
    calls_that_are_named_by_uuid_alone_get_each_its_own_recording: &[],
}

async fn a_call_that_no_webhook_tells_of_is_found_and_one_that_was_told_stays_one(at: Running) {
    let place = async |base: &str, sample: &str| {
        let placed = at.sandbox.place_call(PlaceCall::new(base, SECRET, sample).mode(CallMode::ApiFallback)).await;
        placed.unwrap().call_id.to_string()
    };
    let (silent, told) = (place("", "sales").await, place(&at.url, "support").await);
    for id in [&silent, &told] {
        let call = at.concludes(&CLOUDTALK, id, |_| true).await;
        assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
        assert!(call.facts.contact.name.is_some() && call.facts.agent.name.is_some() && call.facts.direction.is_some());
        assert!(db::recordings::find(&at.app.db, call.id).await.unwrap().is_some());
    }
    let call = at.find(&CLOUDTALK, &told).await.unwrap().id;
    let events = async || console::events(&at.app.db, call).await.unwrap().len();
    eventually("two webhooks and the list are one call", async || events().await == 3).await;
    let rounds = || at.sandbox.asked(Vendor::Cloudtalk, "/calls/index.json?date_from").len();
    let before = rounds();
    eventually("it goes on asking", async || rounds() > before + 1).await;
    for id in [&silent, &told] {
        at.concludes(&CLOUDTALK, id, |_| true).await;
        let notes = at.told_once("CloudTalk", id).await;
        assert!(notes.iter().any(|note| note.contains("Sentiment: ") && note.contains("🎯 Coaching:")), "{notes:#?}");
    }
    assert_eq!(events().await, 3, "what is listed again is nothing new");
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat").len(), 2, "each paid once");
    at.stop().await;
}

async fn calls_that_are_named_by_uuid_alone_get_each_its_own_recording(at: Running) {
    // Two calls with one person at the same time: number and time cannot tell them apart.
    let names = ["billing", "sales"];
    let mut placed = Vec::new();
    for name in names {
        let mut order = PlaceCall::new(&at.url, SECRET, name).mode(CallMode::ApiFallback);
        (order.uuid_only, order.contact_phone) = (true, Some("+393500000777".to_owned()));
        placed.push(at.sandbox.place_call(order).await.unwrap());
    }
    for (name, placed) in names.into_iter().zip(placed) {
        let id = placed.call_id.to_string();
        let call = at.concludes(&CLOUDTALK, &placed.call_uuid, |facts| facts.provider_call_id.is_some()).await;
        assert_eq!(call.facts.provider_call_id.as_deref(), Some(id.as_str()));
        assert_eq!(at.find(&CLOUDTALK, &id).await.map(|call| call.id), Some(call.id), "one call under both names");
        let recording = db::recordings::find(&at.app.db, call.id).await.unwrap().unwrap();
        assert_eq!(recording.size_bytes, samples::named(name).unwrap().wav.len() as i64, "{name}");
        at.told_once("CloudTalk", &id).await;
    }
    at.stop().await;
}

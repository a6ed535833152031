//! Calls that one provider carried for another, which held the conversation: told once, with the carrier's recording.

use chrono::TimeDelta;
use sandbox::{Vendor, samples};
use serde_json::{Map, Value};
use shared::{
    db,
    domain::{Call, CallId, Conclusion, Phone, ProviderId},
    providers::{
        StartedCall,
        elevenlabs::{self, Api, Order},
    },
    testing::eventually,
};

use crate::running::{Running, SECRET, in_both_shapes};

const ELEVENLABS: ProviderId = ProviderId::new("elevenlabs");
const TWILIO: ProviderId = ProviderId::new("twilio");

in_both_shapes! {
    what_the_carrier_tells_later_is_no_second_call: &[],
    a_call_that_the_carrier_told_of_first_becomes_the_agents: &[],
}

/// A call out by an agent, recorded by its carrier. Nobody has told us of it yet.
async fn ring(at: &Running) -> (String, String) {
    let api = Api::from_env(&at.app.env, &at.app.outside).unwrap().unwrap();
    let order = Order {
        agent_id: "agent_1".into(),
        agent_phone_number_id: "phnum_1".into(),
        to: Phone::parse("+393331230088").unwrap(),
        chat_id: "chat-1".into(),
        variables: Map::new(),
    };
    let StartedCall { conversation_id, call_sid, .. } = api.call(&order).await.unwrap();
    (conversation_id.unwrap(), call_sid.unwrap())
}

/// What the carrier's list of recordings says by now, as a poll finds it.
async fn carrier_tells(at: &Running) {
    let carrier = at.app.providers.get(&TWILIO).unwrap();
    let found = carrier.poll(at.app.clock.now() - TimeDelta::days(1), None).await.unwrap();
    assert_eq!(db::events::learn(&at.app.db, found.events, None, at.app.clock.now()).await.unwrap(), 1);
}

/// What was said, without the audio.
async fn agent_tells(at: &Running, conversation: &str) {
    let api = Api::from_env(&at.app.env, &at.app.outside).unwrap().unwrap();
    let event = elevenlabs::event_of(&api.conversation(conversation).await.unwrap().unwrap()).unwrap();
    assert_eq!(db::events::learn(&at.app.db, vec![event], None, at.app.clock.now()).await.unwrap(), 1);
}

/// Waits until all our work on the call is done, and the CRM knows whom to write of it to.
async fn concluded(at: &Running, provider: &ProviderId, name: &str) -> Call {
    let call = at.concludes(provider, name, |facts| facts.external_phone.is_some()).await;
    assert_eq!(call.conclusion, Some(Conclusion::Analyzed));
    call
}

fn notes(at: &Running) -> Vec<String> {
    let contacts = at.sandbox.state().ghl.contacts;
    contacts.into_iter().flat_map(|contact| contact.notes).map(|note| note.body).collect()
}

fn records(at: &Running) -> Vec<Map<String, Value>> {
    at.sandbox.state().callmind.records.into_iter().map(|record| record.fields).collect()
}

async fn knows_both(at: &Running, call: CallId) -> bool {
    db::calls::providers(&at.app.db, call).await.unwrap() == [ELEVENLABS, TWILIO]
}

/// One note on the call and one with the feedback, both of the conversation; one record; nothing paid for twice.
async fn told_once(at: &Running, conversation: &str) {
    eventually("the CRM has the conversation's notes", async || {
        let notes = notes(at);
        let of_it =
            |kind: &str| notes.iter().filter(|note| note.starts_with(kind) && note.contains(conversation)).count();
        (of_it("[ElevenLabs] "), of_it("[ElevenLabs Feedback] ")) == (1, 1)
    })
    .await;
    let notes = notes(at);
    assert!(notes.iter().all(|note| !note.starts_with("[Twilio")), "{notes:#?}");
    assert_eq!((notes.len(), records(at).len()), (2, 1), "{notes:#?}");
    assert_eq!(at.sandbox.asked(Vendor::Openai, "chat").len(), 1, "paid once");
}

async fn what_the_carrier_tells_later_is_no_second_call(at: Running) {
    let (conversation, sid) = ring(&at).await;
    let answers = at.sandbox.end_conversation(&conversation, &at.url, SECRET).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let call = concluded(&at, &ELEVENLABS, &conversation).await;
    told_once(&at, &conversation).await;
    carrier_tells(&at).await;
    eventually("the carrier's recording is known", async || knows_both(&at, call.id).await).await;
    let call = concluded(&at, &TWILIO, &sid).await;
    assert_eq!((&call.provider, call.display_id()), (&ELEVENLABS, conversation.clone()));
    told_once(&at, &conversation).await;
    assert_eq!(records(&at)[0]["callSid"], conversation.as_str());
    at.stop().await;
}

async fn a_call_that_the_carrier_told_of_first_becomes_the_agents(at: Running) {
    let (conversation, sid) = ring(&at).await;
    at.sandbox.end_conversation(&conversation, "", "").await.unwrap();
    carrier_tells(&at).await;
    let carried = concluded(&at, &TWILIO, &sid).await;
    assert_eq!(carried.provider, TWILIO);
    eventually("the CRM knows it as the carrier's", async || notes(&at).len() == 2 && records(&at).len() == 1).await;
    concluded(&at, &TWILIO, &sid).await;
    let link = at.app.links.link(&carried).unwrap();
    agent_tells(&at, &conversation).await;
    eventually("it is the agent's", async || knows_both(&at, carried.id).await).await;
    let call = concluded(&at, &ELEVENLABS, &conversation).await;
    assert_eq!((call.id, &call.provider), (carried.id, &ELEVENLABS));
    told_once(&at, &conversation).await;
    let recording = db::recordings::find(&at.app.db, call.id).await.unwrap().unwrap();
    assert_eq!((recording.channels, recording.source()), (2, Some(TWILIO)));
    assert_eq!(records(&at)[0]["callSid"], sid.as_str(), "a record keeps the name it was made under");
    let sample = samples::all().first().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a listener, who is outside")]
    let audio = reqwest::Client::new().get(&link).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(audio, sample.wav, "the link that was given away plays it still");
    at.stop().await;
}

//! Calls with agents: started, made known, fetched.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{CallMode, Fault, PlaceCall, Sandbox, Vendor};
use serde_json::{Value, json};
use shared::{
    db::{calls, console},
    domain::{Call, Direction, ProviderId},
    testing::Shape,
};

use crate::desk::{Desk, TOKEN};

const ELEVENLABS: ProviderId = ProviderId::new("elevenlabs");

const TWILIO: ProviderId = ProviderId::new("twilio");
const SID: &str = "CA00000000000000000000000000000077";

const CARRIER: [(&str, &str); 2] = [("TWILIO_ACCOUNT_SID", sandbox::TWILIO_ACCOUNT), ("TWILIO_AUTH_TOKEN", "token")];

struct World {
    sandbox: Sandbox,
    desk: Desk,
}

impl World {
    async fn new(shape: Shape) -> Self {
        Self::with(shape, &[]).await
    }

    async fn with(shape: Shape, more: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let base = sandbox.base_urls().elevenlabs;
        let settings = [
            ("API_TOKEN", TOKEN),
            ("ELEVENLABS_WEBHOOK_SECRET", "wsec"),
            ("ELEVENLABS_API_KEY", "key"),
            ("ELEVENLABS_BASE_URL", base.as_str()),
            ("ELEVENLABS_AGENT_ID", "agent_1"),
            ("ELEVENLABS_AGENT_PHONE_NUMBER_ID", "phnum_1"),
        ];
        Self { desk: Desk::with(shape, &[&settings, more].concat()).await, sandbox }
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.desk.post(path, body).await;
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn call(&self, key: &Value) -> Call {
        calls::find_by_key(&self.desk.app.db, &ELEVENLABS, key.as_str().unwrap()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_call_is_started_and_known_by_all_its_names_at_once() {
    for shape in [Shape::Embedded, Shape::Production] {
        let world = World::new(shape).await;
        let order = json!({"to_number": "+393331230088", "chat_id": "chat/7", "dynamic_variables": {"name": "Ada"}});
        let (status, answer) = world.post("/api/calls", order).await;
        assert_eq!((status, answer["status"].as_str()), (201, Some("started")), "{answer}");
        let held = world.sandbox.state().elevenlabs.conversations.remove(0);
        assert_eq!(answer["conversation_id"], held.conversation_id);
        assert_eq!((answer["call_sid"].clone(), held.chat_id.as_deref()), (json!(held.call_sid), Some("chat/7")));
        for name in ["chat_id", "conversation_id", "call_sid"] {
            let call = world.call(&answer[name]).await;
            assert_eq!(answer["call_id"], json!(call.id), "{name}");
            assert_eq!(call.facts.direction, Some(Direction::Outbound));
            assert_eq!(call.facts.external_phone.unwrap().as_str(), "+393331230088");
        }
        let (_, nameless) = world.post("/api/calls", json!({"to_number": "+393331230099"})).await;
        assert!(nameless["chat_id"].as_str().unwrap().len() > 20, "a name is made up: {nameless}");
    }
}

#[tokio::test]
async fn a_call_that_was_started_elsewhere_is_made_known_once() {
    let world = World::with(Shape::Embedded, &CARRIER).await;
    let order = json!({"call_sid": SID, "to_number": "+393331230088", "record": true});
    let (status, first) = world.post("/api/calls", order.clone()).await;
    assert_eq!((status, first["status"].as_str()), (201, Some("registered")), "{first}");
    assert_eq!(world.post("/api/calls", order).await.1["call_id"], first["call_id"]);
    let chat = json!({"call_sid": SID, "chat_id": "chat-1"});
    assert_eq!(world.post("/api/calls", chat).await.1["call_id"], first["call_id"], "its chat is known later");
    let call = world.call(&json!("chat-1")).await;
    assert_eq!((json!(call.id), call.facts.external_phone.is_some()), (first["call_id"].clone(), true));
    let jobs = console::jobs(&world.desk.app.db, call.id).await.unwrap();
    assert!(jobs.iter().any(|job| job.step == "record"), "the carrier is asked to record it");
    assert!(world.sandbox.asked(Vendor::Elevenlabs, "").is_empty(), "nobody is rung up");
}

#[tokio::test]
async fn where_there_is_only_its_carrier_a_call_is_made_known_as_the_carriers() {
    for shape in [Shape::Embedded, Shape::Production] {
        let settings = [&[("API_TOKEN", TOKEN)], CARRIER.as_slice()].concat();
        let desk = Desk::with(shape, &settings).await;
        let post = async |order: Value| {
            let answer = desk.post("/api/calls", order).await;
            let status = answer.status().as_u16();
            (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
        };
        let order = json!({"call_sid": SID, "chat_id": "chat 1", "to_number": "+393331230088", "record": true});
        let (status, answer) = post(order).await;
        assert_eq!((status, answer["status"].as_str()), (201, Some("registered")), "{answer}");
        for name in ["chat 1", SID] {
            let call = calls::find_by_key(&desk.app.db, &TWILIO, name).await.unwrap().unwrap();
            assert_eq!(answer["call_id"], json!(call.id));
            assert_eq!(call.facts.external_phone.unwrap().as_str(), "+393331230088");
        }
        let (status, answer) = post(json!({"call_sid": SID, "conversation_id": "conv_1"})).await;
        assert_eq!((status, answer["field"].as_str()), (422, Some("conversation_id")), "{answer}");
        assert_eq!(post(json!({"to_number": "+393331230088"})).await.0, 501, "nobody is there who could ring");
    }
}

#[tokio::test]
async fn a_chat_that_goes_on_in_a_second_call_is_two_calls() {
    for shape in [Shape::Embedded, Shape::Production] {
        let world = World::new(shape).await;
        let mut ids = Vec::new();
        for (name, value) in [
            ("conversation_id", "conv_a"),
            ("conversation_id", "conv_b"),
            ("conversation_id", "conv_b"),
            ("call_sid", "CA1"),
            ("call_sid", "CA2"),
            ("call_sid", "CA2"),
        ] {
            let chat = format!("chat-{name}");
            let (status, answer) = world.post("/api/calls", json!({name: value, "chat_id": chat})).await;
            assert_eq!(status, 201, "{answer}");
            ids.push(answer["call_id"].clone());
        }
        for (ids, name, second) in [(&ids[..3], "conversation_id", "conv_b"), (&ids[3..], "call_sid", "CA2")] {
            assert!(ids[0] != ids[1] && ids[1] == ids[2], "{ids:?}");
            assert_eq!(json!(world.call(&json!(format!("chat-{name}"))).await.id), ids[0]);
            assert_eq!(json!(world.call(&json!(second)).await.id), ids[1]);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_carried_out_says_why() {
    let world = World::new(Shape::Embedded).await;
    let cases = [
        (json!({}), 422, Some("to_number")),
        (json!({"to_number": "nobody"}), 422, Some("to_number")),
        (json!({"to_number": "+393331230088", "dynamic_variables": {"system__x": 1}}), 422, Some("dynamic_variables")),
        (json!({"to_number": "+393331230088", "dynamic_variables": {"x": {}}}), 422, Some("dynamic_variables")),
        (json!({"call_sid": "../CA"}), 422, Some("call_sid")),
        (json!({"call_sid": "CA1", "conversation_id": "../conv"}), 422, Some("conversation_id")),
        (json!({"conversation_id": "conv_1", "record": true}), 422, Some("call_sid")),
        (json!({"call_sid": "CA1", "record": true}), 501, None),
        (json!({"to_number": "+393331230088", "chat_id": "x".repeat(129)}), 422, Some("chat_id")),
        (json!({"to_number": "+393331230088", "chat_id": ""}), 422, Some("chat_id")),
        (json!({"to_number": "+393331230088", "chat_id": "a\nb"}), 422, Some("chat_id")),
        (json!({"call_sid": "CA1", "chat_id": " "}), 422, Some("chat_id")),
        (json!({"number": "+393331230088"}), 400, None),
    ];
    for (order, expected, field) in cases {
        let (status, answer) = world.post("/api/calls", order.clone()).await;
        assert_eq!((status, answer["field"].as_str()), (expected, field), "{order}: {answer}");
    }
    assert!(world.sandbox.asked(Vendor::Elevenlabs, "").is_empty());
    for (vendor, expected) in [(401, 502), (500, 502), (429, 503)] {
        world.sandbox.fault(Fault::status(Vendor::Elevenlabs, vendor).times(1));
        let (status, answer) = world.post("/api/calls", json!({"to_number": "+393331230088"})).await;
        assert_eq!(status, expected, "{answer}");
    }
    let desk = Desk::start(Shape::Embedded).await;
    assert_eq!(desk.post("/api/calls", json!({"to_number": "+393331230088"})).await.status(), 501);
}

#[tokio::test]
async fn a_conversation_is_fetched_and_is_the_same_as_its_webhook() {
    for shape in [Shape::Embedded, Shape::Production] {
        let world = World::new(shape).await;
        let nowhere = "http://127.0.0.1:9";
        let order = PlaceCall::new(nowhere, "", "billing").provider("elevenlabs").mode(CallMode::ApiFallback);
        let id = world.sandbox.place_call(order).await.unwrap().call_uuid;
        let path = format!("/elevenlabs/conversation/{id}/process");
        let (status, answer) = world.post(&path, json!({})).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{answer}");
        let call = world.call(&json!(id)).await;
        assert_eq!(answer["call_id"], json!(call.id));
        assert_eq!((call.facts.recorded, call.facts.words), (Some(true), true));
        assert_eq!(world.post(&path, json!({})).await.1["status"], "duplicate");
        let jobs = console::jobs(&world.desk.app.db, call.id).await.unwrap();
        assert!(jobs.iter().any(|job| job.step == "fetch"), "what is missing is fetched");
    }
}

#[tokio::test]
async fn a_conversation_that_is_unknown_or_goes_on_is_not_recorded() {
    let world = World::new(Shape::Embedded).await;
    for id in ["conv_none", "..%2F..%2Fsecrets"] {
        assert_eq!(world.post(&format!("/elevenlabs/conversation/{id}/process"), json!({})).await.0, 404);
    }
    let (_, started) = world.post("/api/calls", json!({"to_number": "+393331230088"})).await;
    let path = format!("/elevenlabs/conversation/{}/process", started["conversation_id"].as_str().unwrap());
    assert_eq!(world.post(&path, json!({})).await.0, 409, "it would keep the finished one out");
    world.sandbox.end_conversation(started["conversation_id"].as_str().unwrap(), "", "").await.unwrap();
    assert_eq!(world.post(&path, json!({})).await.1["call_id"], started["call_id"], "one call");
}

//! The description is of what is really there: routes, and the form of answers.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::{BTreeSet, HashMap};

use axum::Router;
use console::{Access, openapi};
use serde_json::{Value, json};
use shared::{
    db::settle::End,
    domain::{CallStatus, Conclusion, Step, Write},
    sinks::sample,
    testing::Shape,
};
use tokio_util::sync::CancellationToken;

use crate::{
    desk::{Desk, TOKEN, concluded, dead, facts, recording},
    schema::Schemas,
};

/// Every vendor is set up.
const EVERYTHING: [(&str, &str); 10] = [
    ("API_TOKEN", TOKEN),
    ("CLOUDTALK_WEBHOOK_SECRET", "secret"),
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001"),
    ("TWILIO_AUTH_TOKEN", "token"),
    ("ELEVENLABS_WEBHOOK_SECRET", "secret"),
    ("ELEVENLABS_API_KEY", "key"),
    ("ELEVENLABS_BASE_URL", "http://127.0.0.1:9"),
    ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
    ("GHL_LOCATION_ID", "LOC0000000000000TEST"),
    ("GHL_WEBHOOK_SECRET", "secret"),
];

/// Path and method of every route; axum tells them to nobody but a debugger.
fn routes(router: &Router) -> BTreeSet<(String, String)> {
    let text = format!("{router:?}");
    let (mut paths, mut methods) = (HashMap::new(), HashMap::new());
    for entry in text.split("fallback_router").next().unwrap().split("RouteId(").skip(1) {
        let (id, entry) = entry.split_once("): ").unwrap();
        if let Some(path) = entry.strip_prefix('"') {
            paths.insert(id.to_owned(), path.split('"').next().unwrap().to_owned());
        } else {
            let allowed = entry.split_once("allow_header: Bytes(b\"").unwrap().1;
            methods.insert(id.to_owned(), allowed.split('"').next().unwrap().to_owned());
        }
    }
    assert_eq!(paths.len(), methods.len(), "{text}");
    let pairs =
        paths.iter().flat_map(|(id, path)| methods[id].split(',').map(move |method| (path.clone(), method.to_owned())));
    // Whoever answers GET answers HEAD.
    pairs.filter(|(_, method)| method != "HEAD").collect()
}

fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &Value| -> Vec<String> {
        let known = ["get", "post", "put", "patch", "delete"];
        known.iter().filter(|method| item.get(**method).is_some()).map(|method| method.to_uppercase()).collect()
    };
    paths.iter().flat_map(|(path, item)| methods(item).into_iter().map(|method| (path.clone(), method))).collect()
}

#[tokio::test]
async fn every_route_is_described_and_every_description_has_its_route() {
    let desk = Desk::with(Shape::Embedded, &EVERYTHING).await;
    let document = desk.ask("/openapi.json").await;
    let (access, stop) = (Access::from_env(&desk.app.env).unwrap(), CancellationToken::new());
    let mut there = routes(&console::router(desk.app.clone(), access, stop.clone()));
    there.extend(routes(&ingest::router(&desk.app, stop)));
    assert!(there.len() > 25, "{there:?}");
    assert_eq!(described(&document), there);
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let names: Vec<_> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    assert!(names.len() > there.len(), "HEAD of a recording is described too");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each has a name of its own: {names:?}");
}

#[tokio::test]
async fn webhooks_are_described_with_a_body_as_it_is_really_sent() {
    let desk = Desk::with(Shape::Embedded, &EVERYTHING).await;
    let document = serde_json::to_value(openapi::document(&desk.app.env, &desk.app.sources)).unwrap();
    for route in desk.app.sources.iter().flat_map(|source| source.webhooks()) {
        let item = &document["paths"][route.path];
        assert_eq!(item["servers"], json!([{"url": "https://calls.example.test"}]), "{}", route.path);
        let (_, content) = item["post"]["requestBody"]["content"].as_object().unwrap().iter().next().unwrap();
        assert!(content["example"].is_object(), "{} has no example", route.path);
        assert_eq!(item["post"]["security"], json!([{}]), "{} needs no token", route.path);
    }
}

#[tokio::test]
async fn answers_have_the_form_that_is_described() {
    let desk = Desk::with(Shape::Embedded, &EVERYTHING).await;
    let report = sample::analyzed();
    let call = desk.call(1, report.call.facts).await;
    let writes = vec![
        recording(call, &desk.app),
        Write::Transcript(call, report.transcript.unwrap()),
        Write::Feedback(call, report.feedback.unwrap()),
        concluded(call, Conclusion::Analyzed),
    ];
    desk.tried(call, Step::Analyze, End::Done { skipped: None }, writes).await;
    let failed = desk.call(2, facts(CallStatus::Missed, "+393500000001")).await;
    desk.tried(failed, Step::Fetch, dead("not-audio"), vec![]).await;

    let document = desk.ask("/openapi.json").await;
    let schemas = Schemas(&document);
    let questions = [
        ("/calls", "/calls"),
        ("/calls/{id}", "/calls/1000000001"),
        ("/calls/{id}", "/calls/1000000002"),
        ("/conversations/{id}", "/conversations/1000000001"),
        ("/conversations/{id}", "/conversations/1000000002"),
        ("/dead", "/dead"),
        ("/costs", "/costs"),
    ];
    for (path, question) in questions {
        schemas.check(&document["paths"][path]["get"], "200", &desk.ask(question).await, question);
    }
    let refused: Value = serde_json::from_str(&desk.get("/calls?limit=many").await.text().await.unwrap()).unwrap();
    schemas.check(&document["paths"]["/calls"]["get"], "400", &refused, "a refusal");
    let answers = [
        ("/dead/replay", "/dead/replay", json!({"all": true}), "200"),
        ("/calls/{id}/replay", "/calls/1000000002/replay", json!({}), "200"),
        ("/api/calls", "/api/calls", json!({"call_sid": "CA1"}), "201"),
        ("/api/calls", "/api/calls", json!({}), "422"),
        ("/api/chats/poll-recordings", "/api/chats/poll-recordings", json!({}), "200"),
        ("/elevenlabs/conversation/{id}/process", "/elevenlabs/conversation/conv_1/process", json!({}), "502"),
    ];
    for (path, question, body, status) in answers {
        let answer = desk.post(question, body).await;
        assert_eq!(answer.status().as_str(), status, "{question}");
        let answer = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        schemas.check(&document["paths"][path]["post"], status, &answer, question);
    }
}

//! Twilio: who may ask, recordings of live calls, media and its errors, pages.

use reqwest::{Method, Response};
use sandbox::{CallMode, PlaceCall, TWILIO_ACCOUNT, Vendor::Twilio, samples};
use serde_json::json;

use crate::{World, json};

fn path(resource: &str) -> String {
    format!("/2010-04-01/Accounts/{TWILIO_ACCOUNT}/{resource}")
}

async fn create(world: &World, call: &str) -> Response {
    let form = [("RecordingChannels", "dual"), ("RecordingStatusCallback", "http://127.0.0.1:9/x#rc=3")];
    let request = world.ask(Twilio, Method::POST, &path(&format!("Calls/{call}/Recordings.json")));
    request.form(&form).send().await.unwrap()
}

fn silent(sample: &str, mode: CallMode) -> PlaceCall {
    PlaceCall::new("http://127.0.0.1:9", "token", sample).provider("twilio").mode(mode)
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let world = World::new().await;
    let url = format!("{}{}", world.sandbox.base_urls().twilio, path("Recordings.json"));
    let refused = world.client.get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(json(refused).await["code"], 20003);
    assert_eq!(world.get(Twilio, &path("Recordings.json")).await.status(), 200);
}

#[tokio::test]
async fn only_a_call_in_progress_can_be_recorded() {
    let world = World::new().await;
    let call = world.sandbox.dial("sales").unwrap();
    let refused = create(&world, &call).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["code"], 21220);
    world.sandbox.answer(&call).unwrap();
    let begun = create(&world, &call).await;
    assert_eq!(begun.status(), 201);
    let begun = json(begun).await;
    assert_eq!(
        (&begun["status"], &begun["channels"], &begun["duration"]),
        (&json!("in-progress"), &json!(2), &json!(null))
    );
    let answers = world.sandbox.hang_up(&call, "token").await.unwrap();
    assert_eq!(answers.len(), 1, "the callback is tried");
    let list = json(world.get(Twilio, &path(&format!("Calls/{call}/Recordings.json"))).await).await;
    assert_eq!(list["recordings"][0]["status"], "completed");
    assert_eq!(json(create(&world, &call).await).await["code"], 21220);
    assert_eq!(create(&world, "CA0").await.status(), 404);
}

#[tokio::test]
async fn media_is_told_of_in_xml_until_it_is_there_and_has_two_channels_only_where_two_were_kept() {
    let world = World::new().await;
    let mut order = silent("billing", CallMode::ApiFallback);
    (order.mono, order.not_ready_times) = (true, 1);
    world.sandbox.place_call(order).await.unwrap();
    let sid = world.sandbox.state().twilio.recordings[0].sid.clone();
    let missing = world.get(Twilio, &path(&format!("Recordings/{sid}.wav"))).await;
    assert_eq!(
        (missing.status().as_u16(), &missing.headers()["content-type"]),
        (404, &"application/xml".parse().unwrap())
    );
    assert!(missing.text().await.unwrap().contains("<Code>20404</Code>"));
    let dual = world.get(Twilio, &path(&format!("Recordings/{sid}.wav?RequestedChannels=2"))).await;
    assert_eq!(dual.status(), 400);
    assert!(dual.text().await.unwrap().contains("<Code>16113</Code>"));
    let audio = world.get(Twilio, &path(&format!("Recordings/{sid}"))).await.bytes().await.unwrap();
    assert_eq!(audio, samples::named("billing").unwrap().mono_wav());
    let delete = world.ask(Twilio, Method::DELETE, &path(&format!("Recordings/{sid}.json")));
    assert_eq!(delete.send().await.unwrap().status(), 204);
    assert_eq!(world.get(Twilio, &path(&format!("Recordings/{sid}.json"))).await.status(), 404);
    let kept = world.get(Twilio, &path(&format!("Recordings/{sid}.json?IncludeSoftDeleted=true"))).await;
    assert_eq!(json(kept).await["status"], "deleted");
}

#[tokio::test]
async fn lists_come_in_pages_that_name_the_next() {
    let world = World::new().await;
    for _ in 0..3 {
        world.sandbox.place_call(silent("sales", CallMode::ApiFallback)).await.unwrap();
    }
    world.sandbox.place_call(silent("sales", CallMode::Missed)).await.unwrap();
    let first = json(world.get(Twilio, &path("Recordings.json?PageSize=2&DateCreated%3E=2020-01-01")).await).await;
    assert_eq!(first["recordings"].as_array().unwrap().len(), 2);
    let second = json(world.get(Twilio, first["next_page_uri"].as_str().unwrap()).await).await;
    assert_eq!((second["recordings"].as_array().unwrap().len(), &second["next_page_uri"]), (1, &json!(null)));
    let calls = json(world.get(Twilio, &path("Calls.json")).await).await;
    assert_eq!(calls["calls"][0]["status"], "no-answer");
    let none = world.get(Twilio, &path("Recordings.json?DateCreated%3E=2126-01-01T00:00:00Z")).await;
    assert_eq!(json(none).await["recordings"], json!([]));
}

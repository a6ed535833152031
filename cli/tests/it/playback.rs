//! The recording, as whoever runs one process without any address of its own hears it.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{CallMode, PlaceCall, Sandbox};
use serde_json::Value;
use shared::{budgets::Budgets, clock::Clock, http::Outside, testing::eventually};

use crate::{
    program::{Running, tapedeck},
    up::{SECRET, address, settings},
};

#[tokio::test]
async fn a_recording_can_be_played_on_this_machine_without_a_public_address_and_no_sink_is_told_where() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let vendors = sandbox.base_urls();
    let settings =
        settings(&vendors, &[("TARGET_URL", vendors.target.as_str()), ("TARGET_SECRET", sandbox::TARGET_SECRET)]);
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let base = format!("http://{}", address(&mut up, "taking webhooks").await);
    let console = format!("http://{}", address(&mut up, "answering questions").await);
    sandbox.place_call(PlaceCall::new(&base, SECRET, "billing").mode(CallMode::EndedWithUrl)).await.unwrap();

    let http = Outside::new(Budgets::unlimited(), Clock::system()).unwrap().http;
    let ask = async |url: &str| http.get(url).send().await.unwrap();
    let mut call = Value::Null;
    eventually("the recording is stored", async || {
        let page: Value = serde_json::from_str(&ask(&format!("{console}/calls")).await.text().await.unwrap()).unwrap();
        call = page["calls"][0].clone();
        call["recorded"] == true
    })
    .await;
    let link = call["recording_url"].as_str().unwrap();
    assert!(link.starts_with(&format!("{base}/api/recordings/cloudtalk/")), "{link}");
    let audio = ask(link).await;
    assert_eq!((audio.status().as_u16(), audio.headers()["content-type"].to_str().unwrap()), (200, "audio/wav"));

    eventually("the sink knows that it is over", async || {
        sandbox.state().target.messages.iter().any(|message| message.payload["type"] == "call.analyzed")
    })
    .await;
    for message in sandbox.state().target.messages {
        assert!(message.payload["data"]["recording"]["url"].is_null(), "{}", message.payload);
    }
    assert!(up.end("-TERM").await);
}

#[tokio::test]
async fn a_link_of_another_host_is_not_opened_and_the_log_says_which_setting_would() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let vendors = sandbox.base_urls();
    let settings = settings(&vendors, &[("CLOUDTALK_API_KEY", "id:secret")]);
    let mut up = Running::start(tapedeck(&["up"], directory.path(), &settings));
    let base = format!("http://{}", address(&mut up, "taking webhooks").await);
    // Its own webhooks reach nobody.
    let order = PlaceCall::new("http://127.0.0.1:9", SECRET, "billing").mode(CallMode::ApiFallback);
    let id = sandbox.place_call(order).await.unwrap().call_id;
    let body = format!(
        r#"{{"call_id": {id}, "call_status": "answered", "talking_time": 30, "external_number": "+393501234567",
            "recording_url": "https://media.example.test/{id}.wav?key=hunter2"}}"#
    );
    let http = Outside::new(Budgets::unlimited(), Clock::system()).unwrap().http;
    let webhook = http.post(format!("{base}/api/cloudtalk-webhooks/call-ended")).bearer_auth(SECRET).body(body);
    assert_eq!(webhook.send().await.unwrap().status(), 200);
    let warned = up.line("CLOUDTALK_RECORDING_HOSTS").await;
    assert!(
        warned.contains("WARN") && !warned.contains("media.example.test") && !warned.contains("hunter2"),
        "{warned}"
    );
    eventually("the API was asked", async || {
        sandbox.state().cloudtalk.recordings.iter().any(|recording| recording.served == 1)
    })
    .await;
    assert!(up.end("-TERM").await);
}

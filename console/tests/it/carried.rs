//! A call that is started here, held by an agent and carried by Twilio: one call, with the carrier's recording.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use sandbox::{BaseUrls, Sandbox, TWILIO_ACCOUNT, Vendor, samples};
use serde_json::json;
use shared::{
    db::{calls, recordings, transcripts},
    domain::{Conclusion, ProviderId, Speaker},
    testing::{Shape, eventually},
};
use tokio_util::sync::CancellationToken;
use workers::pipeline::Pool;

use crate::desk::{Desk, TOKEN};

fn settings(vendors: &BaseUrls) -> [(&'static str, &str); 17] {
    [
        ("API_TOKEN", TOKEN),
        ("ELEVENLABS_WEBHOOK_SECRET", "secret"),
        ("ELEVENLABS_API_KEY", "key"),
        ("ELEVENLABS_BASE_URL", &vendors.elevenlabs),
        ("ELEVENLABS_AGENT_ID", "agent_1"),
        ("ELEVENLABS_AGENT_PHONE_NUMBER_ID", "phnum_1"),
        ("TWILIO_ACCOUNT_SID", TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_BASE_URL", &vendors.twilio),
        ("CHANNELS_TWILIO", "caller,agent"),
        ("OPENAI_BASE_URL", &vendors.openai),
        ("OPENAI_API_KEY", "key"),
        ("CALLMIND_BASE_URL", &vendors.callmind),
        ("CALLMIND_TOKEN", "token"),
        ("CALLMIND_AGENT_ID", "agent_1"),
        ("CALLMIND_MODE", "two-step"),
        ("RETRY_SCALE", "0.02"),
    ]
}

async fn started_here(shape: Shape) {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let desk = Desk::with(shape, &settings(&sandbox.base_urls())).await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(workers::run(desk.app.clone(), Pool::all(), stop.clone()));
    let answer = desk.post("/api/calls", json!({"to_number": "+393331230088", "chat_id": "lead-77"})).await;
    assert_eq!(answer.status(), 201);
    let started: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let conversation = started["conversation_id"].as_str().unwrap();
    sandbox.end_conversation(conversation, "", "").await.unwrap();
    desk.post(&format!("/elevenlabs/conversation/{conversation}/process"), json!({})).await;
    let db = &desk.app.db;
    let find = async || calls::find_by_key(db, &ProviderId::new("twilio"), started["call_sid"].as_str().unwrap()).await;
    let agents = async || calls::find_by_key(db, &ProviderId::new("elevenlabs"), "lead-77").await.unwrap().unwrap();
    eventually("the call is analyzed", async || agents().await.conclusion == Some(Conclusion::Analyzed)).await;
    let call = agents().await;
    let recording = recordings::find(db, call.id).await.unwrap().unwrap();
    let sample = samples::all().first().unwrap();
    assert_eq!(
        (recording.channels, recording.size_bytes),
        (2, sample.wav.len() as i64),
        "the carrier's, of both sides"
    );
    let transcript = transcripts::find(db, call.id).await.unwrap().unwrap();
    for speaker in [Speaker::Agent, Speaker::Caller] {
        assert!(transcript.turns.iter().any(|turn| turn.speaker == speaker), "{speaker:?} is not heard");
    }
    desk.post("/api/chats/poll-recordings", json!({})).await;
    eventually("the record is complete", async || {
        let records = sandbox.state().callmind.records;
        records.len() == 1 && records[0].fields["status"] == "completed" && records[0].fields.contains_key("summary")
    })
    .await;
    assert!(find().await.unwrap().is_none_or(|known| known.id == call.id), "it is no second call");
    assert_eq!(sandbox.asked(Vendor::Elevenlabs, "/audio").len(), 0, "the mixed recording is not needed");
    stop.cancel();
    working.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_started_here_has_its_carriers_recording() {
    for shape in [Shape::Embedded, Shape::Production] {
        started_here(shape).await;
    }
}

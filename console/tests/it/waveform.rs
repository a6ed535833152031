//! What a player draws.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use shared::{
    audio::Waveform,
    db::settle::End,
    domain::{CallStatus, Step},
    testing::Shape,
};

use crate::desk::{Desk, facts, recording};

#[tokio::test]
async fn a_recording_that_was_heard_has_a_waveform() {
    let desk = Desk::start(Shape::Embedded).await;
    let call = desk.call(1, facts(CallStatus::Completed, "+393500000001")).await;
    assert_eq!(desk.get("/calls/1000000001/waveform").await.status(), 404);
    desk.tried(call, Step::Fetch, End::Done { skipped: None }, vec![recording(call, &desk.app)]).await;
    assert_eq!(desk.get("/calls/1000000001/waveform").await.status(), 404);
    let waveform =
        Waveform { duration_seconds: 60.0, seconds_per_point: 0.04, channels: vec![vec![0, 9], vec![255, 3]] };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_vec(&waveform).unwrap()).unwrap();
    let key = Waveform::key(&format!("recordings/cloudtalk/{call}.wav"));
    desk.app.recordings.put(&key, file.path(), "application/json").await.unwrap();
    let shown = desk.ask("/calls/1000000001/waveform").await;
    assert_eq!(shown, serde_json::to_value(&waveform).unwrap());
}

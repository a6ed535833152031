//! CloudTalk's recordings: when they can be had, whole and in part, and the call list.

use sandbox::{Rate, RecordingFile, Vendor::Cloudtalk, samples};
use serde_json::json;

use crate::{World, json};

#[tokio::test]
async fn a_recording_is_audio_once_it_is_there() {
    let world = World::new().await;
    let wav = samples::named("billing").unwrap().wav.clone();
    let unknown = world.get(Cloudtalk, "/calls/recording/5.json").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(json(unknown).await, json!({"responseData": {"status": 404, "message": "Not found."}}));
    world.sandbox.add_recording(5, RecordingFile::Bytes(wav.clone()).not_ready(2));
    for _ in 0..2 {
        assert_eq!(world.get(Cloudtalk, "/calls/recording/5.json").await.status(), 404);
    }
    let there = world.get(Cloudtalk, "/calls/recording/5.json").await;
    assert_eq!(there.headers()["content-type"], "application/octet-stream");
    assert_eq!(there.bytes().await.unwrap(), wav);
}

#[tokio::test]
async fn an_expired_recording_is_gone_and_credentials_are_asked_for() {
    let world = World::new().await;
    let url = world.sandbox.add_recording(5, RecordingFile::Generated { bytes: 1000 }.gone());
    let gone = world.get(Cloudtalk, "/calls/recording/5.json").await;
    assert_eq!(gone.status(), 410);
    assert_eq!(json(gone).await["responseData"]["message"], "Recording expired.");
    assert_eq!(world.client.get(url).send().await.unwrap().status(), 410);
    let unsigned = format!("{}/calls/recording/5.json", world.sandbox.base_urls().cloudtalk);
    assert_eq!(world.client.get(&unsigned).send().await.unwrap().status(), 401);
    assert_eq!(world.client.get(&unsigned).basic_auth("id", Some("")).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_public_link_needs_no_credentials_but_the_right_secret() {
    let world = World::new().await;
    let url = world.sandbox.add_recording(1_000_000_001, RecordingFile::Generated { bytes: 1000 });
    assert!(url.starts_with(&format!("{}/cloudtalk/pub/r/MTAwMDAwMDAwMQ%3D%3D/", world.sandbox.url())), "{url}");
    assert_eq!(world.client.get(&url).send().await.unwrap().bytes().await.unwrap().len(), 1000);
    let other = world.sandbox.add_recording(2, RecordingFile::Generated { bytes: 1000 });
    let mixed = format!("{}/{}", url.rsplit_once('/').unwrap().0, other.rsplit_once('/').unwrap().1);
    assert_eq!(world.client.get(mixed).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_generated_recording_of_any_size_is_a_valid_wav_and_can_be_resumed() {
    let world = World::new().await;
    for size in [46, 1001, 150_000] {
        let url = world.sandbox.add_recording(size, RecordingFile::Generated { bytes: size });
        let whole = world.client.get(&url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(whole.len() as u64, size);
        let mut reader = hound::WavReader::new(&whole[..]).unwrap();
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).count() as u64, (size - 44) / 2);
        for from in [1_usize, 44, 45] {
            let rest = world.client.get(&url).header("range", format!("bytes={from}-")).send().await.unwrap();
            assert_eq!(rest.status(), 206);
            let announced = format!("bytes {from}-{}/{size}", size - 1);
            assert_eq!(rest.headers()["content-range"], *announced);
            assert_eq!(rest.bytes().await.unwrap(), whole.slice(from..));
        }
    }
    let url = world.sandbox.add_recording(1, RecordingFile::Generated { bytes: 46 });
    assert_eq!(world.client.get(url).header("range", "bytes=46-").send().await.unwrap().status(), 416);
}

#[tokio::test]
async fn a_file_is_served_whole_and_in_part() {
    let world = World::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"RIFF and more").unwrap();
    let url = world.sandbox.add_recording(1, RecordingFile::Path(file.path().to_owned()));
    assert_eq!(world.client.get(&url).send().await.unwrap().text().await.unwrap(), "RIFF and more");
    let part = world.client.get(&url).header("range", "bytes=5-7").send().await.unwrap();
    assert_eq!(part.text().await.unwrap(), "and");
}

#[tokio::test]
async fn recordings_can_be_ordered_over_http() {
    let world = World::new().await;
    let control = format!("{}/control/recordings", world.sandbox.url());
    let order = |body| world.client.post(&control).json(&body).send();
    let added = json(order(json!({"call_id": 9, "sample": "sales", "mono": true})).await.unwrap()).await;
    let audio = world.client.get(added["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(hound::WavReader::new(&audio[..]).unwrap().spec().channels, 1);
    assert_eq!(order(json!({"bytes": 5000, "not_ready_times": 1})).await.unwrap().status(), 201);
    assert_eq!(order(json!({"sample": "unheard of"})).await.unwrap().status(), 422);
    assert_eq!(order(json!({"bytes": 3})).await.unwrap().status(), 422);
}

#[tokio::test]
async fn the_quota_of_a_minute_is_enforced_when_told() {
    let world = World::new().await;
    assert_eq!(world.get(Cloudtalk, "/calls/index.json").await.headers()["x-cloudtalkapi-limit"], "60");
    world.sandbox.switch(|switches| switches.cloudtalk = Some(Rate { max: 1, window_ms: 60_000 }));
    assert_eq!(world.get(Cloudtalk, "/calls/index.json").await.status(), 200);
    let refused = world.get(Cloudtalk, "/calls/index.json").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-cloudtalkapi-remaining"]),
        (429, &"0".parse().unwrap())
    );
    let resets: i64 = refused.headers()["x-cloudtalkapi-resettime"].to_str().unwrap().parse().unwrap();
    assert!((0..=61).contains(&(resets - chrono::Utc::now().timestamp())), "{resets}");
    let control = format!("{}/control/limits", world.sandbox.url());
    world.client.post(control).json(&json!({"cloudtalk": "off"})).send().await.unwrap();
    assert_eq!(world.get(Cloudtalk, "/calls/index.json").await.status(), 200);
}

#[tokio::test]
async fn what_is_not_routed_gets_the_frameworks_own_error() {
    let world = World::new().await;
    let answer = world.get(Cloudtalk, "/calls/show/1.json").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(
        json(answer).await,
        json!({"name": "Not Found", "message": "Not Found", "url": "/api/calls/show/1.json"})
    );
}

//! The lasting link: who may follow it, and what players get.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use reqwest::{Method, RequestBuilder};
use shared::{
    db::{self, Db},
    domain::{Call, CallId, ProviderId},
    testing::Shape,
};

use crate::edge::{Edge, problem};

const AUDIO: &[u8] = b"RIFF0123456789";

/// A call with the provider's id; with a recording, if `audio`.
async fn call(edge: &Edge, id: &str, audio: Option<&[u8]>) -> Call {
    let call = CallId::new();
    let facts = serde_json::json!({"provider_call_id": id});
    let key = format!("recordings/cloudtalk/{call}.wav");
    let now = edge.app.clock.now();
    let calls = "insert into calls (id, provider, account, facts, created_at, updated_at)
        values ($1, 'cloudtalk', 'default', $2, $3, $3)";
    let keys = "insert into call_keys (provider, value, kind, account, call_id)
        values ('cloudtalk', $1, 'id', 'default', $2)";
    let recordings = "insert into recordings (call_id, object_key, size_bytes, sha256, duration_seconds, channels,
        sample_rate, format, stored_at) values ($1, $2, $3, 'x', 1.0, 1, 8000, 'wav', $4)";
    macro_rules! insert {
        ($pool:expr) => {{
            sqlx::query(calls).bind(call.0).bind(&facts).bind(now).execute($pool).await.unwrap();
            sqlx::query(keys).bind(id).bind(call.0).execute($pool).await.unwrap();
            if let Some(audio) = audio {
                let recording = sqlx::query(recordings).bind(call.0).bind(&key).bind(audio.len() as i64).bind(now);
                recording.execute($pool).await.unwrap();
            }
        }};
    }
    match &edge.app.db {
        Db::Postgres(pool) => insert!(pool),
        Db::Sqlite(pool) => insert!(pool),
    }
    if let Some(audio) = audio {
        let file = edge.scratch.path().join("audio.wav");
        std::fs::write(&file, audio).unwrap();
        edge.app.recordings.put(&key, &file, "audio/wav").await.unwrap();
    }
    db::calls::find(&edge.app.db, call).await.unwrap().unwrap()
}

fn follow(edge: &Edge, call: &Call, method: Method) -> RequestBuilder {
    edge.app.outside.http.request(method, edge.app.links.link(call).unwrap())
}

#[tokio::test]
async fn a_player_gets_the_whole_or_the_part_that_it_asks_for() {
    let edge = Edge::start(Shape::Embedded).await;
    let call = call(&edge, "1000000001", Some(AUDIO)).await;
    let whole = follow(&edge, &call, Method::GET).send().await.unwrap();
    assert_eq!(whole.status(), 200);
    for (header, value) in [
        ("content-type", "audio/wav"),
        ("content-length", "14"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-store"),
        ("content-disposition", "inline; filename=\"cloudtalk-1000000001.wav\""),
    ] {
        assert_eq!(whole.headers()[header], value, "{header}");
    }
    assert_eq!(whole.bytes().await.unwrap(), AUDIO);

    let behind = follow(&edge, &call, Method::GET).header("range", "bytes=14-").send().await.unwrap();
    assert_eq!(behind.status(), 416);
    assert_eq!(behind.headers()["content-range"], "bytes */14");

    // Ranges are for GET alone.
    let head = follow(&edge, &call, Method::HEAD).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!(head.status(), 200);
    for (header, value) in [("content-length", "14"), ("accept-ranges", "bytes"), ("content-type", "audio/wav")] {
        assert_eq!(head.headers()[header], value, "{header}");
    }
    assert_eq!(head.bytes().await.unwrap(), "");
}

/// A note may have been written before anybody knew the call's id, so that its link names it otherwise.
#[tokio::test]
async fn a_recording_plays_under_every_name_of_its_call() {
    let edge = Edge::start(Shape::Embedded).await;
    let call = call(&edge, "1000000001", Some(AUDIO)).await;
    let uuid = "44fe0000-0000-4000-8000-000000000001";
    let key = "insert into call_keys (provider, value, kind, account, call_id)
        values ('cloudtalk', $1, 'uuid', 'default', $2)";
    match &edge.app.db {
        Db::Postgres(pool) => drop(sqlx::query(key).bind(uuid).bind(call.id.0).execute(pool).await.unwrap()),
        Db::Sqlite(pool) => drop(sqlx::query(key).bind(uuid).bind(call.id.0).execute(pool).await.unwrap()),
    }
    for name in ["1000000001", uuid, call.id.to_string().as_str()] {
        let mut named = call.clone();
        named.facts.provider_call_id = Some(name.to_owned());
        let part = follow(&edge, &named, Method::GET).header("range", "bytes=-4").send().await.unwrap();
        assert_eq!(part.url().path(), format!("/api/recordings/cloudtalk/{name}"));
        assert_eq!(
            (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
            (206, "bytes 10-13/14")
        );
        assert_eq!(part.bytes().await.unwrap(), "6789");
    }
}

#[tokio::test]
async fn a_link_holds_any_id_that_a_provider_makes_up() {
    let edge = Edge::start(Shape::Embedded).await;
    for id in ["a/b", "a b#c?d=e&f", "50%2F", "..%2e", "вызов 7", "back\\slash"] {
        let call = call(&edge, id, Some(AUDIO)).await;
        let answer = follow(&edge, &call, Method::GET).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.url());
        assert_eq!(answer.bytes().await.unwrap(), AUDIO);
    }
}

#[tokio::test]
async fn a_player_that_seeks_gets_exactly_the_bytes_it_asks_for() {
    let edge = Edge::start(Shape::Embedded).await;
    let call = call(&edge, "1000000001", Some(AUDIO)).await;
    let tag = follow(&edge, &call, Method::HEAD).send().await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    let part = |range: &'static str| (range, None, 206);
    let cases = [
        (part("bytes=4-7"), "bytes 4-7/14", "0123"),
        (part("bytes=0-"), "bytes 0-13/14", "RIFF0123456789"),
        (part("bytes=12-99"), "bytes 12-13/14", "89"),
        (part("bytes=-3"), "bytes 11-13/14", "789"),
        (("bytes=4-7", Some(tag.as_str()), 206), "bytes 4-7/14", "0123"),
        (("bytes=4-7", Some("\"another recording\""), 200), "", "RIFF0123456789"),
        (("bytes=4-7", Some("Fri, 20 Nov 2026 09:00:00 GMT"), 200), "", "RIFF0123456789"),
        (("bytes=0-1,5-6", None, 200), "", "RIFF0123456789"),
        (("seconds=1-2", None, 200), "", "RIFF0123456789"),
    ];
    for ((range, condition, status), content_range, expected) in cases {
        let mut request = follow(&edge, &call, Method::GET).header("range", range);
        if let Some(condition) = condition {
            request = request.header("if-range", condition);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{range} {condition:?}");
        let said = answer.headers().get("content-range").map_or("", |value| value.to_str().unwrap());
        assert_eq!(said, content_range, "{range}");
        assert_eq!(answer.headers()["etag"], tag.as_str());
        assert_eq!(answer.headers()["content-length"], expected.len().to_string(), "{range}");
        assert_eq!(answer.bytes().await.unwrap(), expected, "{range} {condition:?}");
    }
}

#[tokio::test]
async fn with_an_object_store_a_player_is_sent_there_for_a_short_time() {
    let edge = Edge::start(Shape::Production).await;
    let call = call(&edge, "1000000001", Some(AUDIO)).await;
    let answer = follow(&edge, &call, Method::GET).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let presigned = answer.headers()["location"].to_str().unwrap();
    assert!(presigned.contains("X-Amz-Expires=3600"), "{presigned}");
    let audio = edge.app.outside.http.get(presigned).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!(audio.status(), 206);
    assert_eq!(audio.bytes().await.unwrap(), "0123");
    let head = follow(&edge, &call, Method::HEAD).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "14"));
}

#[tokio::test]
async fn a_link_that_we_did_not_make_opens_nothing() {
    let edge = Edge::start(Shape::Embedded).await;
    let mine = call(&edge, "1000000001", Some(AUDIO)).await;
    let other = call(&edge, "1000000002", Some(AUDIO)).await;
    let signature = edge.app.links.link(&other).unwrap().split_once("?s=").unwrap().1.to_owned();
    let path = "/api/recordings/cloudtalk/1000000001";
    for query in [String::new(), "?s=".into(), "?s=guess".into(), format!("?s={signature}")] {
        assert_eq!(problem(edge.get(&format!("{path}{query}")).await).await.0, 403, "{query}");
    }
    let good = edge.app.links.link(&mine).unwrap().split_once("?s=").unwrap().1.to_owned();
    let unreadable = [
        format!("{path}?s={good}&s=guess"),
        format!("{path}?s=guess&s={good}"),
        format!("/api/recordings/cloudtalk/%ff%fe?s={good}"),
        format!("/api/recordings/cloudtalk/..%2f..%2fetc%2fpasswd?s={good}"),
    ];
    for path in unreadable {
        assert_eq!(problem(edge.get(&path).await).await.0, 403, "{path}");
    }
    assert_eq!(follow(&edge, &mine, Method::GET).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_link_says_whether_its_recording_may_still_come() {
    let edge = Edge::start(Shape::Embedded).await;
    let stored_later = call(&edge, "1000000001", None).await;
    let (status, body) = problem(follow(&edge, &stored_later, Method::GET).send().await.unwrap()).await;
    assert_eq!(status, 404);
    assert_eq!(body["detail"], "the recording is not here yet; try again later");
    let over = "update calls set conclusion = 'not-recorded'";
    match &edge.app.db {
        Db::Postgres(pool) => drop(sqlx::query(over).execute(pool).await.unwrap()),
        Db::Sqlite(pool) => drop(sqlx::query(over).execute(pool).await.unwrap()),
    }
    let (status, body) = problem(follow(&edge, &stored_later, Method::GET).send().await.unwrap()).await;
    assert_eq!((status, body["detail"].as_str().unwrap()), (410, "there is no recording: the call was not recorded"));
    let mut unknown = stored_later.clone();
    unknown.provider = ProviderId::new("cloudtalk");
    unknown.facts.provider_call_id = Some("1000000009".into());
    let (status, body) = problem(follow(&edge, &unknown, Method::GET).send().await.unwrap()).await;
    assert_eq!((status, body["detail"].as_str().unwrap()), (404, "there is no such call"));
}

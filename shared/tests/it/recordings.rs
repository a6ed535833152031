//! Both object stores, and what is particular to each.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use axum::http::StatusCode;
use shared::{
    env::Env,
    recordings::{self, Recordings, StoreError, conformance, directory::Directory, s3::S3, testing::S3Server},
    testing::eventually,
};

use crate::server::Server;

async fn put(store: &dyn Recordings, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    store.put(key, file.path(), "audio/wav").await
}

fn files(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.file_name().unwrap().to_str().unwrap().to_owned()),
        }
    }
    found
}

#[tokio::test]
async fn a_directory_conforms() {
    let home = tempfile::tempdir().unwrap();
    conformance::run(&Directory::open(home.path().join("data")).unwrap()).await;
}

#[tokio::test]
async fn s3_conforms() {
    let server = S3Server::start().await.unwrap();
    conformance::run(&server.store().await.unwrap()).await;
}

#[tokio::test]
async fn the_settings_choose_the_store() {
    let home = tempfile::tempdir().unwrap();
    let embedded = Env::from_pairs([("TAPEDECK_DATA", home.path().to_str().unwrap())]);
    put(&*recordings::from_env(&embedded).await.unwrap(), "recordings/a.wav", b"RIFF").await.unwrap();
    assert_eq!(std::fs::read(home.path().join("recordings/a.wav")).unwrap(), b"RIFF");

    let server = S3Server::start().await.unwrap();
    put(&*recordings::from_env(&server.env()).await.unwrap(), "recordings/a.wav", b"RIFF").await.unwrap();
    assert!(files(server.directory()).contains(&"a.wav".to_owned()));
}

#[tokio::test]
async fn a_directory_holds_nothing_but_whole_objects() {
    let home = tempfile::tempdir().unwrap();
    let store = Directory::open(home.path()).unwrap();
    put(&store, "recordings/a.wav", b"RIFF").await.unwrap();
    assert!(store.put("recordings/b.wav", std::path::Path::new("/no/such/file"), "audio/wav").await.is_err());
    assert_eq!(files(home.path()), ["a.wav"]);
}

#[tokio::test]
async fn a_presigned_url_opens_the_recording_without_credentials_also_for_a_player_that_seeks() {
    let server = S3Server::start().await.unwrap();
    let store = server.store().await.unwrap();
    put(&store, "recordings/a.wav", b"0123456789").await.unwrap();
    let url = store.presign("recordings/a.wav", Duration::from_secs(60)).await.unwrap().unwrap();
    let http = crate::server::client();
    let whole = http.get(&url).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "audio/wav");
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");
    let part = http.get(&url).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap()), (206, "234".into()));
    let other = url.replace("a.wav", "b.wav");
    assert_eq!(http.get(other).send().await.unwrap().status(), 403);
}

/// A store whose server always answers with this status and code.
async fn answering(status: StatusCode, code: &'static str) -> (Server, S3) {
    let answer = async move || (status, format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>"));
    let server = Server::start(axum::Router::new().fallback(answer)).await;
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let env = Env::from_pairs(keys).with([("AWS_ENDPOINT_URL_S3", server.url(""))]);
    let store = S3::from_env(&env, "tapes").await.unwrap();
    (server, store)
}

#[tokio::test]
async fn what_a_person_must_mend_is_told_from_what_time_mends() {
    let server = S3Server::start().await.unwrap();
    let with = |name: &'static str, value: &'static str| server.env().with([(name, value)]);
    let wrong = S3::from_env(&with("AWS_SECRET_ACCESS_KEY", "wrong"), "tapes").await.unwrap();
    assert!(matches!(wrong.check().await, Err(StoreError::Refused(_))));
    let away = S3::from_env(&with("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"), "tapes").await.unwrap();
    assert!(matches!(away.check().await, Err(StoreError::Unreachable(_))));

    let (_server, no_bucket) = answering(StatusCode::NOT_FOUND, "NoSuchBucket").await;
    let error = no_bucket.get("a", None).await.map(drop).unwrap_err();
    assert!(matches!(&error, StoreError::Refused(what) if what.contains("NoSuchBucket")), "{error}");
    let (_server, no_object) = answering(StatusCode::NOT_FOUND, "NoSuchKey").await;
    assert!(matches!(no_object.get("a", None).await.map(drop), Err(StoreError::NotFound(_))));
    let (_server, overloaded) = answering(StatusCode::SERVICE_UNAVAILABLE, "SlowDown").await;
    assert!(matches!(put(&overloaded, "a", b"a").await, Err(StoreError::Unreachable(_))));
}

#[tokio::test]
async fn an_upload_in_parts_that_fails_leaves_no_parts_behind() {
    let server = S3Server::start().await.unwrap();
    let store = server.store().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(40 << 20).unwrap();
    // A directory where the object should be: the parts go up, the completion fails.
    let blocked = server.directory().join("tapes/recordings/a.wav");
    std::fs::create_dir_all(blocked.join("x")).unwrap();
    assert!(store.put("recordings/a.wav", file.path(), "audio/wav").await.is_err());
    let left: Vec<_> = files(server.directory()).into_iter().filter(|name| name.contains("upload")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_upload_that_is_cut_off_is_cleaned_up() {
    let server = S3Server::start().await.unwrap();
    let store = std::sync::Arc::new(server.store().await.unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(200 << 20).unwrap();
    let path = file.path().to_owned();
    let upload = tokio::spawn(async move { store.put("recordings/a.wav", &path, "audio/wav").await });
    let parts = || files(server.directory()).iter().any(|name| name.contains("upload"));
    eventually("an upload began", async || parts()).await;
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    eventually("its parts are gone", async || !parts()).await;
}

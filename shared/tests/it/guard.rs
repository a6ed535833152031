//! URLs from outside are hostile.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::io;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::get,
};
use futures::{StreamExt, TryStreamExt};
use shared::{
    clock::Clock,
    env::Env,
    http::guard::{Allowlist, Guard, GuardError},
};

use crate::server::Server;

const LIMIT: u64 = 100_000;

fn guard(hosts: &[String]) -> Guard {
    let env = Env::from_pairs([("HOSTS", hosts.join(","))]);
    let allowed = Allowlist::hosts(&["localhost"]).and_from(&env, "HOSTS").unwrap();
    Guard::new("vendor", allowed, LIMIT, Clock::system()).unwrap()
}

fn host(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

fn credentials() -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, "Basic c2VjcmV0".parse().unwrap())])
}

async fn fetch(guard: &Guard, url: &str) -> Result<Vec<u8>, GuardError> {
    let download = guard.get(url, credentials()).await?;
    let chunks: Vec<_> = download.stream.try_collect().await.unwrap();
    Ok(chunks.concat())
}

fn to(place: impl Into<String>) -> Router {
    let place: String = place.into();
    Router::new().route("/a", get(async move || Redirect::temporary(&place)))
}

#[tokio::test]
async fn fetches_from_a_host_and_port_that_the_settings_name() {
    let audio = get(async || ([(header::CONTENT_TYPE, "audio/wav")], "RIFF"));
    let server = Server::start(Router::new().route("/a", audio)).await;
    let download = guard(&[host(&server)]).get(&server.url("/a"), credentials()).await.unwrap();
    assert_eq!(download.length, Some(4));
    assert_eq!(download.content_type.as_deref(), Some("audio/wav"));
    assert_eq!(download.stream.try_collect::<Vec<_>>().await.unwrap().concat(), b"RIFF");
    assert_eq!(server.asked()[0].headers[header::AUTHORIZATION], "Basic c2VjcmV0");
}

#[tokio::test]
async fn asks_no_host_that_is_on_no_list() {
    let server = Server::start(Router::new()).await;
    let guard = guard(&[]);
    for url in [server.url("/a"), "https://example.test/a".into(), "https://169.254.169.254/latest".into()] {
        assert!(matches!(fetch(&guard, &url).await, Err(GuardError::NotAllowed { .. })), "{url}");
    }
    for url in ["file:///etc/passwd", "ftp://localhost/a", "https://user:pass@localhost/", "localhost", ""] {
        assert!(matches!(fetch(&guard, url).await, Err(GuardError::NotAUrl)), "{url}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_listed_name_that_resolves_to_a_private_address_is_not_asked() {
    let error = fetch(&guard(&[]), "https://localhost/secret-path").await.unwrap_err();
    assert!(matches!(error, GuardError::NotPublic { .. }), "{error}");
    assert_eq!(error.to_string(), "host localhost is not public");
}

#[tokio::test]
async fn a_redirect_into_the_network_is_not_followed() {
    let inside = Server::start(Router::new().route("/a", get(async || "metadata"))).await;
    let places = [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::ffff:10.0.0.1]/".to_owned(),
        "https://0x7f000001/".to_owned(),
        "https://localhost:8443/".to_owned(),
        inside.url("/a"),
    ];
    for place in places {
        let server = Server::start(to(&place)).await;
        let error = fetch(&guard(&[host(&server)]), &server.url("/a")).await.unwrap_err();
        assert!(matches!(error, GuardError::NotPublic { .. }), "{place}: {error}");
    }
    assert!(inside.asked().is_empty());
}

#[tokio::test]
async fn credentials_stay_behind_when_a_redirect_changes_the_host() {
    let storage = Server::start(Router::new().route("/b", get(async || "RIFF"))).await;
    let server = Server::start(to(storage.url("/b"))).await;
    let guard = guard(&[host(&server), host(&storage)]);
    assert_eq!(fetch(&guard, &server.url("/a")).await.unwrap(), b"RIFF");
    assert!(server.asked()[0].headers.contains_key(header::AUTHORIZATION));
    assert!(!storage.asked()[0].headers.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn credentials_go_along_within_the_host() {
    let routes = to("/b?c=d").route("/b", get(async || "RIFF"));
    let server = Server::start(routes).await;
    assert_eq!(fetch(&guard(&[host(&server)]), &server.url("/a")).await.unwrap(), b"RIFF");
    assert_eq!(server.asked()[1].uri, "/b?c=d");
    assert!(server.asked()[1].headers.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn gives_up_on_a_circle_of_redirects() {
    let server = Server::start(to("/a")).await;
    let error = fetch(&guard(&[host(&server)]), &server.url("/a")).await.unwrap_err();
    assert!(matches!(error, GuardError::TooManyRedirects), "{error}");
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn takes_no_more_bytes_than_it_may_whether_they_were_announced_or_not() {
    let endless = || Body::from_stream(futures::stream::repeat_with(|| Ok::<_, io::Error>(vec![0_u8; 10_000])));
    let announced = async || vec![0_u8; LIMIT as usize + 1];
    let server =
        Server::start(Router::new().route("/a", get(announced)).route("/b", get(async move || endless()))).await;
    let guard = guard(&[host(&server)]);

    let error = fetch(&guard, &server.url("/a")).await.unwrap_err();
    assert!(matches!(error, GuardError::TooLarge { announced: 100_001, limit: LIMIT }), "{error}");

    let mut stream = guard.get(&server.url("/b"), HeaderMap::new()).await.unwrap().stream;
    let mut taken = 0;
    let end = loop {
        match stream.next().await.unwrap() {
            Ok(chunk) => taken += chunk.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), io::ErrorKind::FileTooLarge);
    assert!(taken <= LIMIT, "{taken}");
}

#[tokio::test]
async fn no_error_repeats_the_path_or_query() {
    let broken = async || (StatusCode::FORBIDDEN, "no").into_response();
    let server = Server::start(Router::new().route("/hidden", get(broken))).await;
    let gone = Server::start(Router::new()).await;
    let closed = gone.url("/hidden?hidden=1");
    let guard = guard(&[host(&server), host(&gone)]);
    drop(gone);
    for url in [server.url("/hidden?hidden=1"), closed, "https://evil.test/hidden".into()] {
        let error = fetch(&guard, &url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hidden"), "{text}");
    }
}

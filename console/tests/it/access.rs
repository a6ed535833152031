//! Who is answered.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use console::Access;
use shared::{env::Env, testing::Shape};

use crate::desk::{Desk, TOKEN};

#[tokio::test]
async fn only_who_has_the_token_is_answered() {
    let desk = Desk::start(Shape::Embedded).await;
    let http = &desk.app.outside.http;
    for path in ["/calls", "/calls/1", "/dead"] {
        let url = format!("{}{path}", desk.base);
        let cases = [
            ("nothing", http.get(&url)),
            ("another token", http.get(&url).bearer_auth("guess")),
            ("no token", http.get(&url).bearer_auth("")),
            ("another scheme", http.get(&url).header("authorization", format!("Basic {TOKEN}"))),
            ("the token alone", http.get(&url).header("authorization", TOKEN)),
        ];
        for (what, request) in cases {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{path} with {what}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
    assert_eq!(desk.get("/calls").await.status(), 200);
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(http.get(format!("{}{path}", desk.base)).send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_this_machine_alone_is_answered() {
    let desk = Desk::with(Shape::Embedded, &[]).await;
    let url = format!("{}/calls", desk.base);
    let http = &desk.app.outside.http;
    assert_eq!(http.get(&url).send().await.unwrap().status(), 200);
    // A web page whose name was pointed at this machine.
    let rebound = http.get(&url).header("host", "evil.example.test").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
}

#[tokio::test]
async fn without_a_token_no_page_from_elsewhere_is_answered() {
    let desk = Desk::with(Shape::Embedded, &[]).await;
    let cases = [
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "https://evil.example.test", 403),
        ("origin", "http://localhost.example.test:3080", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("origin", "http://localhost:3080", 200),
        ("origin", "http://127.0.0.1:3080", 200),
        ("origin", "http://[::1]:3080", 200),
    ];
    for (name, value, expected) in cases {
        let request = desk.app.outside.http.get(format!("{}/calls", desk.base)).header(name, value);
        assert_eq!(request.send().await.unwrap().status(), expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_page_of_an_origin_that_is_set_may_ask_and_no_other() {
    let ours = "https://desk.example.test";
    let origins = format!("http://localhost:5173, {ours}/");
    let desk = Desk::with(Shape::Embedded, &[("API_TOKEN", TOKEN), ("CORS_ORIGINS", &origins)]).await;
    let (http, url) = (&desk.app.outside.http, format!("{}/calls", desk.base));
    let allowed = |answer: &reqwest::Response| answer.headers().get("access-control-allow-origin").cloned();
    let preflight = async |origin: &str| {
        let request = http.request(reqwest::Method::OPTIONS, &url).header("origin", origin);
        let request = request.header("access-control-request-method", "GET");
        request.header("access-control-request-headers", "authorization").send().await.unwrap()
    };
    let answer = preflight(ours).await;
    assert_eq!((answer.status().as_u16(), allowed(&answer).unwrap()), (200, ours.parse().unwrap()));
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert_eq!(allowed(&preflight("https://evil.example.test").await), None);

    let answer = http.get(&url).header("origin", ours).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), allowed(&answer).unwrap()), (200, ours.parse().unwrap()));
    let answer = http.get(&url).header("origin", ours).send().await.unwrap();
    assert_eq!(answer.status(), 401, "with the token like everybody else");
    assert!(allowed(&answer).is_some(), "and the page can read why");

    let closed = Desk::start(Shape::Embedded).await;
    let url = format!("{}/calls", closed.base);
    let answer = http.get(&url).header("origin", ours).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(allowed(&answer), None, "none is set");
}

#[test]
fn an_origin_that_is_none_and_one_without_a_token_are_refused_at_start() {
    let with = |origins: &str| Access::from_env(&Env::from_pairs([("API_TOKEN", TOKEN), ("CORS_ORIGINS", origins)]));
    for wrong in ["*", "desk.example.test", "https://desk.example.test/calls", "ftp://desk.example.test"] {
        assert!(with(wrong).is_err_and(|error| error.to_string().contains("CORS_ORIGINS")), "{wrong}");
    }
    assert!(Access::from_env(&Env::from_pairs([("CORS_ORIGINS", "https://desk.example.test")])).is_err());
}

#[test]
fn without_a_token_it_refuses_to_listen_for_others() {
    let open = Env::from_pairs([("HOST", "0.0.0.0")]);
    assert!(Access::from_env(&open).is_err_and(|error| error.to_string().contains("API_TOKEN")));
    assert!(Access::from_env(&open.with([("API_TOKEN", TOKEN)])).is_ok());
    assert!(Access::from_env(&Env::from_pairs([("HOST", "127.0.0.1")])).is_ok());
}

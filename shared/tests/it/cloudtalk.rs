//! CloudTalk: who may send webhooks, and where recordings come from.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::{
    Json, Router,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use futures::TryStreamExt;
use serde_json::json;
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Call, CallFacts, CallId, ProviderId, Reason, Verdict},
    env::Env,
    http::Outside,
    providers::{Provider, RecordingError, cloudtalk::CloudTalk},
    sources::{Source, WebhookRequest},
};

use crate::server::Server;

const NOW: &str = "2026-11-20T09:00:00Z";
const WAV: &[u8] = b"RIFF....WAVE";
const KEYS: [(&str, &str); 2] = [("CLOUDTALK_API_KEY_ID", "id"), ("CLOUDTALK_API_SECRET", "key")];

fn start(settings: &[(&str, &str)]) -> anyhow::Result<Option<CloudTalk>> {
    let clock = Clock::from_fn(|| NOW.parse().unwrap());
    let outside = Outside::new(Budgets::unlimited(), clock)?;
    CloudTalk::from_env(&Env::from_pairs(settings.iter().copied()), &outside)
}

fn with(settings: &[(&str, &str)]) -> CloudTalk {
    let all: Vec<_> = [("CLOUDTALK_WEBHOOK_SECRET", "s3cret")].iter().chain(settings).copied().collect();
    start(&all).unwrap().unwrap()
}

fn call(id: Option<&str>, url: Option<String>) -> Call {
    let provider_call_id = id.map(str::to_owned);
    Call {
        id: CallId::new(),
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        facts: CallFacts { provider_call_id, recording_url: url, ..CallFacts::default() },
        conclusion: None,
        created_at: NOW.parse().unwrap(),
    }
}

async fn open(cloudtalk: &CloudTalk, call: &Call) -> Result<Vec<u8>, RecordingError> {
    let download = cloudtalk.open_recording(call).await?;
    Ok(download.stream.try_collect::<Vec<_>>().await.unwrap().concat())
}

fn step(error: RecordingError) -> (Reason, Verdict, String) {
    match error {
        RecordingError::Step(error) => (error.reason.clone(), error.verdict, format!("{error}")),
        other => panic!("expected a verdict, got {other:?}"),
    }
}

/// A server that answers the API with this status and body, and the link `/pub` with that one.
async fn server(api: (StatusCode, &'static [u8]), link: (StatusCode, &'static str, &'static [u8])) -> Server {
    let api = move || async move { ([(header::CONTENT_TYPE, "application/octet-stream")], api).into_response() };
    let link = move || async move { (link.0, [(header::CONTENT_TYPE, link.1)], link.2).into_response() };
    Server::start(Router::new().route("/api/calls/recording/{id}", get(api)).route("/pub/r/x.wav", get(link))).await
}

fn at(server: &Server) -> CloudTalk {
    with(&[KEYS[0], KEYS[1], ("CLOUDTALK_BASE_URL", &server.url("/api"))])
}

#[test]
fn is_off_without_settings_and_refuses_to_start_with_unsafe_or_broken_ones() {
    assert!(start(&[]).unwrap().is_none());
    assert!(start(&[("CLOUDTALK_WEBHOOK_VERIFY", "off")]).unwrap().is_some());
    let secret = ("CLOUDTALK_WEBHOOK_SECRET", "s3cret");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&KEYS, "CLOUDTALK_WEBHOOK_SECRET"),
        (&[("CLOUDTALK_BASE_URL", "http://127.0.0.1:1")], "CLOUDTALK_WEBHOOK_SECRET"),
        (&[secret, KEYS[0]], "CLOUDTALK_API_SECRET"),
        (&[secret, KEYS[1]], "CLOUDTALK_API_KEY_ID"),
        (&[secret, ("CLOUDTALK_API_KEY", "no-colon")], "CLOUDTALK_API_KEY"),
        (&[secret, ("CLOUDTALK_RECORDING_HOSTS", "https://a.test/")], "CLOUDTALK_RECORDING_HOSTS"),
        (&[secret, ("CLOUDTALK_WEBHOOK_VERIFY", "maybe")], "CLOUDTALK_WEBHOOK_VERIFY"),
    ];
    for (settings, variable) in cases {
        let error = start(settings).err().unwrap().to_string();
        assert!(error.contains(variable), "{error}");
        assert!(!error.contains("no-colon"), "{error}");
    }
}

fn passes(cloudtalk: &CloudTalk, target: &str, headers: &[(&str, &str)], body: &str) -> bool {
    let header = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let headers: HeaderMap = headers.iter().map(header).collect();
    let received_at = NOW.parse().unwrap();
    cloudtalk.verify(&WebhookRequest { target, headers: &headers, body: body.as_bytes(), received_at }).is_ok()
}

#[test]
fn the_secret_is_taken_wherever_a_workflow_can_put_it() {
    let cloudtalk = with(&[]);
    let path = "/api/cloudtalk-webhooks/call-ended";
    for value in ["Bearer s3cret", "bearer  s3cret", "Basic YW55OnMzY3JldA==", "s3cret"] {
        assert!(passes(&cloudtalk, path, &[("authorization", value)], "{}"), "{value}");
    }
    assert!(passes(&cloudtalk, path, &[("X-Webhook-Secret", "s3cret")], "{}"));
    assert!(passes(&cloudtalk, &format!("{path}?a=b&token=s3cret"), &[], "not JSON"));
    assert!(passes(&cloudtalk, &format!("{path}?secret=s3cret"), &[], ""));
    for field in ["secret", "lhc_key", "webhook_secret", "token"] {
        assert!(passes(&cloudtalk, path, &[], &json!({field: "s3cret"}).to_string()), "{field}");
    }
}

#[test]
fn a_missing_or_wrong_secret_is_refused_wherever_it_is() {
    let cloudtalk = with(&[]);
    let path = "/api/cloudtalk-webhooks/call-ended";
    for value in ["Bearer wrong", "Bearer", "Basic czNjcmV0", "Basic YW55Onc=", "Digest s3cret", "", "Bearer s3cret2"] {
        assert!(!passes(&cloudtalk, path, &[("authorization", value)], "{}"), "{value}");
    }
    for body in ["", "{}", "not JSON", r#"{"secret": 5}"#, r#"{"secret": "wrong"}"#, r#"{"a": {"secret": "s3cret"}}"#] {
        assert!(!passes(&cloudtalk, path, &[], body), "{body}");
    }
    let right = ("x-webhook-secret", "s3cret");
    assert!(!passes(&cloudtalk, path, &[right, ("authorization", "Bearer wrong")], "{}"));
    assert!(!passes(&cloudtalk, &format!("{path}?token=wrong"), &[right], "{}"));
    assert!(!passes(&cloudtalk, path, &[right], r#"{"lhc_key": "wrong"}"#));
    assert!(passes(&with(&[("CLOUDTALK_WEBHOOK_VERIFY", "off")]), path, &[], "{}"));
}

#[tokio::test]
async fn an_announced_link_is_fetched_without_credentials() {
    let server = server((StatusCode::NOT_FOUND, b""), (StatusCode::OK, "audio/x-wav", WAV)).await;
    let call = call(Some("778812"), Some(server.url("/pub/r/x.wav")));
    assert_eq!(open(&at(&server), &call).await.unwrap(), WAV);
    assert_eq!(server.asked().len(), 1);
    assert!(!server.asked()[0].headers.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn a_link_that_is_refused_or_not_allowed_or_a_page_gives_way_to_the_api() {
    let links: [(StatusCode, &str, &[u8]); 3] = [
        (StatusCode::NOT_FOUND, "application/json", b"{}"),
        (StatusCode::FORBIDDEN, "text/html", b"<html>"),
        (StatusCode::OK, "text/html; charset=utf-8", b"<html>"),
    ];
    for link in links {
        let server = server((StatusCode::OK, WAV), link).await;
        let call = call(Some("778812"), Some(server.url("/pub/r/x.wav")));
        assert_eq!(open(&at(&server), &call).await.unwrap(), WAV);
        let asked = server.asked();
        assert_eq!(asked[1].uri, "/api/calls/recording/778812.json");
        assert_eq!(asked[1].headers[header::AUTHORIZATION], "Basic aWQ6a2V5");
    }
    let server = server((StatusCode::OK, WAV), links[0]).await;
    let elsewhere = call(Some("778812"), Some("https://recordings.cloudtalk.io/778812.wav".into()));
    assert_eq!(open(&at(&server), &elsewhere).await.unwrap(), WAV);
}

#[tokio::test]
async fn a_link_whose_host_is_broken_is_tried_again_and_not_given_up() {
    let server = server((StatusCode::GONE, b""), (StatusCode::BAD_GATEWAY, "text/html", b"")).await;
    let call = call(Some("778812"), Some(server.url("/pub/r/x.wav")));
    let (_, verdict, _) = step(open(&at(&server), &call).await.unwrap_err());
    assert_eq!(verdict, Verdict::Retry { after: None });
}

#[tokio::test]
async fn the_api_says_not_yet_and_never_also_inside_an_answer_of_200() {
    let no_link = (StatusCode::OK, "", WAV);
    let said = |status: u16| Json(json!({"responseData": {"status": status, "message": "…"}}));
    for status in [404, 410] {
        let plain = Server::start(Router::new().fallback(async move || StatusCode::from_u16(status).unwrap())).await;
        let wrapped = Server::start(Router::new().fallback(async move || said(status))).await;
        for server in [plain, wrapped] {
            let error = open(&at(&server), &call(Some("778812"), None)).await.unwrap_err();
            assert_eq!(matches!(error, RecordingError::NotReady), status == 404, "{error:?}");
            assert_eq!(matches!(error, RecordingError::Never(_)), status == 410, "{error:?}");
        }
    }
    let refused = server((StatusCode::UNAUTHORIZED, b""), no_link).await;
    let (reason, verdict, _) = step(open(&at(&refused), &call(Some("778812"), None)).await.unwrap_err());
    assert_eq!((reason.as_ref(), verdict), ("vendor-refuses-credentials", Verdict::Fail));
}

#[tokio::test]
async fn without_a_way_to_the_recording_it_says_which_setting_opens_one() {
    let only_links = with(&[]);
    let mut unlinked = call(Some("778812"), None);
    assert!(matches!(open(&only_links, &unlinked).await, Err(RecordingError::NotReady)), "the link may still come");
    unlinked.created_at = "2026-11-20T06:59:00Z".parse().unwrap();
    unlinked.facts.recorded = None;
    assert!(matches!(open(&only_links, &unlinked).await, Err(RecordingError::Never(_))), "nobody promised one");
    unlinked.facts.recorded = Some(true);
    let (reason, verdict, text) = step(open(&only_links, &unlinked).await.unwrap_err());
    assert_eq!((reason.as_ref(), verdict), ("no-way-to-fetch", Verdict::Fail));
    assert!(text.contains("CLOUDTALK_API_KEY_ID"), "{text}");

    let elsewhere = call(Some("778812"), Some("https://recordings.example.test/hidden.wav".into()));
    let (reason, verdict, text) = step(open(&only_links, &elsewhere).await.unwrap_err());
    assert_eq!((reason.as_ref(), verdict), ("recording-host-not-allowed", Verdict::Fail));
    assert!(text.contains("CLOUDTALK_RECORDING_HOSTS") && text.contains("recordings.example.test"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

#[tokio::test]
async fn a_call_without_an_id_waits_for_the_webhook_that_brings_one() {
    let cloudtalk = with(&KEYS);
    let mut nameless = call(None, None);
    assert!(matches!(open(&cloudtalk, &nameless).await, Err(RecordingError::NotReady)));
    nameless.created_at = "2026-11-20T06:59:00Z".parse().unwrap();
    let (reason, verdict, text) = step(open(&cloudtalk, &nameless).await.unwrap_err());
    assert_eq!((reason.as_ref(), verdict), ("no-way-to-fetch", Verdict::Fail));
    assert!(text.contains("call_id"), "{text}");
}

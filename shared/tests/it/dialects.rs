//! SignalWire and Telnyx: what is asked of their APIs, where they differ from Twilio's.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::{
    Json, Router,
    http::{HeaderMap, Uri, header},
    routing::get,
};
use futures::TryStreamExt;
use serde_json::json;
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Call, CallFacts, CallId, CallKey, ProviderId},
    env::Env,
    http::Outside,
    providers::{
        Polling, Provider, RecordingError,
        twilio::{Dialect, SIGNALWIRE, TELNYX, Twilio},
    },
};

use crate::server::Server;

const ACCOUNT: &str = "b3877c40-da60-4998-90ad-b792e98472af";
const SID: &str = "19e436af-5688-4307-b03b-bdb2b42b8142";
const CALL: &str = "v3:9X2vxPDFY2RHSJ1EdMS0RHRksMTg7ldNxdjWbVr9zBjbGjGsSe-aiQ";
const KEY: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";

fn at(dialect: &'static Dialect, settings: &[(&str, &str)]) -> Twilio {
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    Twilio::from_env(dialect, &Env::from_pairs(settings.iter().copied()), &outside).unwrap().unwrap()
}

fn signalwire(base: &str) -> Twilio {
    let base = format!("{base}/api/laml");
    at(
        &SIGNALWIRE,
        &[
            ("SIGNALWIRE_PROJECT_ID", ACCOUNT),
            ("SIGNALWIRE_API_TOKEN", "PT1"),
            ("SIGNALWIRE_SIGNING_KEY", "PSK1"),
            ("SIGNALWIRE_BASE_URL", &base),
        ],
    )
}

fn telnyx(base: &str, hosts: &str) -> Twilio {
    let base = format!("{base}/v2/texml");
    at(
        &TELNYX,
        &[
            ("TELNYX_ACCOUNT_SID", ACCOUNT),
            ("TELNYX_API_KEY", "KEY1"),
            ("TELNYX_PUBLIC_KEY", KEY),
            ("TELNYX_BASE_URL", &base),
            ("TELNYX_RECORDING_HOSTS", hosts),
        ],
    )
}

fn call(keys: &[(&str, &str)]) -> Call {
    let key = |(kind, value): &(&str, &str)| CallKey { kind: (*kind).to_owned(), value: (*value).to_owned() };
    Call {
        id: CallId::new(),
        provider: ProviderId::new("signalwire"),
        account: ACCOUNT.into(),
        facts: CallFacts { keys: keys.iter().map(key).collect(), ..CallFacts::default() },
        conclusion: None,
        created_at: "2026-11-20T09:00:00Z".parse().unwrap(),
    }
}

async fn open(provider: &Twilio, call: &Call) -> Result<Vec<u8>, RecordingError> {
    let download = provider.open_recording(call).await?;
    Ok(download.stream.try_collect::<Vec<_>>().await.unwrap().concat())
}

fn shows(headers: &HeaderMap, scheme: &str) {
    assert!(headers[header::AUTHORIZATION].to_str().unwrap().starts_with(scheme), "{headers:?}");
}

#[tokio::test]
async fn signalwires_recordings_are_fetched_by_id_below_the_path_of_its_base_url() {
    let account = format!("/api/laml/2010-04-01/Accounts/{ACCOUNT}");
    let file = async |uri: Uri, headers: HeaderMap| {
        shows(&headers, "Basic ");
        assert_eq!(uri.query(), None, "it is not documented to know RequestedChannels");
        ([(header::CONTENT_TYPE, "audio/x-wav")], "RIFF....WAVE")
    };
    let about = async || Json(json!({"sid": SID, "status": "completed"}));
    let routes = Router::new()
        .route(&format!("{account}/Recordings/{SID}.json"), get(about))
        .route(&format!("{account}/Recordings/{SID}.wav"), get(file));
    let server = Server::start(routes).await;
    assert_eq!(open(&signalwire(&server.url("")), &call(&[("recording_sid", SID)])).await.unwrap(), b"RIFF....WAVE");
}

#[tokio::test]
async fn signalwires_pages_are_followed_within_the_account() {
    let account = format!("/api/laml/2010-04-01/Accounts/{ACCOUNT}");
    let list = async |uri: Uri| {
        let second = uri.query().unwrap_or_default().contains("Page=1");
        let next = (!second).then(|| format!("/api/laml/2010-04-01/Accounts/{ACCOUNT}/Recordings?Page=1&PageSize=200"));
        let one = json!({"sid": if second { "b" } else { "a" }, "call_sid": "c", "status": "completed"});
        Json(json!({"recordings": [one], "next_page_uri": next}))
    };
    let routes = Router::new()
        .route(&format!("{account}/Recordings.json"), get(list))
        .route(&format!("{account}/Recordings"), get(list));
    let server = Server::start(routes).await;
    let provider = signalwire(&server.url(""));
    assert_eq!(provider.polling(), Polling::Off);
    let since = "2026-01-01T00:00:00Z".parse().unwrap();
    let first = provider.poll(since, None).await.unwrap();
    let second = provider.poll(since, first.next.as_deref()).await.unwrap();
    let keys: Vec<_> = first.events.iter().chain(&second.events).map(|event| event.dedupe_key.as_str()).collect();
    assert_eq!((keys.as_slice(), second.next), (&["recording:a:completed", "recording:b:completed"][..], None));
    for foreign in ["/api/laml/2010-04-01/Accounts/other/Recordings?Page=1", "@evil.test/", "//evil.test/Recordings?"] {
        assert!(provider.poll(since, Some(foreign)).await.is_err(), "{foreign}");
    }
}

#[tokio::test]
async fn telnyx_recordings_are_fetched_from_a_fresh_url_without_the_key() {
    let media = async |headers: HeaderMap| {
        assert!(!headers.contains_key(header::AUTHORIZATION), "the key stays with the API");
        ([(header::CONTENT_TYPE, "audio/mpeg")], "ID3....")
    };
    let storage = Server::start(Router::new().route("/x.mp3", get(media))).await;
    let url = storage.url("/x.mp3?X-Amz-Expires=600");
    let about = async move |headers: HeaderMap| {
        shows(&headers, "Bearer KEY1");
        Json(json!({"sid": SID, "status": "completed", "media_url": url}))
    };
    let account = format!("/v2/texml/Accounts/{ACCOUNT}");
    let api = Server::start(Router::new().route(&format!("{account}/Recordings/{SID}.json"), get(about))).await;
    let host = storage.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let known = call(&[("recording_sid", SID)]);
    assert_eq!(open(&telnyx(&api.url(""), &host), &known).await.unwrap(), b"ID3....");
    match open(&telnyx(&api.url(""), ""), &known).await {
        Err(RecordingError::Step(error)) => assert_eq!(error.reason, "recording-host-not-allowed"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn telnyx_calls_are_looked_up_by_their_own_paths_and_nothing_is_polled() {
    let account = format!("/v2/texml/Accounts/{ACCOUNT}");
    let about = async || {
        Json(
            json!({"account_sid": ACCOUNT, "sid": CALL, "direction": "inbound", "from": "+13123456789", "to": "+13987654321",
            "status": "completed", "duration": "11", "start_time": "Thu, 15 Jun 2023 09:56:45 +0000"}),
        )
    };
    let list =
        async || Json(json!({"recordings": [{"sid": SID, "call_sid": CALL, "status": "completed", "duration": "11"}]}));
    let routes = Router::new()
        .route(&format!("{account}/Calls/{CALL}"), get(about))
        .route(&format!("{account}/Calls/{CALL}/Recordings.json"), get(list));
    let server = Server::start(routes).await;
    let provider = telnyx(&server.url(""), "");
    assert_eq!((provider.polling(), provider.records_live()), (Polling::No, false));
    let events = provider.lookup(&call(&[("call_sid", CALL)])).await.unwrap();
    let keys: Vec<_> = events.iter().map(|event| event.dedupe_key.as_str()).collect();
    assert_eq!(keys, [format!("call:{CALL}:completed"), format!("recording:{SID}:completed")]);
    assert!(String::from_utf8(events[0].body.clone()).unwrap().contains("Direction=inbound"));
}

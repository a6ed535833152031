//! ElevenLabs: settings, and where the audio comes from.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::TryStreamExt;
use serde_json::{Value, json};
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Call, CallFacts, CallId, CallStatus, ProviderId, Verdict},
    env::Env,
    http::Outside,
    providers::{Provider, RecordingError, elevenlabs::ElevenLabs},
};

use crate::server::Server;

const NOW: &str = "2026-11-20T09:00:00Z";
const MP3: &[u8] = b"ID3....";
const SECRET: (&str, &str) = ("ELEVENLABS_WEBHOOK_SECRET", "wsec_1");
const KEY: (&str, &str) = ("ELEVENLABS_API_KEY", "sk_hidden");

fn outside() -> Outside {
    Outside::new(Budgets::unlimited(), Clock::from_fn(|| NOW.parse().unwrap())).unwrap()
}

fn start(settings: &[(&str, &str)]) -> anyhow::Result<Option<ElevenLabs>> {
    ElevenLabs::from_env(&Env::from_pairs(settings.iter().copied()), &outside())
}

fn call(id: Option<&str>, created_at: &str) -> Call {
    Call {
        id: CallId::new(),
        provider: ProviderId::new("elevenlabs"),
        account: "default".into(),
        facts: CallFacts { provider_call_id: id.map(str::to_owned), ..CallFacts::default() },
        conclusion: None,
        created_at: created_at.parse().unwrap(),
    }
}

fn at(server: &Server) -> ElevenLabs {
    start(&[SECRET, KEY, ("ELEVENLABS_BASE_URL", &server.url(""))]).unwrap().unwrap()
}

/// Answers the audio so, and the conversation so.
async fn server(
    audio: impl Fn() -> Response + Clone + Send + Sync + 'static,
    conversation: (StatusCode, Value),
) -> Server {
    let conversation = move || async move { (conversation.0, Json(conversation.1.clone())) };
    let routes = Router::new()
        .route("/v1/convai/conversations/{id}/audio", get(move || async move { audio() }))
        .route("/v1/convai/conversations/{id}", get(conversation));
    Server::start(routes).await
}

async fn open(elevenlabs: &ElevenLabs, call: &Call) -> Result<Vec<u8>, RecordingError> {
    let download = elevenlabs.open_recording(call).await?;
    Ok(download.stream.try_collect::<Vec<_>>().await.unwrap().concat())
}

#[test]
fn is_off_without_settings_and_refuses_to_start_with_unsafe_or_broken_ones() {
    assert!(start(&[]).unwrap().is_none());
    assert!(start(&[SECRET]).unwrap().is_some());
    assert!(start(&[("ELEVENLABS_WEBHOOK_VERIFY", "off")]).unwrap().is_some());
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[KEY], "ELEVENLABS_WEBHOOK_SECRET"),
        (&[("ELEVENLABS_WEBHOOK_SECRET", " , ")], "ELEVENLABS_WEBHOOK_SECRET"),
        (&[SECRET, ("ELEVENLABS_BASE_URL", "elevenlabs.io")], "ELEVENLABS_BASE_URL"),
        (&[SECRET, ("ELEVENLABS_WEBHOOK_VERIFY", "maybe")], "ELEVENLABS_WEBHOOK_VERIFY"),
        (&[SECRET, ("ELEVENLABS_API_KEY", "sk\nhidden")], "ELEVENLABS_API_KEY"),
        (&[SECRET, ("ELEVENLABS_POLLING", "on")], "ELEVENLABS_API_KEY"),
        (&[SECRET, ("ELEVENLABS_POLL_INTERVAL_MINUTES", "-3")], "ELEVENLABS_POLL_INTERVAL_MINUTES"),
        (&[SECRET, ("MAX_AUDIO_BODY_BYTES", "1 GiB")], "MAX_AUDIO_BODY_BYTES"),
    ];
    for (settings, variable) in cases {
        let error = start(settings).err().unwrap().to_string();
        assert!(error.contains(variable) && !error.contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn audio_is_fetched_by_the_conversations_id_with_the_key() {
    let mp3 = || ([(header::CONTENT_TYPE, "audio/mpeg")], MP3).into_response();
    let server = server(mp3, (StatusCode::OK, json!({}))).await;
    assert_eq!(open(&at(&server), &call(Some("conv_1"), NOW)).await.unwrap(), MP3);
    let asked = server.asked();
    assert_eq!((asked.len(), asked[0].uri.path()), (1, "/v1/convai/conversations/conv_1/audio"));
    assert_eq!(asked[0].headers["xi-api-key"], "sk_hidden");
}

#[tokio::test]
async fn what_is_missing_is_waited_for_unless_the_conversation_says_that_it_will_never_come() {
    let said = |status: &str, has_audio: bool| (StatusCode::OK, json!({"status": status, "has_audio": has_audio}));
    let cases = [
        (said("processing", false), false),
        (said("in-progress", false), false),
        (said("done", true), false),
        (said("done", false), true),
        (said("failed", false), true),
        ((StatusCode::NOT_FOUND, json!({"detail": {"status": "not_found"}})), true),
    ];
    for status in [404, 422] {
        let refuse = move || StatusCode::from_u16(status).unwrap().into_response();
        for (conversation, never) in cases.clone() {
            let server = server(refuse, conversation.clone()).await;
            let error = open(&at(&server), &call(Some("conv_1"), NOW)).await.unwrap_err();
            assert_eq!(matches!(error, RecordingError::Never(_)), never, "{conversation:?}: {error:?}");
            assert_eq!(matches!(error, RecordingError::NotReady), !never, "{conversation:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn each_failure_has_its_verdict() {
    let page = || Json(json!({"detail": "signed out"})).into_response();
    let cases: [(fn() -> Response, Verdict); 3] = [
        (page, Verdict::Retry { after: None }),
        (|| StatusCode::BAD_GATEWAY.into_response(), Verdict::Retry { after: None }),
        (|| StatusCode::UNAUTHORIZED.into_response(), Verdict::Fail),
    ];
    for (audio, expected) in cases {
        let server = server(audio, (StatusCode::OK, json!({}))).await;
        match open(&at(&server), &call(Some("conv_1"), NOW)).await.unwrap_err() {
            RecordingError::Step(error) => assert_eq!(error.verdict, expected, "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn without_a_key_the_audios_own_webhook_is_waited_for_and_then_the_setting_named() {
    let elevenlabs = start(&[SECRET]).unwrap().unwrap();
    let young = open(&elevenlabs, &call(Some("conv_1"), NOW)).await.unwrap_err();
    assert!(matches!(young, RecordingError::NotReady));
    match open(&elevenlabs, &call(Some("conv_1"), "2026-11-20T06:00:00Z")).await.unwrap_err() {
        RecordingError::Step(error) => {
            assert_eq!(error.verdict, Verdict::Fail);
            assert!(error.to_string().contains("ELEVENLABS_API_KEY"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_list_is_read_page_by_page_and_only_what_is_over_counts() {
    let page = async |query: axum::extract::RawQuery| {
        let row = |id: &str, status: &str| json!({"conversation_id": id, "status": status});
        Json(match query.0.unwrap_or_default().contains("cursor=next") {
            false => {
                json!({"conversations": [row("a", "done"), row("b", "processing")], "has_more": true, "next_cursor": "next"})
            }
            true => json!({"conversations": [row("c", "failed")], "has_more": false, "next_cursor": null}),
        })
    };
    let server = Server::start(Router::new().route("/v1/convai/conversations", get(page))).await;
    let (elevenlabs, since) = (at(&server), "2026-11-20T08:00:00Z".parse().unwrap());
    let first = elevenlabs.poll(since, None).await.unwrap();
    let second = elevenlabs.poll(since, first.next.as_deref()).await.unwrap();
    assert_eq!((first.next.as_deref(), second.next), (Some("next"), None));
    let keys: Vec<_> = first.events.iter().chain(&second.events).map(|event| event.dedupe_key.as_str()).collect();
    assert_eq!(keys, ["tapedeck_call_listed:a", "tapedeck_call_listed:c"], "and none of these keeps a webhook out");
    let asked = server.asked()[0].uri.query().unwrap().to_owned();
    assert!(asked.contains("call_start_after_unix=1795161600"), "{asked}");
}

#[tokio::test]
async fn a_call_of_which_little_is_known_is_looked_up_once_it_is_over() {
    let mut little = call(Some("conv_1"), "2026-11-20T08:59:00Z");
    little.facts.status = Some(CallStatus::Completed);
    let lookup = async |conversation: (StatusCode, Value)| {
        let server = server(|| StatusCode::NOT_FOUND.into_response(), conversation).await;
        let elevenlabs = at(&server);
        assert!(elevenlabs.incomplete(&little));
        elevenlabs.lookup(&little).await
    };
    let data = |status: &str| json!({"conversation_id": "conv_1", "status": status});
    let said = lookup((StatusCode::OK, data("done"))).await.unwrap();
    assert_eq!(said[0].dedupe_key, "post_call_transcription:conv_1");
    assert!(lookup((StatusCode::NOT_FOUND, json!({}))).await.unwrap().is_empty());
    let waits = lookup((StatusCode::OK, data("processing"))).await.unwrap_err();
    assert_eq!(waits.verdict, Verdict::Snooze { after: Duration::from_secs(15) });

    little.facts.ended_at = Some(NOW.parse().unwrap());
    assert!(!start(&[SECRET, KEY]).unwrap().unwrap().incomplete(&little), "all is known");
    little.facts = CallFacts { ended_at: None, status: Some(CallStatus::InProgress), ..little.facts };
    assert!(!start(&[SECRET, KEY]).unwrap().unwrap().incomplete(&little), "it goes on");
}

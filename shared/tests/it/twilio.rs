//! Twilio: what its API says, where recordings come from, and how a live call is recorded.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::get,
};
use futures::TryStreamExt;
use sandbox::{CallMode, Fault, PlaceCall, Sandbox, TWILIO_ACCOUNT, Vendor, samples};
use serde_json::{Value, json};
use shared::{
    budgets::Budgets,
    clock::Clock,
    domain::{Call, CallFacts, CallId, CallKey, CallStatus, EventKind, ProviderId, Verdict},
    env::Env,
    http::Outside,
    providers::{
        Live, Polling, Provider, RecordingError,
        twilio::{TWILIO, Twilio},
    },
};

use crate::server::Server;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const NOW: &str = "2026-11-20T09:00:00Z";
const WAV: &[u8] = b"RIFF....WAVE";

fn at(base: &str, more: &[(&str, &str)]) -> Twilio {
    let clock = Clock::from_fn(|| NOW.parse().unwrap());
    let outside = Outside::new(Budgets::unlimited(), clock).unwrap();
    let env = Env::from_pairs([
        ("TWILIO_ACCOUNT_SID", TWILIO_ACCOUNT),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_BASE_URL", base),
        ("WEBHOOK_BASE_URL", "http://127.0.0.1:9"),
    ]);
    Twilio::from_env(&TWILIO, &env.with(more.iter().copied()), &outside).unwrap().unwrap()
}

async fn sandbox() -> (Sandbox, Twilio) {
    let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let twilio = at(&sandbox.base_urls().twilio, &[]);
    (sandbox, twilio)
}

/// A call that is known by these ids.
fn call(keys: &[(&str, &str)]) -> Call {
    let key = |(kind, value): &(&str, &str)| CallKey { kind: (*kind).to_owned(), value: (*value).to_owned() };
    Call {
        id: CallId::new(),
        provider: ProviderId::new("twilio"),
        account: TWILIO_ACCOUNT.into(),
        facts: CallFacts { keys: keys.iter().map(key).collect(), ..CallFacts::default() },
        conclusion: None,
        created_at: NOW.parse().unwrap(),
    }
}

async fn open(twilio: &Twilio, call: &Call) -> Result<Vec<u8>, RecordingError> {
    let download = twilio.open_recording(call).await?;
    Ok(download.stream.try_collect::<Vec<_>>().await.unwrap().concat())
}

fn step(error: RecordingError) -> (String, Verdict, String) {
    match error {
        RecordingError::Step(error) => (error.reason.to_string(), error.verdict, format!("{error}")),
        other => panic!("expected a verdict, got {other:?}"),
    }
}

fn silent(sample: &str, mode: CallMode) -> PlaceCall {
    PlaceCall::new("http://127.0.0.1:9", TOKEN, sample).provider("twilio").mode(mode)
}

#[tokio::test]
async fn a_recording_is_fetched_with_both_voices_apart_once_it_is_there() {
    let (sandbox, twilio) = sandbox().await;
    let mut order = silent("billing", CallMode::ApiFallback);
    order.not_ready_times = 1;
    sandbox.place_call(order).await.unwrap();
    let sid = sandbox.state().twilio.recordings[0].sid.clone();
    let call = call(&[("recording_sid", &sid)]);
    assert!(matches!(open(&twilio, &call).await, Err(RecordingError::NotReady)));
    assert_eq!(open(&twilio, &call).await.unwrap(), samples::named("billing").unwrap().wav);
    let asked = sandbox.asked(Vendor::Twilio, ".wav");
    assert!(asked.iter().all(|line| line.path.ends_with("?RequestedChannels=2")), "{asked:?}");
}

#[tokio::test]
async fn a_recording_with_one_channel_is_taken_as_it_is() {
    let (sandbox, twilio) = sandbox().await;
    let mut order = silent("sales", CallMode::ApiFallback);
    order.mono = true;
    let sid = sandbox.place_call(order).await.unwrap().call_uuid;
    let audio = open(&twilio, &call(&[("call_sid", &sid)])).await.unwrap();
    assert_eq!(audio, samples::named("sales").unwrap().mono_wav());
    let statuses: Vec<_> = sandbox.asked(Vendor::Twilio, ".wav").iter().map(|line| line.status).collect();
    assert_eq!(statuses, [400, 200]);
}

#[tokio::test]
async fn what_there_is_not_is_said_in_words() {
    let (sandbox, twilio) = sandbox().await;
    sandbox.place_call(silent("billing", CallMode::NotRecorded)).await.unwrap();
    let sid = sandbox.state().twilio.recordings[0].sid.clone();
    match open(&twilio, &call(&[("recording_sid", &sid)])).await {
        Err(RecordingError::Never(why)) => assert!(why.contains("too short"), "{why}"),
        other => panic!("{other:?}"),
    }
    let missed = sandbox.place_call(silent("sales", CallMode::Missed)).await.unwrap().call_uuid;
    let mut missed = call(&[("call_sid", &missed)]);
    assert!(matches!(open(&twilio, &missed).await, Err(RecordingError::NotReady)), "it may come");
    missed.facts.status = Some(CallStatus::Missed);
    missed.facts.ended_at = Some("2026-11-20T08:00:00Z".parse().unwrap());
    assert!(matches!(open(&twilio, &missed).await, Err(RecordingError::Never(_))), "it will not");
    assert!(matches!(open(&twilio, &call(&[])).await, Err(RecordingError::NotReady)));
}

/// A server whose recording says `about` itself and whose audio answers `media`.
async fn server(about: Value, media: impl IntoResponse + Clone + Send + Sync + 'static) -> Server {
    let account = format!("/2010-04-01/Accounts/{TWILIO_ACCOUNT}");
    let about = move || async move { Json(about) };
    let media = move || async move { media.clone() };
    let both = move |uri: axum::http::Uri| async move {
        if uri.path().ends_with(".json") { about().await.into_response() } else { media().await.into_response() }
    };
    let audio = get(async || ([(header::CONTENT_TYPE, "audio/x-wav")], WAV));
    Server::start(Router::new().route(&format!("{account}/Recordings/{{file}}"), get(both)).route("/audio", audio))
        .await
}

fn known() -> Call {
    call(&[("recording_sid", "RE00000000000000000000000000000007")])
}

fn complete() -> Value {
    json!({"sid": "RE00000000000000000000000000000007", "status": "completed"})
}

#[tokio::test]
async fn what_cannot_be_fetched_has_its_verdict_and_no_page_is_taken_for_audio() {
    let cases: [(Value, Option<u16>, &str); 6] = [
        (
            json!({"sid": "RE1", "status": "completed", "encryption_details": {"encryption_cek": "x"}}),
            None,
            "recording-encrypted",
        ),
        (json!({"status": "completed"}), None, "vendor-broken"),
        (complete(), Some(401), "vendor-refuses-credentials"),
        (complete(), Some(503), "vendor-broken"),
        (complete(), Some(429), "rate-limited"),
        (complete(), Some(200), "not-audio"),
    ];
    for (about, status, reason) in cases {
        let status = StatusCode::from_u16(status.unwrap_or(200)).unwrap();
        let xml = "<TwilioResponse><RestException><Code>20404</Code></RestException></TwilioResponse>";
        let server = server(about, (status, [(header::CONTENT_TYPE, "application/xml")], xml)).await;
        let (found, _, text) = step(open(&at(&server.url(""), &[]), &known()).await.unwrap_err());
        assert_eq!(found, reason, "{text}");
        assert!(!text.contains(TOKEN) && !text.contains("RE0000"), "{text}");
    }
    for (status, ready) in [("processing", false), ("in-progress", false), ("deleted", true)] {
        let about = json!({"sid": "RE00000000000000000000000000000007", "status": status});
        let server = server(about, WAV).await;
        let error = open(&at(&server.url(""), &[]), &known()).await.unwrap_err();
        assert_eq!(matches!(error, RecordingError::Never(_)), ready, "{status}");
        assert_eq!(matches!(error, RecordingError::NotReady), !ready, "{status}");
    }
}

#[tokio::test]
async fn redirects_are_followed_without_credentials_to_known_hosts_alone() {
    let elsewhere = server(complete(), WAV).await;
    let target = elsewhere.url("/audio");
    let here = server(complete(), Redirect::temporary(&target)).await;
    let (reason, verdict, text) = step(open(&at(&here.url(""), &[]), &known()).await.unwrap_err());
    assert_eq!((reason.as_str(), verdict), ("recording-host-not-allowed", Verdict::Fail));
    assert!(text.contains("TWILIO_RECORDING_HOSTS") && !text.contains("/audio"), "{text}");
    assert!(elsewhere.asked().is_empty());
    let allowed = format!("127.0.0.1:{}", elsewhere.port);
    let audio = open(&at(&here.url(""), &[("TWILIO_RECORDING_HOSTS", &allowed)]), &known()).await.unwrap();
    assert_eq!(audio, WAV);
    assert!(here.asked().iter().all(|asked| asked.headers.contains_key(header::AUTHORIZATION)));
    assert!(!elsewhere.asked()[0].headers.contains_key(header::AUTHORIZATION));
    for target in ["https://media.example.test/x.wav", "http://api.twilio.com/x.wav", "https://evil-twilio.com/x.wav"] {
        let server = server(complete(), Redirect::temporary(target)).await;
        let (reason, ..) = step(open(&at(&server.url(""), &[]), &known()).await.unwrap_err());
        assert_eq!(reason, "recording-host-not-allowed", "{target}");
    }
}

#[tokio::test]
async fn of_twilio_itself_only_ids_of_its_own_sort_are_asked_for() {
    let real = at("https://api.dublin.ie1.twilio.com", &[]);
    for sid in ["8a1c9e0e-8f0f-4f0e-9d5a-000000000001", "RE0000000000000000000000000000000G", "RE1"] {
        let (reason, verdict, _) = step(open(&real, &call(&[("recording_sid", sid)])).await.unwrap_err());
        assert_eq!((reason.as_str(), verdict), ("broken-recording-id", Verdict::Fail), "{sid}");
    }
    let about = json!({"sid": "8a1c9e0e-8f0f-4f0e-9d5a-000000000001", "status": "completed"});
    let other = server(about, ([(header::CONTENT_TYPE, "audio/x-wav")], WAV)).await;
    let call = call(&[("recording_sid", "8a1c9e0e-8f0f-4f0e-9d5a-000000000001")]);
    assert_eq!(open(&at(&other.url(""), &[]), &call).await.unwrap(), WAV);
}

#[tokio::test]
async fn of_several_recordings_the_longest_is_taken_once_all_are_complete() {
    let one = |sid: &str, status: &str, seconds: &str| json!({"sid": sid, "status": status, "duration": seconds});
    let account = format!("/2010-04-01/Accounts/{TWILIO_ACCOUNT}");
    for (status, ready) in [("completed", true), ("in-progress", false)] {
        let all =
            json!({"recordings": [one("RE1", "completed", "9"), one("RE2", status, "40"), one("RE3", "absent", "")]});
        let audio = get(async || ([(header::CONTENT_TYPE, "audio/x-wav")], WAV));
        let routes = Router::new()
            .route(&format!("{account}/Recordings.json"), get(async move || Json(all.clone())))
            .route(&format!("{account}/Recordings/RE2.wav"), audio);
        let server = Server::start(routes).await;
        let call = call(&[("call_sid", "CA1"), ("recording_sid", "RE1"), ("recording_sid", "RE2")]);
        let opened = open(&at(&server.url(""), &[]), &call).await;
        assert_eq!(opened.is_ok(), ready, "{opened:?}");
    }
}

#[tokio::test]
async fn a_lookup_says_the_numbers_and_finds_a_recording_that_nobody_announced() {
    let (sandbox, twilio) = sandbox().await;
    let sid = sandbox.place_call(silent("billing", CallMode::ApiFallback)).await.unwrap().call_uuid;
    let mut call = call(&[("call_sid", &sid)]);
    assert!(twilio.incomplete(&call));
    let events = twilio.lookup(&call).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
    assert_eq!(kinds, [EventKind::CallEnded, EventKind::RecordingAvailable]);
    let recording = &sandbox.state().twilio.recordings[0].sid;
    assert_eq!(events[0].dedupe_key, format!("call:{sid}:completed"));
    assert_eq!(events[1].dedupe_key, format!("recording:{recording}:completed"));
    assert!(String::from_utf8(events[0].body.clone()).unwrap().contains("Direction=inbound&From=%2B3935"));
    call.facts.direction = Some(shared::domain::Direction::Inbound);
    assert!(!twilio.incomplete(&call));
    let unknown = self::call(&[("call_sid", "CA000000000000000000000000000000ff")]);
    assert!(twilio.lookup(&unknown).await.unwrap().is_empty());
    sandbox.fault(Fault::status(Vendor::Twilio, 503));
    assert!(matches!(twilio.lookup(&call).await.unwrap_err().verdict, Verdict::Retry { .. }));
}

#[tokio::test]
async fn a_poll_follows_every_page_and_tells_what_ended() {
    let (sandbox, twilio) = sandbox().await;
    for number in 0..205 {
        let mode = if number == 7 { CallMode::NotRecorded } else { CallMode::ApiFallback };
        sandbox.place_call(silent("sales", mode)).await.unwrap();
    }
    let ringing = sandbox.dial("sales").unwrap();
    sandbox.answer(&ringing).unwrap();
    assert_eq!(twilio.record(&call(&[("call_sid", &ringing)])).await.unwrap(), Live::Recording);
    let since = "2020-01-01T00:00:00Z".parse().unwrap();
    let first = twilio.poll(since, None).await.unwrap();
    let next = first.next.clone().unwrap();
    let second = twilio.poll(since, Some(&next)).await.unwrap();
    assert_eq!((first.events.len() + second.events.len(), second.next), (205, None), "all but the one that goes on");
    let announced = |event: &&shared::domain::NewEvent| event.kind == EventKind::RecordingAvailable;
    assert_eq!(first.events.iter().chain(&second.events).filter(announced).count(), 204);
    for foreign in
        ["https://evil.test/x", "//evil.test/", "@evil.test/", "/2010-04-01/Accounts/AC2/Recordings.json?Page=1"]
    {
        assert!(twilio.poll(since, Some(foreign)).await.is_err(), "{foreign}");
    }
    let later = twilio.poll("2126-01-01T00:00:00Z".parse().unwrap(), None).await.unwrap();
    assert!(later.events.is_empty() && later.next.is_none());
}

#[tokio::test]
async fn polling_is_asked_for_and_every_three_minutes_by_default() {
    let polling = |settings: &[(&str, &str)]| at("http://127.0.0.1:9", settings).polling();
    assert_eq!(polling(&[]), Polling::Off);
    let on = ("TWILIO_RECORDING_POLLING", "true");
    assert_eq!(polling(&[on]), Polling::Every(std::time::Duration::from_secs(180)));
    let five = ("TWILIO_RECORDING_POLL_INTERVAL_MINUTES", "5");
    assert_eq!(polling(&[on, five]), Polling::Every(std::time::Duration::from_secs(300)));
}

#[tokio::test]
async fn a_live_call_is_recorded_once_when_it_is_answered_and_not_when_it_is_over() {
    let (sandbox, twilio) = sandbox().await;
    let sid = sandbox.dial("billing").unwrap();
    let call = call(&[("call_sid", &sid)]);
    let ringing = twilio.record(&call).await.unwrap_err();
    assert!(matches!(ringing.verdict, Verdict::Snooze { .. }), "{ringing}");
    sandbox.answer(&sid).unwrap();
    assert_eq!(twilio.record(&call).await.unwrap(), Live::Recording);
    assert_eq!(twilio.record(&call).await.unwrap(), Live::Recording);
    let held = sandbox.state().twilio.recordings;
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!((held[0].channels, held[0].source.as_str()), (2, "StartCallRecordingAPI"));
    let over = sandbox.dial("sales").unwrap();
    sandbox.answer(&over).unwrap();
    sandbox.hang_up(&over, TOKEN).await.unwrap();
    assert_eq!(twilio.record(&self::call(&[("call_sid", &over)])).await.unwrap(), Live::Over);
    let busy = sandbox.dial("sales").unwrap();
    sandbox.answer(&busy).unwrap();
    sandbox.fault(Fault::status(Vendor::Twilio, 409).method("POST").times(1).body(json!({"code": 16114})));
    let error = twilio.record(&self::call(&[("call_sid", &busy)])).await.unwrap_err();
    assert!(matches!(error.verdict, Verdict::Retry { after: Some(_) }), "{error}");
    assert_eq!(twilio.record(&self::call(&[("call_sid", &busy)])).await.unwrap(), Live::Recording);
}

#[tokio::test]
async fn doctor_tries_the_credentials_and_says_when_nothing_would_come() {
    let (outside, twilio) = sandbox().await;
    assert_eq!(twilio.check().await.unwrap(), "credentials accepted");
    let dead = at("http://127.0.0.1:9", &[]);
    assert!(dead.check().await.is_err());
    let mute = at(&outside.base_urls().twilio, &[("WEBHOOK_BASE_URL", "")]);
    assert!(mute.check().await.unwrap().contains("TWILIO_RECORDING_POLLING"));
}

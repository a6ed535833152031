//! Against servers that answer in every way that was seen.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod models;
mod stopping;

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Multipart, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::post,
};
use serde_json::json;
use tempfile::NamedTempFile;

use super::*;
use crate::{
    audio::sounds::{RATE, babble, silence, wav},
    budgets::Budgets,
    clock::Clock,
    domain::{Convention, Speaker, Verdict},
};

const SPEAKERS: [Speaker; 2] = [Speaker::Caller, Speaker::Agent];

/// A request as the server saw it.
#[derive(Debug, Clone, Default)]
struct Asked {
    fields: Vec<(String, String)>,
    bytes: usize,
    opus: bool,
    bearer: Option<String>,
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn seconds(&self) -> f64 {
        (self.bytes - 44) as f64 / f64::from(RATE * 2)
    }
}

type Answer = Arc<dyn Fn(usize, &Asked) -> Response + Send + Sync>;

/// A server that answers so; it is told the number of the request, from 0.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(answer: impl Fn(usize, &Asked) -> Response + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let answer: Answer = Arc::new(answer);
        let router = Router::new()
            .route("/v1/audio/transcriptions", post(receive))
            .route("/v1/inference", post(receive))
            .layer(DefaultBodyLimit::disable())
            .with_state((asked.clone(), answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn speech(&self, settings: &[(&str, &str)]) -> Speech {
        let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
        let env = Env::from_pairs([("TRANSCRIBE_BASE_URL", self.url.as_str()), ("TRANSCRIBE_UPLOAD", "wav")])
            .with(settings.iter().copied());
        Speech::from_env(&env, &outside).unwrap().unwrap()
    }

    async fn hear(&self, settings: &[(&str, &str)], recording: &NamedTempFile) -> Result<Heard, StepError> {
        heard(&self.speech(settings), recording).await
    }
}

async fn heard(speech: &Speech, recording: &NamedTempFile) -> Result<Heard, StepError> {
    let spool = tempfile::tempdir().unwrap();
    let survey = survey(recording.path()).await?;
    let channels = survey.named(Convention::documented(SPEAKERS), None);
    let heard = speech.transcribe(recording.path(), spool.path(), &survey, channels, &Purse::unlisted(), None).await;
    assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "nothing is left behind");
    heard
}

async fn receive(
    State((log, answer)): State<(Arc<Mutex<Vec<Asked>>>, Answer)>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned());
    let mut asked = Asked { bearer, ..Asked::default() };
    while let Some(part) = form.next_field().await.unwrap() {
        let name = part.name().unwrap().to_owned();
        let bytes = part.bytes().await.unwrap();
        if name == "file" {
            asked.opus = bytes.starts_with(b"OggS");
            assert!(asked.opus || bytes.starts_with(b"RIFF"));
            asked.bytes = bytes.len();
        } else {
            asked.fields.push((name, String::from_utf8(bytes.to_vec()).unwrap()));
        }
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    answer(number, &asked)
}

/// The caller speaks from 1 to 4 s and from 20 to 22 s, the agent from 5 to 9 s.
fn call() -> NamedTempFile {
    let caller = [silence(1.0), babble(3.0, 0.3), silence(16.0), babble(2.0, 0.3), silence(2.0)].concat();
    let agent = [silence(5.0), babble(4.0, 0.3), silence(15.0)].concat();
    wav(&[caller, agent])
}

fn text(words: &str) -> Response {
    Json(json!({"text": words})).into_response()
}

fn refusal(status: u16, body: serde_json::Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn not_as(format: &str) -> Response {
    let message = format!("response_format '{format}' is not compatible with model 'x'. Use 'json' or 'text' instead.");
    let error = json!({"message": message, "type": "invalid_request_error", "param": "response_format", "code": "unsupported_value"});
    refusal(400, json!({"error": error}))
}

fn words(heard: Heard) -> Transcript {
    let Heard::Words(transcript) = heard else { panic!("{heard:?}") };
    transcript
}

fn brief(transcript: &Transcript) -> Vec<(Speaker, f64, &str)> {
    let tenth = |seconds: f64| (seconds * 10.0).round() / 10.0;
    transcript.turns.iter().map(|t| (t.speaker, tenth(t.start), t.text.as_str())).collect()
}

#[tokio::test]
async fn both_sides_are_bought_once_and_put_in_order() {
    let server = Server::start(|_, asked| {
        let segments = if asked.seconds() > 5.5 {
            json!([{"start": 0.4, "end": 3.6, "text": " Hello?"}, {"start": 4.4, "end": 7.0, "text": " Bye."}])
        } else {
            json!([{"start": 0.0, "end": 4.5, "text": " Good morning."}])
        };
        Json(json!({"text": "…", "language": "english", "duration": "7.0", "segments": segments})).into_response()
    })
    .await;
    let settings = [("TRANSCRIBE_API_KEY", "sk-1"), ("TRANSCRIBE_LANGUAGE", "en"), ("TRANSCRIBE_PROMPT", "Tapedeck")];
    let transcript = words(server.hear(&settings, &call()).await.unwrap());
    let expected =
        [(Speaker::Caller, 1.0, "Hello?"), (Speaker::Agent, 5.0, "Good morning."), (Speaker::Caller, 20.0, "Bye.")];
    assert_eq!(brief(&transcript), expected);
    assert_eq!((transcript.language.as_deref(), transcript.timed), (Some("en"), true));
    assert!((transcript.billed_seconds - 12.0).abs() < 0.5, "{}", transcript.billed_seconds);
    let more = transcript.cost.unwrap() - transcript.billed_seconds / 60.0 * 0.006;
    assert!((-1e-9..2e-6).contains(&more), "each request is rounded up: {more}");
    let asked = server.asked();
    assert_eq!(asked.len(), 2, "one request for each side");
    let of = |name| asked[0].field(name);
    assert_eq!((of("model"), of("response_format")), (Some("whisper-1"), Some("verbose_json")));
    assert_eq!((of("language"), of("prompt")), (Some("en"), Some("Tapedeck")));
    assert_eq!(asked[0].bearer.as_deref(), Some("Bearer sk-1"));
}

#[tokio::test]
async fn a_model_without_times_is_asked_turn_by_turn() {
    let server = Server::start(|_, asked| {
        assert_eq!(asked.field("response_format"), Some("json"));
        Json(json!({"text": "Buongiorno.", "languages": [{"code": "it"}]})).into_response()
    })
    .await;
    let transcript = words(server.hear(&[("TRANSCRIBE_MODEL", "gpt-transcribe")], &call()).await.unwrap());
    let expected = [
        (Speaker::Caller, 1.0, "Buongiorno."),
        (Speaker::Agent, 5.0, "Buongiorno."),
        (Speaker::Caller, 20.0, "Buongiorno."),
    ];
    assert_eq!(brief(&transcript), expected);
    assert_eq!((transcript.language.as_deref(), transcript.timed), (Some("it"), true));
}

#[tokio::test]
async fn a_server_that_gives_no_times_is_asked_for_text_from_then_on() {
    let server = Server::start(|_, asked| match asked.field("response_format") {
        Some("json") => text("Hello."),
        other => not_as(other.unwrap()),
    })
    .await;
    let speech = server.speech(&[("TRANSCRIBE_MODEL", "own-model")]);
    let recording = call();
    let transcript = words(heard(&speech, &recording).await.unwrap());
    assert_eq!(transcript.turns.len(), 3);
    assert_eq!(transcript.cost, None, "its price is not known");
    let before = server.asked().len();
    heard(&speech, &recording).await.unwrap();
    assert!(server.asked()[before..].iter().all(|asked| asked.field("response_format") == Some("json")));
}

#[tokio::test]
async fn a_server_that_gives_text_where_times_were_asked_for_is_understood() {
    let server = Server::start(|_, _| text("Hello there. Good bye.")).await;
    let transcript = words(server.hear(&[], &call()).await.unwrap());
    let starts: Vec<f64> = transcript.turns.iter().map(|turn| turn.start.round()).collect();
    assert_eq!(starts, [1.0, 5.0, 20.0]);
    assert!(!transcript.timed);
}

#[tokio::test]
async fn a_piece_that_is_too_long_is_sent_in_halves() {
    let too_long = |asked: &Asked| match asked.bytes {
        bytes if bytes > 50_000 => {
            Some(refusal(413, json!({"error": {"message": "413: Maximum content size limit exceeded"}})))
        }
        bytes if bytes > 40_000 => Some(refusal(
            400,
            json!({"error": {"message": "audio duration 7.0 seconds is longer than 6 seconds which is the maximum for this model", "code": "invalid_value"}}),
        )),
        _ => None,
    };
    let server = Server::start(move |_, asked| {
        too_long(asked).unwrap_or_else(|| {
            let segments = json!([{"start": 0.5, "end": asked.seconds(), "text": "Word."}]);
            Json(json!({"text": "Word.", "segments": segments})).into_response()
        })
    })
    .await;
    let transcript = words(server.hear(&[], &call()).await.unwrap());
    assert!(transcript.turns.len() >= 3, "{transcript:?}");
    let last = transcript.turns.last().unwrap();
    assert!((20.0..22.1).contains(&last.start) && last.end <= 22.1, "{last:?}");
    assert!((transcript.billed_seconds - 12.0).abs() < 0.5, "what was refused is not billed");
}

#[tokio::test]
async fn a_limit_before_anything_is_paid_for_snoozes_the_job() {
    let server = Server::start(|_, _| {
        let error =
            json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}});
        (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "17")], Json(error)).into_response()
    })
    .await;
    let error = server.hear(&[], &call()).await.unwrap_err();
    assert_eq!(error.verdict, Verdict::Snooze { after: std::time::Duration::from_secs(17) });
    assert_eq!(error.reason, "rate-limited");
}

#[tokio::test]
async fn what_was_paid_for_is_kept_while_the_server_limits_the_rest() {
    let server = Server::start(|number, _| match number {
        1 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response(),
        _ => text("Hello."),
    })
    .await;
    let settings = [("TRANSCRIBE_MODEL", "gpt-transcribe"), ("TRANSCRIBE_PARALLEL", "1")];
    let transcript = words(server.hear(&settings, &call()).await.unwrap());
    assert_eq!((transcript.turns.len(), server.asked().len()), (3, 4), "only the refused piece is sent again");
}

#[tokio::test]
async fn every_failure_has_its_verdict() {
    type Case = (fn(usize) -> Response, &'static str, fn(Verdict) -> bool);
    let cases: [Case; 7] = [
        (
            |_| {
                refusal(
                    429,
                    json!({"error": {"message": "…", "type": "insufficient_quota", "code": "insufficient_quota"}}),
                )
            },
            "quota-exhausted",
            |v| v == Verdict::Snooze { after: std::time::Duration::from_secs(900) },
        ),
        (|_| (StatusCode::BAD_GATEWAY, Html("<h1>Bad Gateway</h1>")).into_response(), "vendor-broken", is_retry),
        (|_| Html("<h1>Sign in</h1>").into_response(), "vendor-broken", is_retry),
        (|_| refusal(401, json!({"error": {"code": "invalid_api_key"}})), "vendor-refuses-credentials", is_fail),
        (|_| refusal(404, json!({"error": {"code": "model_not_found"}})), "not-found-at-vendor", is_fail),
        (|_| refusal(400, json!({"error": "failed to read WAV file"})), "vendor-refuses-request", is_fail),
        (|_| not_as("json"), "vendor-refuses-request", is_fail),
    ];
    for (answer, reason, verdict) in cases {
        let server = Server::start(move |number, _| answer(number)).await;
        let error = server.hear(&[], &call()).await.unwrap_err();
        assert_eq!(error.reason, reason);
        assert!(verdict(error.verdict), "{reason}: {:?}", error.verdict);
    }
}

fn is_retry(verdict: Verdict) -> bool {
    verdict == Verdict::Retry { after: None }
}

fn is_fail(verdict: Verdict) -> bool {
    verdict == Verdict::Fail
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Server { url: format!("http://{}/v1", listener.local_addr().unwrap()), asked: Arc::default() };
    let error = silent.hear(&[("TRANSCRIBE_TIMEOUT_SECONDS", "1")], &call()).await.unwrap_err();
    assert_eq!((error.reason.as_ref(), is_retry(error.verdict)), ("vendor-unreachable", true));
}

#[tokio::test]
async fn another_path_is_used_where_one_is_set() {
    let server = Server::start(|_, _| text("Hello.")).await;
    server.hear(&[("TRANSCRIBE_PATH", "/inference")], &call()).await.unwrap();
    assert!(!server.asked().is_empty());
    assert_eq!(server.asked()[0].bearer, None, "no key is set, none is sent");
}

#[tokio::test]
async fn nothing_is_bought_where_nobody_speaks() {
    let server = Server::start(|_, _| panic!("nothing is to be bought")).await;
    assert_eq!(server.hear(&[], &wav(&[silence(30.0), silence(30.0)])).await.unwrap(), Heard::NoSpeech);
    let short = [silence(3.0), babble(1.0, 0.3), silence(3.0)].concat();
    assert_eq!(server.hear(&[], &wav(&[short])).await.unwrap(), Heard::TooShort);
}

#[tokio::test]
async fn a_server_that_hears_nothing_in_noise_concludes_no_speech() {
    let server = Server::start(|_, _| text(" [BLANK_AUDIO]")).await;
    assert_eq!(server.hear(&[], &call()).await.unwrap(), Heard::NoSpeech);
}

#[tokio::test]
async fn one_voice_for_both_sides_has_no_speaker() {
    let server = Server::start(|_, _| text("Hello.")).await;
    let both = [silence(1.0), babble(3.0, 0.3), silence(1.0)].concat();
    let transcript = words(server.hear(&[], &wav(&[both.clone(), both])).await.unwrap());
    assert_eq!(brief(&transcript), [(Speaker::Unknown, 1.0, "Hello.")]);
}

#[tokio::test]
async fn what_is_not_audio_fails() {
    let server = Server::start(|_, _| panic!("nothing is to be bought")).await;
    let page = crate::audio::sounds::file(b"<html>Not found</html>");
    let error = server.hear(&[], &page).await.unwrap_err();
    assert_eq!((error.reason.as_ref(), is_fail(error.verdict)), ("not-audio", true));
}

#[tokio::test]
async fn pieces_are_sent_as_opus_a_fifth_of_their_size_or_less() {
    let server = Server::start(|_, _| text("Words.")).await;
    words(server.hear(&[("TRANSCRIBE_UPLOAD", "wav")], &call()).await.unwrap());
    let wav: usize = server.asked().iter().map(|asked| asked.bytes).sum();
    let opus = Server::start(|_, _| text("Words.")).await;
    words(opus.hear(&[("TRANSCRIBE_UPLOAD", "opus")], &call()).await.unwrap());
    assert!(opus.asked().iter().all(|asked| asked.opus));
    assert!(opus.asked().iter().map(|asked| asked.bytes).sum::<usize>() * 5 < wav);
}

#[tokio::test]
async fn a_server_that_does_not_take_opus_is_sent_wav_from_then_on() {
    for status in [400, 500] {
        let server = Server::start(move |_, asked| match asked.opus {
            true => refusal(status, json!({"error": "failed to read audio data"})),
            false => text("Words."),
        })
        .await;
        let speech = server.speech(&[("TRANSCRIBE_UPLOAD", "opus"), ("TRANSCRIBE_PARALLEL", "1")]);
        words(heard(&speech, &call()).await.unwrap());
        let first = server.asked().len();
        words(heard(&speech, &call()).await.unwrap());
        let asked = server.asked();
        assert!(asked[0].opus && asked[1..].iter().all(|asked| !asked.opus), "one try, then no more");
        assert_eq!(asked.len() - first, first - 1);
    }
}

#[tokio::test]
async fn a_refusal_that_has_another_cause_stays_a_refusal() {
    let server = Server::start(|_, _| refusal(401, json!({"error": {"message": "no"}}))).await;
    let speech = server.speech(&[("TRANSCRIBE_UPLOAD", "opus"), ("TRANSCRIBE_PARALLEL", "1")]);
    let error = heard(&speech, &call()).await.unwrap_err();
    assert_eq!((error.verdict, server.asked().len()), (Verdict::Fail, 2));
}

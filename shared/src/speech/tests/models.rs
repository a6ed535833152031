//! What each model is told, which one hears what, and how much at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{body::Bytes, routing::get};
use tokio::sync::Barrier;

use super::*;

/// Both sides in one channel: speech from 1 to 4 s and from 6 to 10 s.
fn mono() -> NamedTempFile {
    wav(&[[silence(1.0), babble(3.0, 0.3), silence(2.0), babble(4.0, 0.3), silence(1.0)].concat()])
}

fn fields<'a>(asked: &'a Asked, name: &str) -> Vec<&'a str> {
    asked.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn names_and_languages_reach_each_model_in_its_own_way() {
    let server = Server::start(|_, _| text("Hello.")).await;
    let told = [("TRANSCRIBE_VOCABULARY", "Rossi, Callmind"), ("TRANSCRIBE_LANGUAGE", "it,en")];
    for model in ["whisper-1", "gpt-transcribe", "gpt-4o-transcribe-diarize"] {
        let settings = [told[0], told[1], ("TRANSCRIBE_MODEL", model)];
        server.hear(&settings, &mono()).await.unwrap();
        let asked = server.asked().pop().unwrap();
        let of = |name| fields(&asked, name);
        let expected = match model {
            "whisper-1" => (vec!["Rossi, Callmind."], vec![], vec![]),
            "gpt-transcribe" => (vec![], vec!["Rossi", "Callmind"], vec!["it", "en"]),
            _ => (vec![], vec![], vec![]),
        };
        assert_eq!((of("prompt"), of("keywords[]"), of("languages[]")), expected, "{model}");
        assert_eq!(of("language"), Vec::<&str>::new(), "it is one of two");
    }
}

#[tokio::test]
async fn a_recording_with_one_voice_goes_to_the_model_for_those() {
    let server = Server::start(|_, asked| {
        let mut segments = json!([
            {"start": 0.5, "end": 3.4, "text": "Good morning.", "speaker": "B"},
            {"start": 4.6, "end": 8.4, "text": "Hello.", "speaker": "A"},
        ]);
        if asked.field("response_format") != Some("diarized_json") {
            segments = json!([]);
        }
        Json(json!({"text": "Good morning. Hello.", "segments": segments})).into_response()
    })
    .await;
    let settings = [("TRANSCRIBE_MONO_MODEL", "gpt-4o-transcribe-diarize")];
    let transcript = words(server.hear(&settings, &mono()).await.unwrap());
    let said: Vec<_> = transcript.turns.iter().map(|t| (t.speaker, t.start.round(), t.text.as_str())).collect();
    assert_eq!(said, [(Speaker::Voice(1), 1.0, "Good morning."), (Speaker::Voice(2), 6.0, "Hello.")]);
    assert_eq!(transcript.model, "gpt-4o-transcribe-diarize");
    let transcript = words(server.hear(&settings, &call()).await.unwrap());
    assert!(transcript.turns.iter().all(|turn| turn.speaker.is_party()));
    assert_eq!(transcript.model, "whisper-1");
}

#[tokio::test]
async fn the_language_is_that_of_most_of_the_call() {
    let server = Server::start(|_, asked| {
        let language = if asked.seconds() > 3.5 { "italian" } else { "en" };
        Json(json!({"text": "Ciao.", "language": language})).into_response()
    })
    .await;
    let settings = [("TRANSCRIBE_MODEL", "gpt-transcribe")];
    let transcript = words(server.hear(&settings, &call()).await.unwrap());
    assert_eq!(transcript.language.as_deref(), Some("it"));
    let fixed = [("TRANSCRIBE_MODEL", "gpt-transcribe"), ("TRANSCRIBE_LANGUAGE", "de")];
    assert_eq!(words(server.hear(&fixed, &call()).await.unwrap()).language.as_deref(), Some("de"));
}

#[tokio::test]
async fn limits_are_corrected_by_the_setting() {
    let server = Server::start(|_, asked| {
        assert!(asked.seconds() <= 5.0, "{}", asked.seconds());
        text("Hello.")
    })
    .await;
    let settings = [("TRANSCRIBE_MODEL", "own"), ("TRANSCRIBE_LIMITS", "own seconds=5 answer=text")];
    let long = wav(&[babble(60.0, 0.3)]);
    let transcript = words(server.hear(&settings, &long).await.unwrap());
    assert!(server.asked().len() >= 12 && (transcript.billed_seconds - 60.0).abs() < 1.0);
}

#[tokio::test]
async fn what_a_server_says_is_guarded_against_inventions() {
    let server = Server::start(|number, _| match number {
        0 => text("Thanks for watching!"),
        1 => text(&"I will call you back. ".repeat(30)),
        _ => text("[BLANK_AUDIO]"),
    })
    .await;
    let settings = [("TRANSCRIBE_MODEL", "gpt-transcribe"), ("TRANSCRIBE_PARALLEL", "1")];
    let transcript = words(server.hear(&settings, &call()).await.unwrap());
    let said: Vec<&str> = transcript.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["I will call you back."]);
}

/// Answers nobody until two ask at once, and counts how many do.
struct Pair {
    barrier: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[tokio::test]
async fn as_many_pieces_as_allowed_are_sent_at_a_time() {
    let pair = Arc::new(Pair { barrier: Barrier::new(2), now: AtomicUsize::new(0), most: AtomicUsize::new(0) });
    let seen = pair.clone();
    let answer = move |_: Bytes| {
        let pair = pair.clone();
        async move {
            pair.most.fetch_max(pair.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            pair.barrier.wait().await;
            pair.now.fetch_sub(1, Ordering::SeqCst);
            Json(json!({"text": "Hello."}))
        }
    };
    let router = Router::new().route("/v1/audio/transcriptions", post(answer)).layer(DefaultBodyLimit::disable());
    let url = serve(router).await;
    let turn = [babble(2.0, 0.3), silence(4.0)].concat();
    let settings = [("TRANSCRIBE_MODEL", "gpt-transcribe"), ("TRANSCRIBE_PARALLEL", "2")];
    let server = Server { url, asked: Arc::default() };
    let transcript = words(server.hear(&settings, &wav(&[turn.repeat(6)])).await.unwrap());
    assert_eq!((transcript.turns.len(), seen.most.load(Ordering::SeqCst)), (6, 2));
}

#[tokio::test]
async fn doctor_tells_of_models_that_are_switched_off() {
    let list = json!({"data": [{"id": "whisper-1"}, {"id": "own", "shutdown_date": "2020-01-31"}]});
    let url = serve(Router::new().route("/v1/models", get(move || async move { Json(list) }))).await;
    let server = Server { url, asked: Arc::default() };
    let settings = [("TRANSCRIBE_MONO_MODEL", "own"), ("TRANSCRIBE_LIMITS", "whisper-1 until=2027-02-26")];
    let said = server.speech(&settings).check().await.unwrap();
    assert!(said.starts_with("whisper-1 is there, switched off "), "{said}");
    assert!(said.contains(" 2027-02-26") && said.ends_with("own is there, switched off since 2020-01-31"), "{said}");
    assert!(server.speech(&[("TRANSCRIBE_MODEL", "gone")]).check().await.is_err());
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

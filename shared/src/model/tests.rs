#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};

use serde_json::{Value, json};

use super::*;
use crate::{
    budgets::Budgets,
    clock::Clock,
    domain::{Sentiment, Speaker, Turn, Verdict},
};

/// A model server that gives these answers in turn, the last one for good, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

type Answer = fn() -> Response;

impl Server {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> (Self, String) {
        let server = Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() };
        let models =
            || async { Json(json!({"data": [{"id": "gpt-6-luna", "shutdown_date": "2028-01-01"}, {"id": "x"}]})) };
        let app = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/models", get(models));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app.with_state(server.clone())).into_future());
        (server, url)
    }

    fn next(&self) -> Option<Answer> {
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() }
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }
}

async fn chat(State(server): State<Server>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    server.asked.lock().unwrap().push((headers, body));
    let answer = server.next();
    match answer {
        Some(answer) => answer(),
        None => std::future::pending().await,
    }
}

fn model(url: &str, more: &[(&str, &str)]) -> Model {
    let env = Env::from_pairs([("FEEDBACK_BASE_URL", url)]).with(more.iter().copied());
    let outside = Outside::new(Budgets::unlimited(), Clock::system()).unwrap();
    Model::from_env(&env, &outside).unwrap().unwrap()
}

fn transcript(text: &str) -> Transcript {
    let turn = Turn { start: 0.0, end: 1.0, speaker: Speaker::Caller, text: text.to_owned() };
    Transcript { turns: vec![turn], ..Transcript::default() }
}

fn says(content: &str) -> Response {
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100});
    let message = json!({"role": "assistant", "content": content, "refusal": null});
    Json(json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}))
        .into_response()
}

fn good() -> Response {
    says(
        r#"{"summary":"They talked.","sentiment":"neutral","topics":[],"action_items":[],"objections":[],"outcome":null,
        "next_step":null,"coaching":[],"collected_data":[]}"#,
    )
}

fn quota() -> Response {
    let body = json!({"error": {"message": "Check your plan", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}});
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

async fn failure(answer: Answer) -> (Verdict, String) {
    let (server, url) = Server::start([answer]).await;
    let error = model(&url, &[]).judge(&transcript("hello"), &Purse::unlisted(), None).await.unwrap_err();
    assert_eq!(server.asked().len(), 1, "nothing is repeated behind the job's back");
    (error.verdict, error.reason.into_owned())
}

#[tokio::test]
async fn asks_once_with_the_schema_and_counts_what_it_took() {
    let (server, url) = Server::start([good as Answer]).await;
    let judgement = model(&url, &[("FEEDBACK_API_KEY", "sk-test")])
        .judge(&transcript("hello there"), &Purse::unlisted(), None)
        .await
        .unwrap();
    assert_eq!(judgement.judged.sentiment, Some(Sentiment::Neutral));
    assert_eq!((judgement.usage.input_tokens, judgement.usage.output_tokens), (1000, 100));
    assert!((judgement.usage.cost.unwrap() - 0.00015).abs() < 1e-9);
    assert_eq!((judgement.model.as_str(), judgement.prompt_version), ("gpt-6-luna", "v2"));
    let asked = server.asked.lock().unwrap();
    let [(headers, body)] = asked.as_slice() else { panic!("asked {} times", asked.len()) };
    assert_eq!(headers[header::AUTHORIZATION], "Bearer sk-test");
    assert_eq!(body["model"], "gpt-6-luna");
    assert_eq!(body["reasoning_effort"], "low");
    assert_eq!(body["store"], false);
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["messages"][1]["content"], "<transcript>\nCaller: hello there\n</transcript>");
}

#[tokio::test]
async fn a_server_without_a_key_gets_none() {
    let (server, url) = Server::start([good as Answer]).await;
    model(&url, &[]).judge(&transcript("hello"), &Purse::unlisted(), None).await.unwrap();
    assert!(!server.asked.lock().unwrap()[0].0.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn a_reply_that_cannot_be_used_is_sent_back_once() {
    let answers: [Answer; 2] = [|| says("They talked about billing."), good];
    let (server, url) = Server::start(answers).await;
    let judgement = model(&url, &[]).judge(&transcript("hello"), &Purse::unlisted(), None).await.unwrap();
    assert_eq!(judgement.usage.input_tokens, 2000, "both replies are paid");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let messages = asked[1]["messages"].as_array().unwrap();
    assert_eq!(messages[2], json!({"role": "assistant", "content": "They talked about billing."}));
    assert!(messages[3]["content"].as_str().unwrap().contains("no valid JSON"));
}

#[tokio::test]
async fn two_replies_that_cannot_be_used_have_their_verdict() {
    let twice = async |answer: Answer| {
        let (server, url) = Server::start([answer]).await;
        let error = model(&url, &[]).judge(&transcript("hello"), &Purse::unlisted(), None).await.unwrap_err();
        assert_eq!(server.asked().len(), 2);
        (error.verdict, error.reason.into_owned())
    };
    let retry = Verdict::Retry { after: None };
    assert_eq!(twice(|| says("no")).await, (retry, "model-reply-not-json".into()));
    let mixed: Answer = || says(r#"{"summary":"They talked.","sentiment":"mixed"}"#);
    assert_eq!(twice(mixed).await, (Verdict::Fail, "model-reply-off-schema".into()));
    let cut: Answer =
        || Json(json!({"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]})).into_response();
    assert_eq!(twice(cut).await, (Verdict::Fail, "model-reply-cut-off".into()));
}

#[tokio::test]
async fn a_refusal_is_not_argued_with() {
    let refusal: Answer = || {
        Json(json!({"choices": [{"message": {"content": null, "refusal": "No."}, "finish_reason": "stop"}]}))
            .into_response()
    };
    assert_eq!(failure(refusal).await, (Verdict::Fail, "model-refused".into()));
}

#[tokio::test]
async fn each_failure_of_the_server_has_its_verdict() {
    let retry = Verdict::Retry { after: None };
    let limited: Answer =
        || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "17")], Html("<h1>Slow</h1>")).into_response();
    let snooze = |seconds| Verdict::Snooze { after: Duration::from_secs(seconds) };
    assert_eq!(failure(limited).await, (snooze(17), "rate-limited".into()));
    assert_eq!(failure(quota).await, (snooze(900), "quota-exhausted".into()));
    let gateway: Answer = || (StatusCode::BAD_GATEWAY, Html("<h1>502</h1>")).into_response();
    assert_eq!(failure(gateway).await, (retry, "vendor-broken".into()));
    let page: Answer = || Html("<h1>Welcome</h1>").into_response();
    assert_eq!(failure(page).await, (retry, "vendor-broken".into()));
    let nothing: Answer = || Json(json!({"error": {"message": "upstream", "code": 502}})).into_response();
    assert_eq!(failure(nothing).await, (retry, "vendor-broken".into()));
    let key: Answer = || (StatusCode::UNAUTHORIZED, Json(json!({"error": "no"}))).into_response();
    assert_eq!(failure(key).await, (Verdict::Fail, "vendor-refuses-credentials".into()));
    let gone: Answer = || (StatusCode::NOT_FOUND, Json(json!({"error": {"code": "model_not_found"}}))).into_response();
    assert_eq!(failure(gone).await, (Verdict::Fail, "model-not-found".into()));
    let odd: Answer =
        || (StatusCode::BAD_REQUEST, Json(json!({"error": {"code": 400, "message": "?"}}))).into_response();
    assert_eq!(failure(odd).await, (Verdict::Fail, "vendor-refuses-request".into()));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let (_server, url) = Server::start([]).await;
    let model = model(&url, &[("FEEDBACK_TIMEOUT_SECONDS", "1")]);
    let error = model.judge(&transcript("hello"), &Purse::unlisted(), None).await.unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Retry { after: None }, "vendor-unreachable"));
}

#[tokio::test]
async fn a_transcript_over_the_limit_is_not_cut() {
    let (server, url) = Server::start([good as Answer]).await;
    let error = model(&url, &[("FEEDBACK_MAX_CHARS", "20")])
        .judge(&transcript(&"word ".repeat(10)), &Purse::unlisted(), None)
        .await
        .unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "transcript-too-long"));
    assert!(server.asked().is_empty());
}

/// Answers questions about a part with notes, one invented quote and one true one, and the rest with feedback.
fn part_or_good() -> Response {
    let part = json!({"notes": "They went on.", "quotes": ["word word", "I was never told"]});
    says(&part.to_string())
}

#[tokio::test]
async fn a_call_that_is_too_long_for_the_model_is_condensed_in_parts() {
    let parts: Vec<Answer> = std::iter::repeat_n(part_or_good as Answer, 3).chain([good as Answer]).collect();
    let (server, url) = Server::start(parts).await;
    let model = model(&url, &[("FEEDBACK_CONTEXT_TOKENS", "6000")]);
    let room = model.room(&model.feedback).min(model.room(&model.part));
    let text = "word ".repeat(room * 3 / 5 * 2 + room / 5);
    let judgement = model.judge(&transcript(&text), &Purse::unlisted(), None).await.unwrap();
    assert_eq!(judgement.parts, Some(3));
    assert_eq!(judgement.usage.input_tokens, 4000, "every part is paid");
    let asked = server.asked();
    assert!(asked[..3].iter().all(|body| body["response_format"]["json_schema"]["name"] == "call_part"));
    let judged_from = asked[3]["messages"][1]["content"].as_str().unwrap();
    let condensed = "Notes: They went on.\nCaller: word word\n".repeat(3);
    assert_eq!(judged_from, format!("<transcript>\n{condensed}</transcript>"), "what nobody said is gone");
}

#[tokio::test]
async fn a_server_that_reads_less_than_we_thought_gets_less() {
    let full: Answer = || {
        let message = "This model's maximum context length is 2048 tokens. However, you requested more.";
        (StatusCode::BAD_REQUEST, Json(json!({"error": {"code": 400, "message": message}}))).into_response()
    };
    let (server, url) = Server::start([full, part_or_good, part_or_good, part_or_good, good]).await;
    let judgement = model(&url, &[]).judge(&transcript(&"word ".repeat(1000)), &Purse::unlisted(), None).await.unwrap();
    assert_eq!((judgement.parts, server.asked().len()), (Some(3), 5));
    let (server, url) = Server::start([full]).await;
    let error = model(&url, &[]).judge(&transcript(&"word ".repeat(1000)), &Purse::unlisted(), None).await.unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "transcript-too-long"));
    assert!(server.asked().len() < 20, "{}", server.asked().len());
}

#[tokio::test]
async fn the_check_looks_the_model_up() {
    let (_server, url) = Server::start([]).await;
    let said = model(&url, &[]).check().await.unwrap();
    assert!(said.starts_with("gpt-6-luna is there, switched off ") && said.contains(" 2028-01-01"), "{said}");
    assert!(model(&url, &[("FEEDBACK_MODEL", "gone")]).check().await.is_err());
}

#[test]
fn an_odd_count_of_tokens_does_not_spoil_the_reply() {
    for (usage, expected) in [
        (json!({"prompt_tokens": "1000", "completion_tokens": 100.0}), (1000, 100)),
        (json!({"prompt_tokens": null, "completion_tokens": -3}), (0, 0)),
        (json!({"prompt_tokens": {"text": 5}, "completion_tokens": "many"}), (0, 0)),
        (json!("none"), (0, 0)),
        (json!(null), (0, 0)),
    ] {
        let answer = json!({"choices": [{"message": {"content": "Hello."}}], "usage": usage});
        let completion: wire::Completion = serde_json::from_value(answer).unwrap();
        let told = completion.usage();
        assert_eq!((told.input_tokens, told.output_tokens), expected);
        assert_eq!(completion.text(), "Hello.");
    }
}

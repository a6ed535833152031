//! The list of calls, and all that is known of one.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::Value;
use shared::{
    db::settle::End,
    domain::{CallFacts, CallKey, CallStatus, Conclusion, Step, Transcript, Write},
    sinks::sample,
    testing::Shape,
};

use crate::desk::{Desk, TOKEN, concluded, dead, facts, recording};

fn ids(page: &Value) -> Vec<u32> {
    let calls = page["calls"].as_array().unwrap();
    let number = |call: &Value| call["provider_call_id"].as_str().unwrap().parse::<u32>().unwrap() - 1_000_000_000;
    calls.iter().map(number).collect()
}

async fn the_list_is_filtered_and_paged(shape: Shape) {
    let desk = Desk::start(shape).await;
    for number in 1..=5 {
        let status = if number == 2 { CallStatus::Missed } else { CallStatus::Completed };
        let phone = if number == 3 { "+40312000003" } else { "+393500000001" };
        let call = desk.call(number, facts(status, phone)).await;
        if number == 4 {
            desk.tried(call, Step::Fetch, dead("not-audio"), vec![]).await;
        }
        if number == 5 {
            let writes = vec![recording(call, &desk.app), concluded(call, Conclusion::NoSpeech)];
            desk.tried(call, Step::Fetch, End::Done { skipped: None }, writes).await;
        }
    }
    let all = desk.ask("/calls").await;
    assert_eq!(ids(&all), [5, 4, 3, 2, 1]);
    assert_eq!(all["next_cursor"], Value::Null);
    assert_eq!(all["calls"][0]["recorded"], true);
    assert_eq!(all["calls"][0]["conclusion"], "no-speech");
    assert_eq!(all["calls"][1]["dead_jobs"], 1);
    assert!(!all.to_string().contains("recordings.example.test"), "the provider's link is ours alone");

    for (question, expected) in [
        ("status=missed", vec![2]),
        ("phone=%2B40312000003", vec![3]),
        ("phone=+40312000003", vec![3]),
        ("dead=true", vec![4]),
        ("conclusion=no-speech", vec![5]),
        ("from=2026-11-20T09:03:00Z&to=2026-11-20T09:05:00Z", vec![4, 3]),
        ("from=2026-11-21", vec![]),
        ("provider=cloudtalk&status=completed&phone=393500000001", vec![5, 4, 1]),
        ("provider=twilio", vec![]),
    ] {
        assert_eq!(ids(&desk.ask(&format!("/calls?{question}")).await), expected, "{question}");
    }

    assert_eq!(ids(&desk.ask("/calls?limit=5").await), [5, 4, 3, 2, 1]);
    assert_eq!(desk.ask("/calls?limit=5").await["next_cursor"], Value::Null, "a full page may be the last");
}

async fn calls_that_come_in_meanwhile_move_no_page(shape: Shape) {
    let desk = Desk::start(shape).await;
    for number in 1..=5 {
        desk.call(number, facts(CallStatus::Completed, "+393500000001")).await;
    }
    let (mut seen, mut next, mut newer) = (Vec::new(), Some(String::new()), 6);
    while let Some(cursor) = next {
        let page = desk.ask(&format!("/calls?limit=2&status=completed{cursor}")).await;
        seen.extend(ids(&page));
        next = page["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}"));
        desk.call(newer, facts(CallStatus::Completed, "+393500000001")).await;
        newer += 1;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1], "each once, none left out");
}

#[tokio::test]
async fn calls_that_come_in_meanwhile_move_no_page_embedded() {
    calls_that_come_in_meanwhile_move_no_page(Shape::Embedded).await;
}

#[tokio::test]
async fn calls_that_come_in_meanwhile_move_no_page_in_production() {
    calls_that_come_in_meanwhile_move_no_page(Shape::Production).await;
}

async fn a_recording_plays_wherever_it_came_from(shape: Shape) {
    let desk = Desk::start(shape).await;
    // The webhook brought a link; the webhook brought nothing, and the API had it.
    let ways = [(1, Some("https://recordings.example.test/secret")), (2, None)];
    for (number, link) in ways {
        let known =
            CallFacts { recording_url: link.map(str::to_owned), ..facts(CallStatus::Completed, "+393500000001") };
        let call = desk.call(number, known).await;
        desk.tried(call, Step::Fetch, End::Done { skipped: None }, vec![recording(call, &desk.app)]).await;
    }
    desk.call(3, facts(CallStatus::Completed, "+393500000001")).await;
    let list = desk.ask("/calls").await;
    for (line, (number, _)) in list["calls"].as_array().unwrap().iter().rev().zip(ways) {
        let id = 1_000_000_000 + number;
        let url = line["recording_url"].as_str().unwrap();
        assert!(url.starts_with(&format!("https://calls.example.test/api/recordings/cloudtalk/{id}?s=")), "{url}");
        for path in ["calls", "conversations"] {
            assert_eq!(desk.ask(&format!("/{path}/{id}")).await["recording_url"], url, "{path}");
        }
    }
    for path in ["/calls/1000000003", "/conversations/1000000003"] {
        assert_eq!(desk.ask(path).await["recording_url"], Value::Null, "a promised recording is none yet");
    }
    assert_eq!(ids(&desk.ask("/calls?recorded=false").await), [3]);
    assert_eq!(ids(&desk.ask("/calls?recorded=true").await), [2, 1]);
}

#[tokio::test]
async fn a_recording_plays_wherever_it_came_from_embedded() {
    a_recording_plays_wherever_it_came_from(Shape::Embedded).await;
}

#[tokio::test]
async fn a_recording_plays_wherever_it_came_from_in_production() {
    a_recording_plays_wherever_it_came_from(Shape::Production).await;
}

#[tokio::test]
async fn a_conversation_is_found_by_each_of_its_names_and_says_who_said_what() {
    let desk = Desk::start(Shape::Embedded).await;
    let report = sample::analyzed();
    let key = |kind: &str, value: &str| CallKey { kind: kind.into(), value: value.into() };
    let keys = vec![key("chat_id", "lead/77"), key("call_sid", "CA77")];
    let call = desk.call(1, CallFacts { keys, ..report.call.facts.clone() }).await;
    let writes = vec![
        Write::Transcript(call, report.transcript.unwrap()),
        Write::Feedback(call, report.feedback.unwrap()),
        concluded(call, Conclusion::Analyzed),
    ];
    desk.tried(call, Step::Analyze, End::Done { skipped: None }, writes).await;
    let seen = desk.ask("/conversations/1000000001").await;
    for name in [call.to_string().as_str(), "lead%2F77", "CA77"] {
        assert_eq!(desk.ask(&format!("/conversations/{name}")).await, seen, "{name}");
    }
    assert_eq!((&seen["chat_id"], &seen["call_sid"]), (&"lead/77".into(), &"CA77".into()));
    assert_eq!(
        (&seen["turns"][0]["speaker"], &seen["turns"][1]["text"]),
        (&"agent".into(), &"My invoice is wrong.".into())
    );
    assert_eq!((&seen["sentiment"], &seen["conclusion"]), (&"positive".into(), &"analyzed".into()));
    assert_eq!(desk.get("/conversations/nothing").await.status(), 404);
}

#[tokio::test]
async fn a_name_that_two_providers_use_is_nobodys_until_it_is_said_whose() {
    let desk = Desk::start(Shape::Embedded).await;
    let mine = desk.call(1, facts(CallStatus::Completed, "+393500000001")).await;
    let theirs = desk.call_of("generic", 1, facts(CallStatus::Completed, "+393500000002")).await;
    let both = serde_json::json!(["cloudtalk:1000000001", "generic:1000000001"]);
    for path in ["/calls/1000000001", "/conversations/1000000001", "/calls/1000000001/waveform"] {
        let answer = desk.get(path).await;
        assert_eq!(answer.status(), 409, "{path}");
        assert_eq!(serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()["candidates"], both);
    }
    assert_eq!(desk.post("/calls/1000000001/replay", Value::Null).await.status(), 409, "nothing of anybody's");
    assert_eq!(desk.post("/calls/generic:1000000001/replay", Value::Null).await.status(), 200);
    for (name, call) in [("cloudtalk:1000000001", mine), ("generic:1000000001", theirs)] {
        assert_eq!(desk.ask(&format!("/calls/{name}")).await["call"]["id"], call.to_string());
    }
    assert_eq!(desk.get("/calls/twilio:1000000001").await.status(), 404);
}

#[tokio::test]
async fn a_call_is_found_by_an_id_that_no_path_can_hold_as_it_is() {
    let desk = Desk::start(Shape::Embedded).await;
    let key = |value: &str| vec![CallKey { kind: "ref".into(), value: value.into() }];
    for (number, id, path) in [
        (1, "a/b c", "a%2Fb%20c"),
        (2, "50%#7?", "50%25%237%3F"),
        (3, "вызов", "%D0%B2%D1%8B%D0%B7%D0%BE%D0%B2"),
        (4, "sip:77:a@b", "sip:77:a@b"),
    ] {
        let call =
            desk.call(number, CallFacts { keys: key(id), ..facts(CallStatus::Completed, "+393500000001") }).await;
        assert_eq!(desk.ask(&format!("/calls/{path}")).await["call"]["id"], call.to_string(), "{id}");
    }
}

#[tokio::test]
async fn the_call_says_why_the_provider_has_no_recording() {
    let desk = Desk::start(Shape::Embedded).await;
    let known = CallFacts { recording_absence: Some("16101".into()), ..facts(CallStatus::Completed, "+393500000001") };
    desk.call(1, known).await;
    assert_eq!(desk.ask("/calls/1000000001").await["call"]["recording_absence"], "16101");
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_embedded() {
    the_list_is_filtered_and_paged(Shape::Embedded).await;
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_in_production() {
    the_list_is_filtered_and_paged(Shape::Production).await;
}

#[tokio::test]
async fn a_question_that_makes_no_sense_names_its_field() {
    let desk = Desk::start(Shape::Embedded).await;
    for (question, field) in [
        ("status=gone", "status"),
        ("conclusion=fine", "conclusion"),
        ("phone=nobody", "phone"),
        ("from=yesterday", "from"),
        ("to=-9999-01-01", "to"),
        ("to=-009999-01-01T00:00:00Z", "to"),
        ("dead=maybe", "dead"),
        ("cursor=1", "cursor"),
        ("cursor=-999999999999999999-0199512a7a00700080000000000000a1", "cursor"),
        ("limit=many", "limit"),
        ("recorded=perhaps", "recorded"),
    ] {
        let answer = desk.get(&format!("/calls?{question}")).await;
        assert_eq!(answer.status(), 400, "{question}");
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["field"], field, "{body}");
    }
    for path in ["/calls?provder=twilio", "/calls?limit=1&limit=2", "/dead?que=fetch"] {
        let answer = desk.get(path).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"] == "application/problem+json"),
            (400, true),
            "{path}"
        );
    }
    assert_eq!(desk.get("/calls/%ff").await.status(), 404);
}

#[tokio::test]
async fn what_no_database_holds_is_a_bad_question_and_no_failure_of_ours() {
    let desk = Desk::start(Shape::Production).await;
    for question in ["/calls?provider=%00", "/dead?queue=fetch%00", "/costs?since=-9999-01-01"] {
        assert_eq!(desk.get(question).await.status(), 400, "{question}");
    }
    assert_eq!(desk.get("/calls/%00").await.status(), 404);
    let order = desk.app.outside.http.post(format!("{}/dead/replay", desk.base)).bearer_auth(TOKEN);
    assert_eq!(order.body(r#"{"queue": "\u0000"}"#).send().await.unwrap().status(), 400);
}

async fn a_call_shows_its_way_through_the_steps(shape: Shape) {
    let desk = Desk::start(shape).await;
    let call = desk.call(1, facts(CallStatus::Completed, "+393500000001")).await;
    let again = |reason: &'static str| End::Again {
        due_at: desk.app.clock.now(),
        counts: true,
        verdict: "retry",
        reason: reason.into(),
        error: "cloudtalk answered 502".into(),
    };
    desk.tried(call, Step::Fetch, again("vendor-broken"), vec![]).await;
    desk.tried(call, Step::Fetch, End::Done { skipped: None }, vec![recording(call, &desk.app)]).await;
    desk.tried(call, Step::Transcribe, dead("vendor-refuses-request"), vec![]).await;

    let seen = desk.ask(&format!("/calls/{call}")).await;
    assert_eq!(seen, desk.ask("/calls/1000000001").await, "under our id and the provider's");
    assert_eq!(seen["call"]["external_phone"], "+393500000001");
    let link = seen["recording_url"].as_str().unwrap();
    assert!(link.starts_with("https://calls.example.test/api/recordings/cloudtalk/1000000001?s="), "{link}");
    assert_eq!(seen["recording"]["duration_seconds"], 60.0);
    assert_eq!(seen["transcript"], Value::Null);
    assert_eq!(seen["events"][0]["kind"], "call-ended");
    let jobs = seen["jobs"].as_array().unwrap();
    let state = |step: &str| jobs.iter().find(|job| job["step"] == step).map(|job| job["state"].as_str().unwrap());
    assert_eq!(state("intake"), Some("waiting"));
    assert_eq!(state("fetch"), Some("done"));
    assert_eq!(state("transcribe"), Some("dead"));
    let fetch = jobs.iter().find(|job| job["step"] == "fetch").unwrap();
    assert_eq!(fetch["failures"][0]["reason"], "vendor-broken");
    assert_eq!(fetch["failures"][0]["error"], "cloudtalk answered 502");
    assert!(!seen.to_string().contains("recordings.example.test"), "the provider's link is ours alone");
    assert_eq!(desk.get("/calls/1000000009").await.status(), 404);
}

#[tokio::test]
async fn a_call_shows_its_way_through_the_steps_embedded() {
    a_call_shows_its_way_through_the_steps(Shape::Embedded).await;
}

#[tokio::test]
async fn a_call_shows_its_way_through_the_steps_in_production() {
    a_call_shows_its_way_through_the_steps(Shape::Production).await;
}

async fn feedback_is_made_anew_where_there_is_a_transcript(shape: Shape) {
    let desk = Desk::start(shape).await;
    let done = || End::Done { skipped: None };
    let silent = desk.call(1, facts(CallStatus::Missed, "+393500000001")).await;
    let call = desk.call(2, facts(CallStatus::Completed, "+393500000001")).await;
    desk.tried(call, Step::Analyze, done(), vec![Write::Transcript(call, Transcript::default())]).await;
    assert_eq!(desk.post("/calls/5/reanalyze", Value::Null).await.status(), 404);
    assert_eq!(desk.post(&format!("/calls/{silent}/reanalyze"), Value::Null).await.status(), 409);
    let answer = desk.post("/calls/1000000002/reanalyze", Value::Null).await;
    assert_eq!(answer.status(), 202);
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["reanalyzing"], call.to_string());
    let jobs = desk.ask("/calls/1000000002").await["jobs"].clone();
    let analyze = jobs.as_array().unwrap().iter().find(|job| job["step"] == "analyze").unwrap().clone();
    assert_eq!(analyze["state"], "waiting");
}

#[tokio::test]
async fn feedback_is_made_anew_where_there_is_a_transcript_embedded() {
    feedback_is_made_anew_where_there_is_a_transcript(Shape::Embedded).await;
}

#[tokio::test]
async fn feedback_is_made_anew_where_there_is_a_transcript_in_production() {
    feedback_is_made_anew_where_there_is_a_transcript(Shape::Production).await;
}

#[tokio::test]
async fn without_a_public_address_a_recording_is_played_from_the_store_or_from_this_machine() {
    let unset = [("API_TOKEN", TOKEN), ("WEBHOOK_BASE_URL", "")];
    for shape in [Shape::Embedded, Shape::Production] {
        let desk = Desk::with(shape, &unset).await;
        let call = desk.call(1, facts(CallStatus::Completed, "+393500000001")).await;
        let url = async || {
            let mut urls = vec![desk.ask("/calls").await["calls"][0]["recording_url"].clone()];
            for path in ["/calls/1000000001", "/conversations/1000000001"] {
                urls.push(desk.ask(path).await["recording_url"].clone());
            }
            urls
        };
        desk.app.links.serve_at(([0, 0, 0, 0], 3000).into());
        assert_eq!(url().await, [Value::Null, Value::Null, Value::Null], "it is not stored yet");
        desk.tried(call, Step::Fetch, End::Done { skipped: None }, vec![recording(call, &desk.app)]).await;
        for url in url().await {
            let url = url.as_str().unwrap();
            let expected = match shape {
                Shape::Embedded => "http://localhost:3000/api/recordings/cloudtalk/1000000001?s=",
                Shape::Production => "X-Amz-Expires=3600",
            };
            assert!(url.contains(expected), "{url}");
        }
    }
}

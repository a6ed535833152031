#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::json;

use super::*;
use crate::domain::{Speaker, Transcript, Turn, Verdict};

const GOOD: &str = r#"{"summary":"Caller asked about billing.","sentiment":"positive","topics":["billing"],
    "action_items":[{"text":"send a new invoice","owner":"agent"}],"objections":[],"outcome":"resolved","next_step":null,
    "coaching":[{"strength":"friendly","improvement":null,"quote":"Happy to help!"}],
    "collected_data":[{"key":"name","value":"Jane Doe"}]}"#;

fn spoken() -> Spoken {
    let said = |speaker, text: &str| Turn { start: 0.0, end: 1.0, speaker, text: text.to_owned() };
    let turns = vec![
        said(Speaker::Agent, "Hello, happy to help"),
        said(Speaker::Agent, "you today."),
        said(Speaker::Caller, "My invoice <number 5> is wrong."),
    ];
    Spoken::of(&Transcript { turns, ..Transcript::default() })
}

fn completion(message: Value, finish_reason: Value) -> Completion {
    serde_json::from_value(json!({"choices": [{"message": message, "finish_reason": finish_reason}]})).unwrap()
}

fn reply(text: &str) -> Result<(Judged, usize), Unusable> {
    let completion = completion(json!({"role": "assistant", "content": text, "refusal": null}), json!("stop"));
    read(&completion, &spoken(), None).map(|read| (read.judged, read.quotes_removed))
}

/// A good reply with one field changed; `Value::Null` for the value removes nothing, it is sent.
fn with(field: &str, value: Value) -> Result<(Judged, usize), Unusable> {
    let mut object: Value = serde_json::from_str(GOOD).unwrap();
    object[field] = value;
    reply(&object.to_string())
}

fn without(field: &str) -> Result<(Judged, usize), Unusable> {
    let mut object: Value = serde_json::from_str(GOOD).unwrap();
    object.as_object_mut().unwrap().remove(field);
    reply(&object.to_string())
}

#[test]
fn a_reply_that_fits_is_taken_as_it_is() {
    let (judged, removed) = reply(GOOD).unwrap();
    assert_eq!(judged.summary, "Caller asked about billing.");
    assert_eq!(judged.sentiment, Some(Sentiment::Positive));
    assert_eq!(judged.action_items, [ActionItem { text: "send a new invoice".into(), owner: Owner::Agent }]);
    assert_eq!((judged.outcome.as_deref(), judged.next_step), (Some("resolved"), None));
    assert_eq!(judged.coaching[0].quote.as_deref(), Some("Happy to help!"));
    assert_eq!(judged.collected_data, [("name".to_owned(), "Jane Doe".to_owned())]);
    assert_eq!(removed, 0);
}

#[test]
fn json_is_found_in_whatever_is_put_around_it() {
    let expected = reply(GOOD).unwrap();
    for text in [
        format!("```json\n{GOOD}\n```"),
        format!("```\n{GOOD}```\nLet me know if you need more."),
        format!("Sure! Here is the review of {{this}} call:\n\n{GOOD}"),
        format!("<think>The schema wants {{\"topics\": []}} …</think>{GOOD}"),
        format!("\u{feff}\n{GOOD}\n"),
    ] {
        assert_eq!(reply(&text).as_ref(), Ok(&expected), "{text}");
    }
    let parts = completion(json!({"content": [{"type": "text", "text": GOOD}]}), Value::Null);
    assert_eq!(read(&parts, &spoken(), None).unwrap().judged, expected.0);
}

#[test]
fn what_is_meant_clearly_is_taken() {
    assert_eq!(with("sentiment", json!(" Negative ")).unwrap().0.sentiment, Some(Sentiment::Negative));
    assert_eq!(with("topics", Value::Null).unwrap().0.topics, Vec::<String>::new());
    assert_eq!(without("objections").unwrap().0.objections, Vec::<String>::new());
    assert_eq!(with("outcome", json!("  ")).unwrap().0.outcome, None);
    let data = with("collected_data", json!({"seats": 12, "city": "Rome", "none": null})).unwrap().0.collected_data;
    assert_eq!(data, [("city".to_owned(), "Rome".to_owned()), ("seats".to_owned(), "12".to_owned())]);
    let items = json!([{"text": "call back", "owner": "caller"}, {"text": "wait", "owner": "boss"}, {"text": " "}]);
    let owners: Vec<_> = with("action_items", items).unwrap().0.action_items.iter().map(|i| i.owner).collect();
    assert_eq!(owners, [Owner::Customer, Owner::Unknown]);
}

#[test]
fn quotes_that_nobody_said_are_taken_out_and_counted() {
    let quoted = |quote: &str| {
        let advice = json!([{"strength": null, "improvement": "listen", "quote": quote}]);
        let (judged, removed) = with("coaching", advice).unwrap();
        (judged.coaching[0].quote.clone(), removed)
    };
    assert_eq!(quoted("I want a refund"), (None, 1));
    assert_eq!(quoted("my invoice number five is wrong"), (None, 1), "nearly is not said");
    assert_eq!(quoted("help you today. My invoice"), (None, 1), "two people's words are nobody's");
    assert_eq!(quoted("Agent"), (None, 1));
    assert_eq!(quoted("happy to help you today").1, 0, "one speaker's turns in a row are one go");
    assert_eq!(quoted("Caller: My invoice <number 5> is wrong").0.as_deref(), Some("My invoice <number 5> is wrong"));
    let empty = with("coaching", json!([{"strength": " ", "improvement": null, "quote": "Hello"}])).unwrap();
    assert_eq!(empty.0.coaching, []);
}

#[test]
fn what_cannot_be_used_gets_a_complaint_or_a_verdict() {
    let cut = completion(json!({"content": "{\"summary\":\"Call"}), json!("length"));
    assert_eq!(read(&cut, &spoken(), None), Err(Unusable::CutOff));
    let filtered = completion(json!({"content": null}), json!("content_filter"));
    assert_eq!(read(&filtered, &spoken(), None), Err(Unusable::Filtered));
    let refused = completion(json!({"content": null, "refusal": "I cannot help with that."}), json!("stop"));
    assert_eq!(read(&refused, &spoken(), None), Err(Unusable::Refused));
    for text in ["", "I could not find a call.", "{\"summary\": \"cut", "[1, 2]", "\"summary\""] {
        assert_eq!(reply(text), Err(Unusable::NotJson), "{text}");
    }
    let off = [
        with("sentiment", json!("mixed")),
        with("sentiment", json!(3)),
        without("summary"),
        with("summary", json!("")),
    ];
    for result in off.into_iter().chain([with("topics", json!("billing")), with("action_items", json!(["call"]))]) {
        assert!(matches!(&result, Err(Unusable::OffSchema(_))), "{result:?}");
        assert!(result.unwrap_err().complaint().is_some());
    }
}

#[test]
fn errors_say_nothing_of_what_was_said() {
    let unusable = with("topics", json!("the caller's secret")).unwrap_err();
    assert!(unusable.complaint().unwrap().contains("secret"), "the model is told");
    let error = StepError::from(unusable);
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "model-reply-off-schema"));
    assert!(!format!("{error:?} {error}").contains("secret"));
}

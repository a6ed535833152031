#![expect(clippy::unwrap_used, reason = "tests may panic")]

use serde_json::json;

use super::*;
use crate::{domain::Conclusion, sinks::sample};

fn record(report: &Report) -> Value {
    serde_json::to_value(Record::of(report, report.call.display_id())).unwrap()
}

#[test]
fn a_finished_call_is_sent_with_everything() {
    let expected = json!({
        "callSid": "123456",
        "direction": "outbound",
        "callerNumber": "+393501234567",
        "callerName": "Mario Rossi",
        "status": "completed",
        "startedAt": "2025-09-16T14:02:58Z",
        "duration": 120,
        "recordingUrl": "https://calls.example.test/api/recordings/cloudtalk/123456?s=x",
        "transcript": "Agent: Hello Mario, how can I help?\nCaller: My invoice is wrong.",
        "sentiment": "positive",
        "topics": ["support", "billing"],
        "summary": "Customer called about an invoice, resolved.",
        "collectedData": {"email": "mario@example.test"},
        "cost": 0.0245
    });
    assert_eq!(record(&sample::analyzed()), expected);
}

#[test]
fn the_summary_ends_with_what_the_call_scored() {
    let mut report = sample::analyzed();
    report.feedback.as_mut().unwrap().scorecard = Some(sample::scored());
    assert_eq!(record(&report)["summary"], "Customer called about an invoice, resolved. Scorecard Service: 40%.");
}

#[test]
fn an_update_holds_what_came_of_the_call_and_nothing_else() {
    let report = sample::analyzed();
    let update = Record::of(&report, report.call.display_id()).update();
    let mut keys: Vec<_> = update.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let documented =
        ["collectedData", "cost", "duration", "recordingUrl", "sentiment", "status", "summary", "topics", "transcript"];
    assert_eq!(keys, documented);
}

#[test]
fn what_is_not_known_is_not_sent() {
    let mut report = sample::ended();
    report.recording_link = None;
    report.call.facts.contact.name = None;
    let sent = record(&report);
    let mut keys: Vec<_> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["callSid", "callerNumber", "direction", "duration", "startedAt", "status"]);
}

#[test]
fn a_call_goes_from_in_progress_to_how_it_ended() {
    let mut report = sample::ended();
    report.call.facts.status = None;
    assert_eq!(record(&report)["status"], "in-progress");
    assert!(record(&report).get("duration").is_none(), "it still goes on");
    report.call.conclusion = Some(Conclusion::Analyzed);
    assert_eq!(record(&report)["status"], "completed", "nobody said that it ended, but it must have");
    report.call.facts.status = Some(CallStatus::Missed);
    report.call.facts.duration_seconds = None;
    assert_eq!(record(&report)["status"], "missed");
    assert_eq!(record(&report)["duration"], 0);
}

#[test]
fn a_hidden_number_is_no_reason_not_to_record_the_call() {
    let mut report = sample::ended();
    report.call.facts.external_phone = None;
    assert_eq!(record(&report)["callerNumber"], "anonymous");
}

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::{
    domain::{Absence, CallId, Conclusion},
    sinks::sample,
};

fn at() -> DateTime<Utc> {
    "2025-09-16T15:00:00Z".parse().unwrap()
}

fn body(report: &Report, milestone: Milestone) -> Value {
    serde_json::from_slice(&Message::of(report, milestone, at()).body()).unwrap()
}

#[test]
fn a_recording_that_could_not_be_had_is_told_by_its_code() {
    let mut report = sample::ended();
    report.recording_link = None;
    report.absence = Some(Absence::Missing("recording-gone".into()));
    report.call.conclusion = Some(Conclusion::RecordingMissing);
    let data = &body(&report, Milestone::Analyzed)["data"];
    assert_eq!(
        (&data["conclusion"], &data["recording"]),
        (&json!("recording-missing"), &json!({"missing": "recording-gone"}))
    );
}

#[test]
fn each_milestone_says_what_is_known_by_then() {
    let report = sample::analyzed();
    let started = json!({
        "type": "call.started", "version": 1, "timestamp": "2025-09-16T14:02:58Z",
        "data": {"call": {
            "id": report.call.id, "provider": "cloudtalk", "account": "default", "provider_call_id": "123456",
            "direction": "outbound", "external_phone": "+393501234567", "agent": {"name": "Roberto"},
            "contact": {"name": "Mario Rossi"}, "campaign": "Sales Campaign", "started_at": "2025-09-16T14:02:58Z",
        }},
    });
    assert_eq!(body(&report, Milestone::Started), started, "nothing of how it went on");
    let ended = body(&report, Milestone::Ended);
    assert_eq!(ended["timestamp"], "2025-09-16T14:04:58Z");
    assert_eq!(ended["data"]["call"]["status"], "completed");
    let link = json!({"url": "https://calls.example.test/api/recordings/cloudtalk/123456?s=x"});
    assert_eq!(ended["data"]["recording"], link);
    let recorded = body(&report, Milestone::Recorded);
    assert_eq!(
        (&recorded["data"]["recording"]["format"], &recorded["data"]["conclusion"]),
        (&json!("wav"), &Value::Null)
    );
    let analyzed = body(&report, Milestone::Analyzed);
    assert_eq!(analyzed["type"], "call.analyzed");
    let data = &analyzed["data"];
    assert_eq!((&data["conclusion"], &data["cost"]), (&json!("analyzed"), &json!(0.0245)));
    assert_eq!(data["transcript"]["turns"][1]["text"], "My invoice is wrong.");
    assert_eq!(data["feedback"]["judged"]["collected_data"], json!({"email": "mario@example.test"}));
    assert_eq!(data["feedback"]["measured"]["talk_ratio"], 0.43);
    for ours in ["cloudtalk/123456.wav", "object_key", "recording_url"] {
        assert!(!analyzed.to_string().contains(ours), "{ours} is nobody's business");
    }
}

#[test]
fn a_message_keeps_its_id_until_it_says_something_else() {
    let id = |report: &Report, milestone| Message::of(report, milestone, at()).id;
    let (report, mut changed, mut other) = (sample::analyzed(), sample::analyzed(), sample::analyzed());
    changed.feedback.as_mut().unwrap().judged.summary = "Quite another summary.".into();
    other.call.id = CallId::new();
    let again = Message::of(&report, Milestone::Analyzed, at() + chrono::TimeDelta::hours(1)).id;
    assert_eq!(id(&report, Milestone::Analyzed), again, "whenever it is posted");
    assert_ne!(id(&report, Milestone::Analyzed), id(&changed, Milestone::Analyzed));
    for milestone in Milestone::ALL {
        assert_ne!(id(&report, milestone), id(&other, milestone));
    }
    changed.call.facts.contact.name = Some("Maria Rossi".into());
    assert_eq!(id(&report, Milestone::Started), id(&changed, Milestone::Started), "the begin is told once");
}

#[test]
fn a_score_is_told_with_the_words_that_show_it_and_told_again_when_nothing_else_changed() {
    let mut report = sample::analyzed();
    let unscored = body(&report, Milestone::Analyzed);
    assert_eq!(
        (&unscored["data"]["feedback"]["scorecard"], &unscored["data"]["feedback"]["parts"]),
        (&Value::Null, &Value::Null)
    );
    let feedback = report.feedback.as_mut().unwrap();
    (feedback.scorecard, feedback.parts) = (Some(sample::scored()), Some(3));
    let digest = sample::scored().digest;
    let message = Message::of(&report, Milestone::Analyzed, at());
    let told = &message.data["feedback"];
    assert_eq!(told["parts"], 3);
    let scorecard = &told["scorecard"];
    assert_eq!((&scorecard["name"], &scorecard["version"]), (&json!("Service"), &json!("3")));
    assert_eq!((&scorecard["digest"], &scorecard["total"]), (&json!(digest), &json!(40.0)));
    assert_eq!((&scorecard["scores"][0]["points"], &scorecard["scores"][0]["scale"]), (&json!(4), &json!(5)));
    assert_eq!(scorecard["scores"][0]["quotes"], json!(["Hello Mario, how can I help?"]));
    assert_eq!(
        (&scorecard["scores"][1]["unsupported"], &scorecard["scores"][3]["id"]),
        (&json!(true), &json!("identity"))
    );
    let held = message.delivery();
    assert!(Message::of(&report, Milestone::Analyzed, at()).is_told_by(&held), "the same again");
    report.feedback.as_mut().unwrap().scorecard.as_mut().unwrap().scores[0].points = Some(5);
    let again = Message::of(&report, Milestone::Analyzed, at());
    assert!(!again.is_told_by(&held) && again.id() != message.id(), "the score alone changed");
}

#[test]
fn a_transcript_that_is_too_long_stays_here() {
    let mut report = sample::analyzed();
    report.transcript.as_mut().unwrap().turns[0].text = "word ".repeat(LARGEST / 4);
    let message = Message::of(&report, Milestone::Analyzed, at());
    assert!(message.body().len() < LARGEST);
    assert_eq!(message.data["transcript"]["too_long"], true);
    assert_eq!(message.data["feedback"]["judged"]["sentiment"], "positive");
}

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::{
    domain::{Absence, Conclusion},
    sinks::sample,
};

const WITHOUT_LINK: Before = Before { call_note_links: Some(false), recording_note: false, log_call: false };
const WITH_LINK: Before = Before { call_note_links: Some(true), recording_note: false, log_call: false };

#[test]
fn the_last_recording_reads_as_in_the_recording_guide() {
    let mut report = sample::recorded();
    report.recording_link = Some("https://recordings.cloudtalk.io/123456.wav".into());
    let text = serde_json::to_string_pretty(&plan(&report, Milestone::Recorded, WITH_LINK).recording).unwrap();
    let expected = r#"{
  "recording_url": "https://recordings.cloudtalk.io/123456.wav",
  "recording_available": true,
  "call_id": "123456",
  "call_duration": 120,
  "recording_format": "wav",
  "updated_at": "2025-09-16T14:04:58Z"
}"#;
    assert_eq!(text, expected);
}

#[test]
fn a_recorded_call_is_tagged_once_its_recording_is_there() {
    let mut report = sample::ended();
    assert_eq!(plan(&report, Milestone::Ended, Before::default()).tags, [""; 0], "a recording is expected");
    report = sample::recorded();
    let all = ["CT-CallCompleted", "CT-OUTBOUND", "CT-COMPLETED", "CT-RecordingAvailable"];
    assert_eq!(plan(&report, Milestone::Recorded, WITH_LINK).tags, all);
    report.call.facts.recording_announced = true;
    assert_eq!(plan(&report, Milestone::Recorded, WITH_LINK).tags.last(), Some(&"CT-RecordingReady"));
}

#[test]
fn a_call_without_recording_is_tagged_at_its_end_or_when_none_came() {
    let mut missed = sample::ended();
    missed.recording_link = None;
    missed.call.facts.status = Some(CallStatus::Missed);
    missed.call.facts.direction = Some(Direction::Inbound);
    assert_eq!(plan(&missed, Milestone::Ended, Before::default()).tags, ["CT-INBOUND", "CT-FAILED"]);
    let mut unrecorded = sample::ended();
    unrecorded.call.conclusion = Some(Conclusion::NotRecorded);
    assert_eq!(plan(&unrecorded, Milestone::Ended, WITH_LINK).tags.len(), 3);
}

#[test]
fn the_recording_has_its_own_note_only_where_the_calls_note_could_not_mention_it() {
    let report = sample::recorded();
    let has_note = |before| plan(&report, Milestone::Recorded, before).note.is_some();
    assert!(has_note(WITHOUT_LINK));
    assert!(!has_note(WITH_LINK));
    assert!(!has_note(Before::default()), "the call's note may still come");
    assert!(has_note(Before { recording_note: true, ..WITH_LINK }), "a note that is there is kept up to date");
    let late = plan(&report, Milestone::Ended, WITHOUT_LINK);
    assert!(!late.note.unwrap().1.contains("📼"), "the note that people have read is not changed for it");
}

#[test]
fn a_recording_that_is_missing_is_told_with_the_tags_and_mended_in_place_when_it_comes() {
    let mut report = sample::ended();
    report.recording_link = None;
    report.absence = Some(Absence::Missing("not-audio".into()));
    report.call.conclusion = Some(Conclusion::RecordingMissing);
    let missing = plan(&report, Milestone::Ended, WITH_LINK);
    let note = missing.note.unwrap().1;
    assert!(note.contains("\n📼 Recording: Not available - what its provider sent is not audio\n"), "{note}");
    assert_eq!((missing.links, missing.tags.len()), (None, 3));
    let late = plan(&sample::recorded(), Milestone::Ended, Before::default());
    assert!(late.note.unwrap().1.contains("📼 Recording: Available"));
    assert_eq!(late.links, Some(true));
    report.absence = Some(Absence::NotRecorded);
    assert!(!plan(&report, Milestone::Ended, WITH_LINK).note.unwrap().1.contains("📼"), "nobody expects one");
}

#[test]
fn a_call_without_feedback_leaves_no_feedback_note() {
    let mut report = sample::ended();
    report.call.conclusion = Some(Conclusion::NoSpeech);
    assert!(plan(&report, Milestone::Analyzed, WITH_LINK).is_empty());
}

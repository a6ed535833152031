#![expect(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::{
    domain::{Speaker, Turn},
    sinks::sample,
};

fn note(report: &Report) -> String {
    feedback_note(report).unwrap()
}

#[test]
fn the_note_has_the_judgement_the_figures_and_the_words() {
    let expected = "\
[CloudTalk Feedback] Call with Mario Rossi, Agent: Roberto
📝 Summary: Customer called about an invoice, resolved.
Sentiment: positive
Topics: support, billing
Outcome: Invoice corrected
Next step: Call back on Friday
✅ Action items:
- Send the corrected invoice (agent)
- Confirm the address (customer)
🛑 Objections:
- Too expensive
🎯 Coaching:
- Did well: Greeted by name (\"Hello Mario\")
- Could improve: Ask before putting on hold
📋 Collected data:
- email: mario@example.test
📊 Talk: agent 43%, caller 57%, silence 12%, longest silence 4s, interruptions 2, 140 words/min, agent's longest monologue 20s

💬 Transcript:
Agent: Hello Mario, how can I help?
Caller: My invoice is wrong.

Call ID: 123456 - 2025-09-16T14:04:58Z";
    assert_eq!(note(&sample::analyzed()), expected);
}

#[test]
fn a_scorecard_is_shown_with_its_proof_and_what_lacks_it_is_marked() {
    let mut report = sample::analyzed();
    report.feedback.as_mut().unwrap().scorecard = Some(sample::scored());
    let expected = "
🏁 Scorecard Service: 40%
- Opening: 4/5 Greets by name. (\"Hello Mario, how can I help?\")
- Empathy: 5/5 Very kind. ⚠ no words of the call show it, not counted
- Asks for the budget: 0/5 Did not ask.
- Identity check: no occasion
📊 Talk: ";
    let note = note(&report);
    assert!(note.contains(expected), "{note}");
}

#[test]
fn what_was_not_measured_or_not_said_is_left_out() {
    let mut report = sample::analyzed();
    let feedback = report.feedback.as_mut().unwrap();
    feedback.measured = Measured { duration_seconds: 120.0, ..Measured::default() };
    feedback.judged.action_items.clear();
    feedback.judged.coaching.clear();
    feedback.judged.next_step = None;
    let note = note(&report);
    for absent in ["📊", "Action items", "Coaching", "Next step", "\n\n\n"] {
        assert!(!note.contains(absent), "{absent}: {note}");
    }
}

#[test]
fn a_long_transcript_is_cut_between_turns_and_says_so() {
    let mut report = sample::analyzed();
    let turn =
        |n: usize| Turn { start: 0.0, end: 1.0, speaker: Speaker::Agent, text: format!("{n} {}", "è".repeat(95)) };
    report.transcript.as_mut().unwrap().turns = (0..400).map(turn).collect();
    let note = note(&report);
    let (before, after) = note.split_once("\n… (transcript continues in Tapedeck)\n").unwrap();
    assert!(before.ends_with('è') && before.chars().count() < TRANSCRIPT_LIMIT + 1000);
    assert_eq!(after, "\nCall ID: 123456 - 2025-09-16T14:04:58Z", "the marker is never cut off");
}

#[test]
fn a_models_line_breaks_do_not_break_the_note() {
    let mut report = sample::analyzed();
    report.feedback.as_mut().unwrap().judged.summary = "One.\n\nCall ID: 99\r\n Two.".into();
    assert!(note(&report).contains("📝 Summary: One. Call ID: 99 Two.\n"));
}

#[test]
fn without_a_model_the_words_alone_are_worth_a_note_and_without_words_there_is_none() {
    let mut report = sample::analyzed();
    report.feedback = None;
    let expected = "\
[CloudTalk Feedback] Call with Mario Rossi, Agent: Roberto

💬 Transcript:
Agent: Hello Mario, how can I help?
Caller: My invoice is wrong.

Call ID: 123456 - 2025-09-16T14:04:58Z";
    assert_eq!(note(&report), expected);
    report.transcript = Some(Transcript::default());
    assert_eq!(feedback_note(&report), None);
}

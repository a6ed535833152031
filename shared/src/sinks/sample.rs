//! The call of the recording guide at its milestones, always the same one, for tests of sinks.

use crate::domain::{
    ActionItem, Agent, Call, CallFacts, CallId, CallStatus, Coaching, Conclusion, Contact, Direction, Feedback, Judged,
    Measured, Owner, PartyMeasured, Phone, ProviderId, Recording, Report, Score, Scorecard, Scored, Sentiment, Speaker,
    Transcript, Turn, Usage,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// It rings.
pub fn started() -> Report {
    let facts = CallFacts {
        provider_call_id: Some("123456".into()),
        direction: Some(Direction::Outbound),
        status: Some(CallStatus::InProgress),
        external_phone: Phone::parse("+393501234567"),
        agent: Agent { name: Some("Roberto".into()), ..Agent::default() },
        contact: Contact { name: Some("Mario Rossi".into()), ..Contact::default() },
        campaign: Some("Sales Campaign".into()),
        started_at: Some(at("2025-09-16T14:02:58Z")),
        ..CallFacts::default()
    };
    let call = Call {
        id: CallId(Uuid::from_u128(0x0199_51e2_7a00_7000_8000_0000_0000_0001)),
        provider: ProviderId::new("cloudtalk"),
        account: "default".into(),
        facts,
        conclusion: None,
        created_at: at("2025-09-16T14:00:00Z"),
    };
    Report {
        call,
        merged: Vec::new(),
        recording: None,
        absence: None,
        recording_link: None,
        transcript: None,
        feedback: None,
        held: Vec::new(),
        outranked: Vec::new(),
        maybe_written: false,
    }
}

/// It is over, and a recording is expected.
pub fn ended() -> Report {
    let mut report = started();
    report.call.facts.status = Some(CallStatus::Completed);
    report.call.facts.ended_at = Some(at("2025-09-16T14:04:58Z"));
    report.call.facts.duration_seconds = Some(120.0);
    report.call.facts.recorded = Some(true);
    report.recording_link = Some("https://calls.example.test/api/recordings/cloudtalk/123456?s=x".into());
    report
}

/// Its recording is stored.
pub fn recorded() -> Report {
    let recording = Recording {
        object_key: "cloudtalk/123456.wav".into(),
        size_bytes: 1_920_044,
        sha256: "0".repeat(64),
        duration_seconds: 120.2,
        channels: 2,
        sample_rate: 8000,
        format: "wav".into(),
        stored_at: at("2025-09-16T14:06:00Z"),
    };
    Report { recording: Some(recording), ..ended() }
}

/// It is transcribed and analyzed.
pub fn analyzed() -> Report {
    let mut report = recorded();
    let turn = |start, speaker, text: &str| Turn { start, end: start + 2.0, speaker, text: text.into() };
    report.transcript = Some(Transcript {
        turns: vec![
            turn(0.0, Speaker::Agent, "Hello Mario, how can I help?"),
            turn(2.5, Speaker::Caller, "My invoice is wrong."),
        ],
        timed: true,
        cost: Some(0.02),
        ..Transcript::default()
    });
    report.feedback = Some(Feedback {
        measured: measured(),
        judged: judged(),
        scorecard: None,
        model: "some-model".into(),
        prompt_version: "1".into(),
        parts: None,
        usage: Usage { input_tokens: 900, output_tokens: 100, cost: Some(0.0045) },
    });
    report.call.conclusion = Some(Conclusion::Analyzed);
    report
}

fn measured() -> Measured {
    let agent = PartyMeasured { talk_seconds: 45.0, longest_monologue_seconds: 20.0, words_per_minute: Some(150.0) };
    Measured {
        duration_seconds: 120.2,
        silence_ratio: Some(0.12),
        longest_silence_seconds: Some(4.0),
        talk_ratio: Some(0.43),
        interruptions: Some(2),
        words_per_minute: Some(140.0),
        agent: Some(agent),
        caller: None,
    }
}

fn judged() -> Judged {
    let item = |text: &str, owner| ActionItem { text: text.into(), owner };
    Judged {
        summary: "Customer called about an invoice, resolved.".into(),
        sentiment: Some(Sentiment::Positive),
        topics: vec!["support".into(), "billing".into()],
        action_items: vec![
            item("Send the corrected invoice", Owner::Agent),
            item("Confirm the address", Owner::Customer),
        ],
        objections: vec!["Too expensive".into()],
        outcome: Some("Invoice corrected".into()),
        next_step: Some("Call back on Friday".into()),
        coaching: vec![
            Coaching { strength: Some("Greeted by name".into()), improvement: None, quote: Some("Hello Mario".into()) },
            Coaching { strength: None, improvement: Some("Ask before putting on hold".into()), quote: None },
        ],
        collected_data: vec![("email".into(), "mario@example.test".into())],
    }
}

/// What it scored, with a score that no words show and one that there was no occasion for.
pub fn scored() -> Scored {
    let card = Scorecard::parse(
        r#"{"name": "Service", "version": "3", "criteria": [
            {"id": "opening", "name": "Opening", "description": "Greets.", "weight": 1, "scale": 5},
            {"id": "empathy", "name": "Empathy", "description": "Shows it.", "weight": 2, "scale": 5},
            {"id": "budget", "name": "Asks for the budget", "description": "Asks.", "weight": 1, "scale": 5},
            {"id": "identity", "name": "Identity check", "description": "Checks.", "weight": 1, "scale": 1}]}"#,
    )
    .expect("a literal scorecard");
    let given: [(Option<u32>, Option<&str>, &[&str]); 4] = [
        (Some(4), Some("Greets by name."), &["Hello Mario, how can I help?"]),
        (Some(5), Some("Very kind."), &[]),
        (Some(0), Some("Did not ask."), &[]),
        (None, None, &[]),
    ];
    let score = |(criterion, (points, reason, quotes)): (_, (_, Option<&str>, &[&str]))| {
        Score::new(criterion, points, reason.map(Into::into), quotes.iter().map(|quote| (*quote).into()).collect())
    };
    Scored::new(&card, card.criteria.iter().zip(given).map(score).collect())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a literal time")
}

//! The transcribe step against the sandbox's speech server.

use std::{sync::Arc, time::Duration};

use sandbox::{
    Fault, FaultKind, Sandbox, Vendor,
    samples::{self, Sample},
};
use serde_json::json;
use shared::{
    db,
    domain::{
        Call, CallFacts, Conclusion, Direction, Milestone, NewJob, Outcome, Recording, SinkId, Speaker, Step,
        StepError, Transcript, Verdict, Wake, Write,
    },
    service::{App, Role},
    sinks::Sinks,
    testing::{Scratch, Shape, eventually},
};
use workers::{step::Run, steps::transcribe::Transcribe};

use crate::given::{self, Crm, Given};

/// Where the recording is kept.
pub(crate) const KEY: &str = "recordings/cloudtalk/2026/11/call.wav";

pub(crate) struct World {
    _scratch: Scratch,
    pub(crate) sandbox: Sandbox,
    pub(crate) app: App,
}

impl World {
    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        Self::shaped(Shape::Embedded, settings).await
    }

    pub(crate) async fn shaped(shape: Shape, settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new(shape).await;
        let sandbox = Sandbox::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = sandbox.base_urls().openai;
        let env = scratch.env().with([("OPENAI_BASE_URL", url.as_str()), ("OPENAI_API_KEY", "sk-test")]);
        let mut app = App::open("test", env.with(settings.iter().copied()), Role::Whole).await.unwrap();
        app.sinks = Sinks::new(vec![Arc::new(Crm(&[Milestone::Analyzed]))]);
        Self { _scratch: scratch, sandbox, app }
    }

    /// A call whose recording is this file; `None` stores no file.
    pub(crate) async fn call(&self, wav: Option<&[u8]>, transcript: Option<Transcript>) -> Call {
        self.call_in(Direction::Inbound, wav, transcript).await
    }

    pub(crate) async fn call_in(
        &self,
        direction: Direction,
        wav: Option<&[u8]>,
        transcript: Option<Transcript>,
    ) -> Call {
        if let Some(wav) = wav {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), wav).unwrap();
            self.app.recordings.put(KEY, file.path(), "audio/wav").await.unwrap();
        }
        let recording = Recording {
            object_key: KEY.into(),
            size_bytes: 1,
            sha256: "0".repeat(64),
            duration_seconds: 30.0,
            channels: 2,
            sample_rate: 8000,
            format: "wav".into(),
            stored_at: "2026-11-20T09:00:00Z".parse().unwrap(),
        };
        let facts = CallFacts { direction: Some(direction), ..CallFacts::default() };
        given::call(&self.app, Given { facts, recording: Some(recording), transcript, ..Given::default() }).await
    }

    pub(crate) async fn run(&self, call: &Call) -> Result<Outcome, StepError> {
        let job = given::job(&NewJob::step(Step::Transcribe, call.id, Wake::No));
        Transcribe::new(&self.app).unwrap().run(&job).await
    }

    async fn kept(&self, call: &Call) -> usize {
        db::pieces::of(&self.app.db, call.id, Step::Transcribe).await.unwrap().len()
    }

    /// The next try buys what is missing, and nothing is kept once the transcript is written.
    async fn assert_buys_the_rest(&self, call: &Call, kept: usize) {
        let before = self.sandbox.state().openai.transcriptions;
        let outcome = self.run(call).await.unwrap();
        let bought = self.sandbox.state().openai.transcriptions - before;
        let heard: Vec<_> = transcript(&outcome).unwrap().turns.iter().map(|turn| turn.text.as_str()).collect();
        let said: Vec<_> = sample().turns.iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!((bought as usize, heard), (said.len() - kept, said));
        given::written(&self.app, outcome.writes).await;
        assert_eq!(self.kept(call).await, 0);
    }

    pub(crate) fn bought(&self) -> usize {
        self.sandbox.asked(Vendor::Openai, "transcriptions").len()
    }
}

pub(crate) fn sample() -> &'static Sample {
    samples::named("billing").unwrap()
}

pub(crate) fn transcript(outcome: &Outcome) -> Option<&Transcript> {
    outcome.writes.iter().find_map(|write| match write {
        Write::Transcript(_, transcript) => Some(transcript),
        _ => None,
    })
}

fn conclusion(outcome: &Outcome) -> Option<Conclusion> {
    outcome.writes.iter().find_map(|write| match write {
        Write::Conclusion(_, conclusion) => Some(*conclusion),
        _ => None,
    })
}

fn analyze_is_next(call: &Call, outcome: &Outcome) -> bool {
    outcome.next == [NewJob::step(Step::Analyze, call.id, Wake::No)]
}

/// Our work on the call is finished with this, and the sink hears of it.
fn assert_concluded(call: &Call, outcome: &Outcome, expected: Conclusion, reason: &str) {
    assert_eq!((conclusion(outcome), outcome.skipped.as_deref()), (Some(expected), Some(reason)));
    assert_eq!(outcome.next, [NewJob::sync(call.id, SinkId::new("crm"))]);
    assert!(transcript(outcome).is_none());
}

#[tokio::test]
async fn every_sample_call_becomes_its_turns() {
    let world = World::new(&[]).await;
    for sample in samples::all() {
        let direction = if sample.name == "sales" { Direction::Outbound } else { Direction::Inbound };
        let call = world.call_in(direction, Some(&sample.wav), None).await;
        let outcome = world.run(&call).await.unwrap();
        assert!(analyze_is_next(&call, &outcome));
        let transcript = transcript(&outcome).unwrap();
        assert_eq!(transcript.turns.len(), sample.turns.len(), "{}", sample.name);
        for (heard, said) in transcript.turns.iter().zip(&sample.turns) {
            let speaker = [Speaker::Caller, Speaker::Agent][said.channel];
            assert_eq!((heard.text.as_str(), heard.speaker), (said.text.as_str(), speaker));
            let off = (heard.start - said.start).abs().max((heard.end - said.end).abs());
            assert!(off < 0.12, "{off:.2} s off: {heard:?}");
        }
        assert!(transcript.timed && transcript.cost.is_some_and(|cost| cost > 0.0));
        assert!(transcript.billed_seconds < sample.duration * 1.3, "silence is not paid for");
    }
    assert_eq!(world.bought(), 2 * samples::all().len(), "one request for each side");
}

#[tokio::test]
async fn a_mono_recording_has_the_same_words_without_speakers() {
    let world = World::new(&[]).await;
    let call = world.call(Some(&sample().mono_wav()), None).await;
    let outcome = world.run(&call).await.unwrap();
    let transcript = transcript(&outcome).unwrap();
    assert!(transcript.turns.iter().all(|turn| turn.speaker == Speaker::Unknown));
    let heard: Vec<_> = transcript.turns.iter().flat_map(|turn| turn.text.split_whitespace()).collect();
    let said: Vec<_> = sample().turns.iter().flat_map(|turn| turn.text.split_whitespace()).collect();
    assert_eq!(heard, said);
}

#[tokio::test]
async fn a_model_without_times_gives_the_same_turns() {
    let world = World::new(&[("TRANSCRIBE_MODEL", "gpt-transcribe")]).await;
    let call = world.call(Some(&sample().wav), None).await;
    let outcome = world.run(&call).await.unwrap();
    let transcript = transcript(&outcome).unwrap();
    let heard: Vec<_> = transcript.turns.iter().map(|turn| turn.text.as_str()).collect();
    let said: Vec<_> = sample().turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(heard, said);
}

#[tokio::test]
async fn voices_of_a_mono_recording_keep_their_names_from_piece_to_piece() {
    let settings = [
        ("TRANSCRIBE_MONO_MODEL", "gpt-4o-transcribe-diarize"),
        ("TRANSCRIBE_LIMITS", "gpt-4o-transcribe-diarize seconds=16"),
        ("TRANSCRIBE_PROMPT", "which this model does not take"),
    ];
    let world = World::new(&settings).await;
    let call = world.call(Some(&sample().mono_wav()), None).await;
    let outcome = world.run(&call).await.unwrap();
    let transcript = transcript(&outcome).unwrap();
    assert!(world.bought() > 1, "one piece would prove nothing");
    let first = sample().turns[0].channel;
    for turn in &transcript.turns {
        let said =
            sample().turns.iter().min_by(|a, b| (a.start - turn.start).abs().total_cmp(&(b.start - turn.start).abs()));
        let voice = if said.unwrap().channel == first { 1 } else { 2 };
        assert_eq!(turn.speaker, Speaker::Voice(voice), "{turn:?}");
    }
}

#[tokio::test]
async fn a_call_with_a_transcript_is_not_bought_again() {
    let world = World::new(&[]).await;
    let call = world.call(Some(&sample().wav), Some(Transcript::default())).await;
    let outcome = world.run(&call).await.unwrap();
    assert!(analyze_is_next(&call, &outcome) && outcome.writes.is_empty());
    assert_eq!(world.bought(), 0);
}

/// Bought one after the other, a turn at a time.
const TURN_BY_TURN: [(&str, &str); 2] = [("TRANSCRIBE_MODEL", "gpt-transcribe"), ("TRANSCRIBE_PARALLEL", "1")];

#[tokio::test]
async fn a_try_that_was_killed_leaves_only_the_rest_to_buy() {
    for shape in [Shape::Embedded, Shape::Production] {
        let world = World::shaped(shape, &TURN_BY_TURN).await;
        let call = world.call(Some(&sample().wav), None).await;
        world.sandbox.fault(Fault::new(Vendor::Openai, FaultKind::Hang { ms: 60_000 }).after(3));
        tokio::select! {
            ended = world.run(&call) => panic!("it was to be killed: {ended:?}"),
            () = eventually("three pieces are kept", async || world.kept(&call).await == 3) => {}
        }
        world.sandbox.clear_faults();
        world.assert_buys_the_rest(&call, 3).await;
    }
}

#[tokio::test]
async fn a_piece_that_fails_costs_none_of_the_others() {
    let world = World::new(&TURN_BY_TURN).await;
    let call = world.call(Some(&sample().wav), None).await;
    world.sandbox.fault(Fault::status(Vendor::Openai, 401).after(4));
    let error = world.run(&call).await.unwrap_err();
    assert_eq!((error.verdict, world.kept(&call).await), (Verdict::Fail, 4));
    world.sandbox.clear_faults();
    world.assert_buys_the_rest(&call, 4).await;
}

#[tokio::test]
async fn another_model_hears_it_anew() {
    let mut world = World::new(&TURN_BY_TURN).await;
    let call = world.call(Some(&sample().wav), None).await;
    world.run(&call).await.unwrap();
    let before = world.sandbox.state().openai.transcriptions;
    world.run(&call).await.unwrap();
    assert_eq!(world.sandbox.state().openai.transcriptions, before, "everything is kept");
    world.app.env = world.app.env.with([("TRANSCRIBE_MODEL", "whisper-1")]);
    world.run(&call).await.unwrap();
    assert_eq!(world.sandbox.state().openai.transcriptions, before + 2, "one request for each side");
}

#[tokio::test]
async fn what_nobody_said_stays_out_of_the_transcript() {
    let invented = |text: &str, no_speech: f64, compression: f64| {
        let segment = json!({"start": 0.5, "end": 2.5, "text": text, "avg_logprob": -1.3,
            "no_speech_prob": no_speech, "compression_ratio": compression});
        json!({"text": text, "language": "english", "segments": [segment]})
    };
    let cases = [
        (invented("Good morning.", 0.1, 1.2), Some("Good morning.")),
        (invented("Good morning.", 0.9, 1.2), None),
        (invented("Good morning.", 0.1, 3.1), None),
        (invented("[BLANK_AUDIO]", 0.1, 1.2), None),
        (invented("Subtitles by the Amara.org community", 0.1, 1.2), None),
        (invented(&"Please hold the line. ".repeat(9), 0.1, 1.2), Some("Please hold the line.")),
    ];
    for (body, expected) in cases {
        let world = World::new(&[]).await;
        let call = world.call(Some(&sample().mono_wav()), None).await;
        world.sandbox.fault(Fault::status(Vendor::Openai, 200).body(body.clone()));
        let outcome = world.run(&call).await.unwrap();
        match expected {
            Some(text) => assert_eq!(transcript(&outcome).unwrap().turns[0].text, text, "{body}"),
            None => assert_concluded(&call, &outcome, Conclusion::NoSpeech, "no-speech"),
        }
    }
}

#[tokio::test]
async fn calls_without_words_are_concluded_and_cost_nothing() {
    let world = World::new(&[]).await;
    let silent = world.call(Some(&samples::wav(vec![0; 80_000])), None).await;
    assert_concluded(&silent, &world.run(&silent).await.unwrap(), Conclusion::NoSpeech, "no-speech");
    let [_, agent] = sample().channels();
    let hello = samples::wav(agent[..12_000].iter().copied().chain([0; 16_000]));
    let short = world.call(Some(&hello), None).await;
    assert_concluded(&short, &world.run(&short).await.unwrap(), Conclusion::TooShort, "too-short");
    assert_eq!(world.bought(), 0);
}

#[tokio::test]
async fn without_a_speech_server_calls_are_concluded_without_words() {
    let world = World::new(&[("OPENAI_BASE_URL", ""), ("OPENAI_API_KEY", "")]).await;
    let call = world.call(Some(&sample().wav), None).await;
    assert_concluded(&call, &world.run(&call).await.unwrap(), Conclusion::NotAnalyzed, "no-speech-server");
}

#[tokio::test]
async fn a_limited_server_is_left_alone_for_as_long_as_it_says() {
    let world = World::new(&[]).await;
    world.sandbox.fault(Fault::status(Vendor::Openai, 429).retry_after(37));
    let call = world.call(Some(&sample().wav), None).await;
    let error = world.run(&call).await.unwrap_err();
    let Verdict::Snooze { after } = error.verdict else { panic!("{error:?}") };
    assert!((30..=37).contains(&after.as_secs()), "{after:?}");
    assert!(after <= Duration::from_secs(37) && !format!("{error:?}").contains("invoice"));
}

#[tokio::test]
async fn a_broken_server_is_tried_again() {
    let world = World::new(&[]).await;
    world.sandbox.fault(Fault::status(Vendor::Openai, 502).body("<h1>Bad Gateway</h1>".into()));
    let call = world.call(Some(&sample().wav), None).await;
    let error = world.run(&call).await.unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Retry { after: None }, "vendor-broken"));
}

#[tokio::test]
async fn a_recording_that_vanished_needs_a_person() {
    let world = World::new(&[]).await;
    let call = world.call(None, None).await;
    let error = world.run(&call).await.unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "recording-gone"));
}

#[tokio::test]
async fn waits_instead_of_spending_more_than_the_daily_cap() {
    let world = World::new(&[("DAILY_COST_CAP", "0.0001")]).await;
    let call = world.call(Some(&sample().wav), None).await;
    let error = world.run(&call).await.unwrap_err();
    assert_eq!((error.verdict, error.reason.as_ref()), (Verdict::Fail, "request-over-daily-cap"), "no day can pay it");
    assert_eq!(world.bought(), 0);
    let world = World::new(&[("DAILY_COST_CAP", "0")]).await;
    let call = world.call(Some(&sample().wav), None).await;
    let error = world.run(&call).await.unwrap_err();
    assert_eq!(error.reason, "daily-cost-cap");
    assert!(matches!(error.verdict, Verdict::Snooze { .. }), "{error}");
    assert_eq!(world.bought(), 0);
}

#[tokio::test]
async fn a_cap_without_a_price_refuses_to_start() {
    let world = World::new(&[("DAILY_COST_CAP", "5"), ("TRANSCRIBE_MODEL", "a-model-of-ones-own")]).await;
    let refused = Transcribe::new(&world.app).err().unwrap().to_string();
    assert!(refused.contains("TRANSCRIBE_PRICE_PER_MINUTE"), "{refused}");
}

#[tokio::test]
async fn what_must_not_lie_about_is_taken_out_before_the_words_are_kept() {
    let text = "My card is five four two five, 2334 3010 9903, and my PIN is 4321. Write to jane@example.com.";
    let kept = async |settings: &[(&str, &str)]| {
        let world = World::new(settings).await;
        world
            .sandbox
            .fault(Fault::status(Vendor::Openai, 200).path("transcriptions").body(serde_json::json!({"text": text})));
        let call = world.call(Some(&sample().wav), None).await;
        let outcome = world.run(&call).await.unwrap();
        let transcript = transcript(&outcome).unwrap();
        let kinds: Vec<_> = transcript.redacted.iter().map(|kind| kind.as_str()).collect();
        (transcript.text(), kinds.join(","))
    };
    let holds = |text: &str| ["2334", "4321", "jane@example.com"].map(|secret| text.contains(secret));
    let (text, kinds) = kept(&[]).await;
    assert_eq!((holds(&text), kinds.as_str()), ([false, false, true], "card,secret"), "{text}");
    let (text, kinds) = kept(&[("REDACT", "email")]).await;
    assert_eq!((holds(&text), kinds.as_str()), ([true, true, false], "email"), "{text}");
    let (text, kinds) = kept(&[("REDACT", "off")]).await;
    assert_eq!((holds(&text), kinds.as_str()), ([true; 3], ""), "{text}");
}

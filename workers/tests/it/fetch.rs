//! The fetch step against a CloudTalk that behaves, and one that does not.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use chrono::TimeDelta;
use futures::TryStreamExt;
use sandbox::{Fault, FaultKind, Recording as Offered, RecordingFile, Sandbox, Vendor};
use sha2::{Digest, Sha256};
use shared::{
    clock::Clock,
    domain::{
        Call, CallFacts, Conclusion, Job, Milestone, NewJob, Outcome, Recording, Step, StepError, Verdict, Wake, Write,
    },
    service::{App, Role},
    sinks::Sinks,
    testing::{Scratch, Shape},
};
use workers::{step::Run, steps::fetch::Fetch};

use crate::given::{self, Crm, Given};

const CALL: u64 = 1_042_600_731;
/// Bytes of a second of the sandbox's audio.
const SECOND: u64 = 16_000;

/// A CloudTalk, and an installation that fetches from it.
struct World {
    sandbox: Sandbox,
    app: App,
    spool: PathBuf,
    _scratch: Scratch,
}

impl World {
    async fn new(settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let scratch = Scratch::new(Shape::Embedded).await;
        let spool = PathBuf::from(scratch.env().var("TAPEDECK_DATA").unwrap()).join("spool");
        let env = scratch.env().with([
            ("CLOUDTALK_BASE_URL", sandbox.base_urls().cloudtalk.as_str()),
            ("CLOUDTALK_API_KEY", "id:key"),
            ("CLOUDTALK_WEBHOOK_SECRET", "s3cret"),
            ("CLOUDTALK_RATE_PER_MINUTE", "0"),
            ("TAPEDECK_SPOOL", spool.to_str().unwrap()),
        ]);
        let mut app = App::open("test", env.with(settings.iter().copied()), Role::Whole).await.unwrap();
        app.sinks = Sinks::new(vec![Arc::new(Crm(&[Milestone::Recorded, Milestone::Analyzed]))]);
        Self { sandbox, app, spool, _scratch: scratch }
    }

    async fn offering(recording: impl Into<Offered>) -> Self {
        let world = Self::new(&[]).await;
        world.sandbox.add_recording(CALL, recording);
        world
    }

    /// That much later for the step.
    fn later(&mut self, hours: i64) {
        self.app.clock = Clock::from_fn(move || Clock::system().now() + TimeDelta::hours(hours));
    }

    async fn call(&self, facts: CallFacts) -> Call {
        let facts = CallFacts { provider_call_id: Some(CALL.to_string()), ..facts };
        given::call(&self.app, Given { facts, ..Given::default() }).await
    }

    /// Runs the step, and looks that it leaves nothing on the way.
    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let result = Fetch::new(&self.app).unwrap().run(job).await;
        assert_eq!(std::fs::read_dir(&self.spool).unwrap().count(), 0, "something was left in the spool");
        result
    }

    async fn fetch(&self, facts: CallFacts) -> Result<Outcome, StepError> {
        let call = self.call(facts).await;
        self.run(&job(&call)).await
    }

    async fn stored(&self, key: &str) -> Vec<u8> {
        let stream = self.app.recordings.get(key, None).await.unwrap();
        stream.try_collect::<Vec<_>>().await.unwrap().concat()
    }
}

fn job(call: &Call) -> Job {
    given::job(&NewJob::step(Step::Fetch, call.id, Wake::No))
}

fn seconds(seconds: u64) -> RecordingFile {
    RecordingFile::Generated { bytes: 44 + seconds * SECOND }
}

fn recorded() -> CallFacts {
    CallFacts { recorded: Some(true), ..CallFacts::default() }
}

fn recording(outcome: &Outcome) -> &Recording {
    match outcome.writes.as_slice() {
        [Write::Recording(_, recording)] => recording,
        other => panic!("expected a recording, got {other:?}"),
    }
}

fn next(outcome: &Outcome) -> Vec<String> {
    outcome.next.iter().map(|job| job.queue().to_string()).collect()
}

fn verdict(result: Result<Outcome, StepError>) -> (String, Verdict) {
    let error = result.unwrap_err();
    (error.reason.into_owned(), error.verdict)
}

const RETRY: Verdict = Verdict::Retry { after: None };

#[tokio::test]
async fn stores_the_recording_and_says_what_is_due() {
    let wav = sandbox_wav();
    let world = World::offering(RecordingFile::Bytes(wav.clone())).await;
    let call = world.call(recorded()).await;
    let outcome = world.run(&job(&call)).await.unwrap();
    let kept = recording(&outcome);
    let month = call.created_at.format("%Y/%m");
    assert_eq!(kept.object_key, format!("recordings/cloudtalk/{month}/{}.wav", call.id));
    assert_eq!(kept.size_bytes, wav.len() as i64);
    assert_eq!(kept.sha256, hex::encode(Sha256::digest(&wav)));
    assert_eq!((kept.format.as_str(), kept.sample_rate), ("wav", 8000));
    assert!(kept.duration_seconds > 1.0, "{}", kept.duration_seconds);
    assert_eq!(world.stored(&kept.object_key).await, wav);
    assert_eq!(next(&outcome), ["transcribe", "sync.crm"]);
    assert_eq!(outcome.skipped, None);
}

#[tokio::test]
async fn a_stored_recording_is_not_fetched_again_but_what_is_due_stays_due() {
    let world = World::offering(seconds(3)).await;
    let first = world.fetch(recorded()).await.unwrap();
    let given = Given { facts: recorded(), recording: Some(recording(&first).clone()), ..Given::default() };
    let call = given::call(&world.app, given).await;
    world.sandbox.clear_ledger();
    let again = world.run(&job(&call)).await.unwrap();
    assert!(again.writes.is_empty());
    assert_eq!(next(&again), ["transcribe", "sync.crm"]);
    assert!(world.sandbox.ledger().is_empty());
}

#[tokio::test]
async fn waits_for_a_recording_that_is_not_there_yet() {
    let world = World::offering(seconds(3).not_ready(2)).await;
    let call = world.call(recorded()).await;
    for _ in 0..2 {
        let (reason, verdict) = verdict(world.run(&job(&call)).await);
        assert_eq!(reason, "recording-not-ready");
        assert!(matches!(verdict, Verdict::Snooze { after } if after.as_secs() == 5), "{verdict:?}");
    }
    recording(&world.run(&job(&call)).await.unwrap());
}

#[tokio::test]
async fn a_recording_that_never_came_is_a_failure_only_if_it_was_promised() {
    let mut world = World::new(&[]).await;
    let (promised, unknown) = (world.call(recorded()).await, world.call(CallFacts::default()).await);
    world.later(50);
    let late = |call: &Call| Job { snoozes: 30, ..job(call) };
    let (reason, verdict) = verdict(world.run(&late(&promised)).await);
    assert_eq!((reason.as_str(), verdict), ("recording-never-came", Verdict::Fail));

    let outcome = world.run(&late(&unknown)).await.unwrap();
    assert_eq!(outcome.skipped.as_deref(), Some("not-recorded"));
    assert!(matches!(outcome.writes[..], [Write::Conclusion(id, Conclusion::NotRecorded)] if id == unknown.id));
    assert_eq!(next(&outcome), ["sync.crm"]);
}

#[tokio::test]
async fn a_recording_that_is_gone_is_a_failure_only_if_there_was_one() {
    let world = World::offering(seconds(3).gone()).await;
    let (reason, verdict) = verdict(world.fetch(recorded()).await);
    assert_eq!((reason.as_str(), verdict), ("recording-gone", Verdict::Fail));
    let outcome = world.fetch(CallFacts::default()).await.unwrap();
    assert_eq!(outcome.skipped.as_deref(), Some("not-recorded"));
}

#[tokio::test]
async fn nothing_but_audio_is_kept() {
    let bytes = |text: &'static [u8]| RecordingFile::Bytes(Bytes::from_static(text));
    let short_wav = sandbox_wav().slice(..4000);
    let offered = [
        (bytes(b"<!DOCTYPE html><html><body>Please log in</body></html>"), "not-audio"),
        (bytes(br#"{"responseData":{"status":404,"message":"Not found."}}"#), "not-audio"),
        (bytes(b"<?xml version=\"1.0\"?><Error/>"), "not-audio"),
        (bytes(b""), "not-audio"),
        (bytes(b"no audio at all, but long enough to be some"), "not-audio"),
        (RecordingFile::Bytes(short_wav), "truncated"),
    ];
    for (file, reason) in offered {
        let world = World::offering(file).await;
        assert_eq!(verdict(world.fetch(recorded()).await), (reason.to_owned(), RETRY));
        assert!(!std::path::Path::new(world.app.env.var("TAPEDECK_DATA").unwrap()).join("recordings").exists());
    }
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_nothing_and_is_tried_again() {
    let faults = [
        (FaultKind::CutOff, "truncated"),
        (FaultKind::Html200, "vendor-broken"),
        (FaultKind::Empty200, "not-audio"),
        (FaultKind::Refuse, "vendor-unreachable"),
        (FaultKind::Status { status: 502, retry_after: None, body: None }, "vendor-broken"),
    ];
    let world = World::offering(seconds(30)).await;
    for (fault, reason) in faults {
        world.sandbox.clear_faults();
        world.sandbox.fault(Fault::new(Vendor::Cloudtalk, fault.clone()));
        assert_eq!(verdict(world.fetch(recorded()).await), (reason.to_owned(), RETRY), "{fault:?}");
    }
    world.sandbox.clear_faults();
    recording(&world.fetch(recorded()).await.unwrap());
}

#[tokio::test]
async fn a_recording_that_is_larger_than_allowed_is_for_a_person() {
    let world = World::new(&[("MAX_RECORDING_BYTES", "50000")]).await;
    let link = world.sandbox.add_recording(CALL, seconds(30));
    for recording_url in [None, Some(link)] {
        let (reason, verdict) = verdict(world.fetch(CallFacts { recording_url, ..recorded() }).await);
        assert_eq!((reason.as_str(), verdict), ("recording-too-large", Verdict::Fail));
    }
}

#[tokio::test]
async fn a_recording_much_shorter_than_its_call_is_given_time_to_grow() {
    let world = World::offering(seconds(30)).await;
    let lasting = |duration: f64| CallFacts { duration_seconds: Some(duration), ..recorded() };
    let long = world.call(lasting(600.0)).await;
    assert_eq!(verdict(world.run(&job(&long)).await), ("recording-incomplete".to_owned(), RETRY));
    let last = Job { attempt: 6, ..job(&long) };
    assert_eq!(verdict(world.run(&last).await), ("recording-incomplete".to_owned(), Verdict::Fail));
    world.sandbox.add_recording(CALL, seconds(598));
    recording(&world.run(&job(&long)).await.unwrap());

    world.sandbox.add_recording(CALL, seconds(30));
    for plausible in [31.0, 40.0, 5.0, 0.0] {
        recording(&world.fetch(lasting(plausible)).await.unwrap());
    }
}

#[tokio::test]
async fn a_recording_that_lacks_no_more_than_ringing_is_kept_once_it_stopped_growing() {
    let world = World::offering(seconds(30)).await;
    let call = world.call(CallFacts { duration_seconds: Some(55.0), ..recorded() }).await;
    assert_eq!(verdict(world.run(&job(&call)).await), ("recording-incomplete".to_owned(), RETRY));
    recording(&world.run(&Job { attempt: 6, ..job(&call) }).await.unwrap());
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_again() {
    let away = [("S3_BUCKET", "tapes"), ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")];
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
    let world = World::new(&[away, keys].concat()).await;
    world.sandbox.add_recording(CALL, seconds(3));
    assert_eq!(verdict(world.fetch(recorded()).await), ("store-unreachable".to_owned(), RETRY));
}

fn sandbox_wav() -> Bytes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sandbox/samples/support.wav");
    std::fs::read(path).unwrap().into()
}

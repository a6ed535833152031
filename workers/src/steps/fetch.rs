//! fetch: copies the recording from the provider to the object store, proving that it is audio.
//!
//! [`asking`] says who is asked, [`spool`] brings the bytes to this machine's disk, [`patience`] says how long one waits for
//! a recording.

mod asking;
mod patience;
mod spool;

use std::{path::PathBuf, time::Duration};

use anyhow::anyhow;
use async_trait::async_trait;
use chrono::Datelike;
use shared::{
    audio::{NotAudio, Probe},
    clock::Clock,
    db::{self, Db, calls::Found},
    domain::{
        Call, Conclusion, Job, Milestone, NewJob, Outcome, ProviderId, Recording, Step, StepError, VerdictExt, Wake,
        Write,
    },
    http::Download,
    providers::{Provider, Providers, RecordingError},
    recordings::{self, SharedRecordings, Spooled},
    service::App,
    sinks::Sinks,
};

use super::call;
use crate::step::Run;

/// A recording may be shorter than the talk by this many seconds, or by this share of it.
const SHORTER: (f64, f64) = (10.0, 0.2);
/// Tries in which a recording that is too short may still grow: providers publish early. Some eight minutes.
const GROWS: i32 = 6;

/// The step.
pub struct Fetch {
    db: Db,
    clock: Clock,
    providers: Providers,
    sinks: Sinks,
    recordings: SharedRecordings,
    /// Recordings lie here on their way.
    spool: PathBuf,
    max_bytes: u64,
}

impl Fetch {
    /// Takes what it needs. `TAPEDECK_SPOOL` names the directory for recordings on their way, by default the system's
    /// own; `MAX_RECORDING_BYTES` the largest that is taken.
    ///
    /// # Errors
    /// When these cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        let App { db, clock, providers, sinks, recordings, .. } = app.clone();
        let spool = recordings::spool_directory(&app.env)?;
        let max_bytes = recordings::max_bytes(&app.env)?;
        Ok(Self { db, clock, providers, sinks, recordings, spool, max_bytes })
    }

    async fn keep(
        &self,
        job: &Job,
        call: &Call,
        source: &dyn Provider,
        download: Download,
    ) -> Result<Outcome, StepError> {
        let spooled = spool::take(&self.spool, download, self.max_bytes).await?;
        let probe = spooled.probe().await.map_err(unproven)?;
        plausible(job, told(call, source), probe.duration_seconds)?;
        let recording = self.store(call, &source.id(), &spooled, probe).await?;
        tracing::info!(bytes = recording.size_bytes, seconds = recording.duration_seconds, "recording stored");
        Ok(Outcome { writes: vec![Write::Recording(call.id, recording)], next: self.next(call), ..Outcome::default() })
    }

    async fn store(
        &self,
        call: &Call,
        source: &ProviderId,
        spooled: &Spooled,
        probe: Probe,
    ) -> Result<Recording, StepError> {
        let Probe { format, duration_seconds, channels, sample_rate } = probe;
        let day = call.created_at;
        let recording = Recording {
            object_key: format!("recordings/{source}/{}/{:02}/{}.{format}", day.year(), day.month(), call.id),
            size_bytes: i64::try_from(spooled.bytes).or_fail("recording-too-large")?,
            sha256: spooled.sha256.clone(),
            duration_seconds,
            channels,
            sample_rate,
            format: format.to_owned(),
            stored_at: self.clock.now(),
        };
        let key = &recording.object_key;
        self.recordings.put(key, spooled.path(), recording.content_type()).await?;
        match self.recordings.size(key).await? {
            Some(bytes) if bytes == spooled.bytes => Ok(recording),
            kept => {
                let what = anyhow!("the object store holds {kept:?} of {} bytes", spooled.bytes);
                Err(StepError::retry("store-lost-bytes", what))
            }
        }
    }

    /// The recording that came with an event, if it is in the store: proven and kept by whoever accepted the event.
    async fn received(&self, call: &Call) -> Result<Option<Outcome>, StepError> {
        let Some(recording) = &call.facts.received else { return Ok(None) };
        let kept = self.recordings.size(&recording.object_key).await?;
        if kept.and_then(|bytes| i64::try_from(bytes).ok()) != Some(recording.size_bytes) {
            tracing::warn!("the recording that came with an event is not in the store: the provider is asked");
            return Ok(None);
        }
        let writes = vec![Write::Recording(call.id, recording.clone())];
        Ok(Some(Outcome { writes, next: self.next(call), ..Outcome::default() }))
    }

    /// Audio that came with an event after it had been fetched is not kept twice.
    async fn tidy(&self, call: &Call, kept: &Recording) {
        if let Some(second) = call.facts.received.as_ref().filter(|second| second.object_key != kept.object_key)
            && let Err(error) = self.recordings.delete(&second.object_key).await
        {
            tracing::warn!(%error, "a second copy of a recording stays in the store");
        }
    }

    /// What is due once the recording is stored.
    fn next(&self, call: &Call) -> Vec<NewJob> {
        let transcribe = NewJob::step(Step::Transcribe, call.id, Wake::No);
        let told = self.sinks.wanting(Milestone::Recorded, call).into_iter();
        std::iter::once(transcribe).chain(told.map(|sink| NewJob::sync(call.id, sink))).collect()
    }

    fn wait(&self, job: &Job, call: &Call) -> Result<Outcome, StepError> {
        let age = (self.clock.now() - call.created_at).to_std().unwrap_or_default();
        match patience::wait(age, job.snoozes, expected(call)) {
            Some(after) => Err(StepError::snooze("recording-not-ready", after, anyhow!("the provider has it not yet"))),
            None => self.absent(call, "recording-never-came", "the provider never had it"),
        }
    }

    /// There is no recording. Where the provider wrote down what was said, our work goes on with that; else it is to be
    /// looked into when the provider said that there is one, and the end of our work when not.
    fn absent(&self, call: &Call, reason: &'static str, why: &str) -> Result<Outcome, StepError> {
        if call.facts.words {
            tracing::warn!(why, "going on without a recording");
            let next = vec![NewJob::step(Step::Transcribe, call.id, Wake::No)];
            return Ok(Outcome { skipped: Some(reason.into()), next, ..Outcome::default() });
        }
        if expected(call) {
            return Err(StepError::fail(reason, anyhow!("the provider said that the call was recorded, but: {why}")));
        }
        Ok(Outcome { skipped: Some("not-recorded".into()), ..self.concluded(call, Conclusion::NotRecorded) })
    }

    /// Our work on the call ends without a recording: every sink that cares is told.
    fn concluded(&self, call: &Call, conclusion: Conclusion) -> Outcome {
        let concluded = Call { conclusion: Some(conclusion), ..call.clone() };
        let told = self.sinks.wanting(Milestone::Analyzed, &concluded).into_iter();
        Outcome {
            writes: vec![Write::Conclusion(call.id, conclusion)],
            next: told.map(|sink| NewJob::sync(call.id, sink)).collect(),
            ..Outcome::default()
        }
    }
}

#[async_trait]
impl Run for Fetch {
    fn step(&self) -> Step {
        Step::Fetch
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(20 * 60)
    }

    fn concurrency(&self) -> u16 {
        8
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let Found { call, family, .. } = match call::of(&self.db, job).await? {
            Ok(found) => found,
            Err(merged) => return Ok(merged),
        };
        if let Some(kept) = db::recordings::of(&self.db, &family).await.or_ours()? {
            self.tidy(&call, &kept).await;
            return Ok(Outcome { next: self.next(&call), ..Outcome::default() });
        }
        if let Some(outcome) = self.received(&call).await? {
            return Ok(outcome);
        }
        match asking::open(&self.providers, &call).await {
            Ok((source, download)) => self.keep(job, &call, source, download).await,
            Err(RecordingError::NotReady) => self.wait(job, &call),
            Err(RecordingError::Never(why)) => self.absent(&call, "recording-gone", &why),
            Err(RecordingError::Step(error)) => Err(error),
        }
    }

    /// Whoever was told to expect the recording is told that it could not be had. A call that was found to be another one
    /// leaves that to the other's fetch.
    async fn given_up(&self, job: &Job) -> Result<Outcome, StepError> {
        let Some(id) = job.call_id else { return Ok(Outcome::default()) };
        Ok(match db::calls::find(&self.db, id).await.or_ours()? {
            // What the provider wrote down is there all the same.
            Some(call) if call.id == id && call.facts.words => {
                Outcome { next: vec![NewJob::step(Step::Transcribe, id, Wake::No)], ..Outcome::default() }
            }
            Some(call) if call.id == id => self.concluded(&call, Conclusion::RecordingMissing),
            Some(survivor) => Outcome::merged(job, survivor.id),
            None => Outcome::default(),
        })
    }
}

/// Whether the provider said that there is a recording.
fn expected(call: &Call) -> bool {
    call.facts.recorded == Some(true) || call.facts.recording_announced || call.facts.recording_url.is_some()
}

/// How long the recording is, as whoever it comes from says. Where one provider carried the call of another, only the
/// carrier speaks of the recording's own length.
fn told(call: &Call, source: &dyn Provider) -> f64 {
    let (recording, talk) = (call.facts.recording_seconds, call.facts.duration_seconds);
    let carried = call.facts.keys.iter().any(|key| key.kind == "recording_sid") && !source.is_carrier();
    (if carried { talk.or(recording) } else { recording.or(talk) }).unwrap_or_default()
}

/// Refuses a recording that cannot be all of the call. A longer one is fine: it holds waiting time too.
///
/// When it does not grow, the better part of a call is kept, because some count ringing as duration; less than half is
/// for a person to look at.
fn plausible(job: &Job, told: f64, found: f64) -> Result<(), StepError> {
    if found + SHORTER.0.max(SHORTER.1 * told) >= told {
        return Ok(());
    }
    let what = anyhow!("a recording of {found:.0} s for a call of {told:.0} s");
    if job.attempt < GROWS {
        return Err(StepError::retry("recording-incomplete", what));
    }
    if found < told / 2.0 {
        return Err(StepError::fail("recording-incomplete", what));
    }
    tracing::warn!(found, told, "kept a recording that is shorter than its call");
    Ok(())
}

/// What is not audio today may be audio once the provider is well again.
fn unproven(error: NotAudio) -> StepError {
    let reason = match error {
        NotAudio::Truncated { .. } => "truncated",
        NotAudio::Io(_) => "spool-failed",
        _ => "not-audio",
    };
    StepError::retry(reason, error)
}

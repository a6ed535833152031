//! transcribe: a stored recording to speaker-labelled turns; without one, the provider's own words.

use std::{path::PathBuf, time::Duration};

use anyhow::anyhow;
use async_trait::async_trait;
use futures::TryStreamExt;
use shared::{
    audio::{Survey, Waveform},
    clock::Clock,
    db::{self, Db, calls::Found},
    domain::{
        Call, Conclusion, Convention, Job, Milestone, NewJob, Outcome, ProviderId, Recording, Redact, Speaker, Step,
        StepError, Transcript, VerdictExt, Wake, Write,
    },
    env::{Env, EnvError},
    ledger::Ledger,
    providers::Providers,
    recordings::{self, SharedRecordings, StoreError},
    service::App,
    sinks::Sinks,
    speech::{self, Heard, Kept, Speech},
};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::call;
use crate::step::Run;

/// Seconds of audio in one request, at most.
const ONE_REQUEST: f64 = 120.0;

/// The step.
pub struct Transcribe {
    clock: Clock,
    db: Db,
    env: Env,
    ledger: Ledger,
    providers: Providers,
    recordings: SharedRecordings,
    sinks: Sinks,
    /// The recording and its pieces lie here meanwhile.
    spool: PathBuf,
    speech: Option<Speech>,
    redact: Redact,
}

impl Transcribe {
    /// Takes what it needs. `TAPEDECK_SPOOL` is as for fetch. Without a configured speech server every call is concluded
    /// as not analyzed.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        let speech = Speech::from_env(&app.env, &app.outside)?;
        if speech.is_none() {
            tracing::warn!(
                "no speech server is configured (OPENAI_API_KEY or TRANSCRIBE_BASE_URL): calls get no words"
            );
        }
        for provider in app.providers.iter() {
            configured(&app.env, &provider.id())?;
        }
        let spool = recordings::spool_directory(&app.env)?;
        let App { clock, db, env, providers, recordings, sinks, .. } = app.clone();
        let (ledger, redact) = (app.outside.ledger.clone(), env.parsed("REDACT", Redact::default())?);
        Ok(Self { clock, db, env, ledger, providers, recordings, sinks, spool, speech, redact })
    }

    /// Streams the object into a file of its own, gone when dropped.
    async fn download(&self, recording: &Recording) -> Result<NamedTempFile, StepError> {
        let file = NamedTempFile::new_in(&self.spool).or_retry("no-space")?;
        let handle = file.reopen().or_retry("no-space")?;
        let mut bytes = self.recordings.get(&recording.object_key, None).await.map_err(|error| match error {
            StoreError::NotFound(_) => StepError::fail("recording-gone", error),
            error => error.into(),
        })?;
        let mut handle = tokio::fs::File::from_std(handle);
        while let Some(chunk) = bytes.try_next().await.or_retry("store-unreachable")? {
            handle.write_all(&chunk).await.or_retry("no-space")?;
        }
        handle.flush().await.or_retry("no-space")?;
        Ok(file)
    }

    /// Keeps the waveform beside the recording. A repetition replaces it with itself.
    async fn keep_waveform(&self, recording: &Recording, survey: &Survey) -> Result<(), StepError> {
        let json = serde_json::to_vec(&survey.waveform).or_fail("broken-waveform")?;
        let file = NamedTempFile::new_in(&self.spool).or_retry("no-space")?;
        tokio::fs::write(file.path(), json).await.or_retry("no-space")?;
        let key = Waveform::key(&recording.object_key);
        self.recordings.put(&key, file.path(), "application/json").await.map_err(StepError::from)
    }

    /// Who is on which channel by setting, or by the convention of the provider that recorded.
    fn convention(&self, call: &Call, recording: &Recording) -> Result<Convention, StepError> {
        let source = recording.source().unwrap_or_else(|| call.provider.clone());
        let provider = self.providers.get(&source);
        let convention = provider.map_or(Convention::usual(), |provider| provider.channels(call));
        Ok(configured(&self.env, &source).or_fail("bad-setting")?.map_or(convention, Convention::configured))
    }

    /// What the provider itself wrote down, for when nobody can listen.
    async fn written_down(&self, call: &Call) -> Result<Option<Transcript>, StepError> {
        let Some(provider) = self.providers.get(&call.provider).filter(|_| call.facts.words) else { return Ok(None) };
        let events = db::events::of(&self.db, call.id).await.or_ours()?;
        Ok(events.iter().rev().find_map(|event| provider.transcript(event)))
    }

    /// There will be no words: our work on the call is finished, and every sink that cares is told.
    fn concluded(&self, mut call: Call, conclusion: Conclusion, reason: &'static str) -> Outcome {
        call.conclusion = Some(conclusion);
        let sinks = self.sinks.wanting(Milestone::Analyzed, &call);
        Outcome {
            skipped: Some(reason.into()),
            writes: vec![Write::Conclusion(call.id, conclusion)],
            next: sinks.into_iter().map(|sink| NewJob::sync(call.id, sink)).collect(),
            ..Outcome::default()
        }
    }
}

#[async_trait]
impl Run for Transcribe {
    fn step(&self) -> Step {
        Step::Transcribe
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(25 * 60)
    }

    fn concurrency(&self) -> u16 {
        4
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let Found { call, family, .. } = match call::of(&self.db, job).await? {
            Ok(found) => found,
            Err(merged) => return Ok(merged),
        };
        let mut outcome = Outcome::default();
        outcome.next.push(NewJob::step(Step::Analyze, call.id, Wake::No));
        if db::transcripts::of(&self.db, &family).await.or_ours()?.is_some() {
            return Ok(outcome);
        }
        let recording = db::recordings::of(&self.db, &family).await.or_ours()?;
        let (recording, speech) = match (recording, &self.speech) {
            (Some(recording), Some(speech)) => (recording, speech),
            (recording, _) => match (self.written_down(&call).await?, recording) {
                (Some(transcript), _) => {
                    outcome.writes.push(Write::Transcript(call.id, self.redact.apply(transcript)));
                    return Ok(outcome);
                }
                (None, Some(_)) => return Ok(self.concluded(call, Conclusion::NotAnalyzed, "no-speech-server")),
                (None, None) => return Err(StepError::fail("recording-gone", anyhow!("it has no recording"))),
            },
        };
        let convention = self.convention(&call, &recording)?;
        let purse = self.ledger.purse(call.id, Step::Transcribe);
        purse.open(speech.cost(recording.duration_seconds.min(ONE_REQUEST))).await?;
        let file = self.download(&recording).await?;
        let survey = speech::survey(file.path()).await?;
        self.keep_waveform(&recording, &survey).await?;
        let channels = survey.named(convention, call.facts.direction);
        tracing::info!(
            layout = ?channels.layout,
            evidence = ?channels.evidence,
            confidence = channels.confidence,
            "recording heard"
        );
        let kept = Kept::new(self.db.clone(), self.clock.clone(), call.id, &recording.sha256);
        let transcript =
            match speech.transcribe(file.path(), &self.spool, &survey, channels, &purse, Some(&kept)).await? {
                Heard::Words(transcript) => transcript,
                Heard::NoSpeech => return Ok(self.concluded(call, Conclusion::NoSpeech, "no-speech")),
                Heard::TooShort => return Ok(self.concluded(call, Conclusion::TooShort, "too-short")),
            };
        outcome.writes.push(Write::Transcript(call.id, self.redact.apply(transcript)));
        Ok(outcome)
    }
}

/// Who is on channel 0 and 1, where a setting says so: `CHANNELS_CLOUDTALK=caller,agent`.
fn configured(env: &Env, provider: &ProviderId) -> Result<Option<[Speaker; 2]>, EnvError> {
    let name = format!("CHANNELS_{}", provider.as_str().to_ascii_uppercase());
    let given = env.list(&name);
    match given.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Ok(None),
        ["caller", "agent"] => Ok(Some([Speaker::Caller, Speaker::Agent])),
        ["agent", "caller"] => Ok(Some([Speaker::Agent, Speaker::Caller])),
        _ => Err(EnvError::Invalid { name, why: "expected caller,agent or agent,caller".into() }),
    }
}

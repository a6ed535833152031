//! analyze: turns to feedback; measured here, judged by the model.

use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use shared::{
    clock::Clock,
    db::{self, Db, calls::Found},
    domain::{
        Call, Conclusion, Feedback, Job, Layout, Measured, Milestone, NewJob, Outcome, Reason, Recording, Redact, Step,
        StepError, Transcript, Usage, VerdictExt, Write, measure, reached_voicemail,
    },
    kept::Kept,
    ledger::Ledger,
    model::{Judgement, Model},
    providers::Providers,
    service::App,
    sinks::Sinks,
};

use super::call;
use crate::step::Run;

/// With fewer words there is nothing to judge. Speech servers also invent a word or two on silence.
const LEAST_WORDS: usize = 5;
/// Some languages are written without spaces: so many characters are no short call, however few words they seem to be.
const LEAST_CHARACTERS: usize = 30;

/// The step.
pub struct Analyze {
    clock: Clock,
    db: Db,
    sinks: Sinks,
    model: Option<Model>,
    providers: Providers,
    ledger: Ledger,
    redact: Redact,
}

impl Analyze {
    /// Takes what it needs. Without a configured model a call is concluded as not analyzed, unless its provider judged it.
    ///
    /// # Errors
    /// When the model's settings cannot be used.
    pub fn new(app: &App) -> anyhow::Result<Self> {
        let model = Model::from_env(&app.env, &app.outside)?;
        if model.is_none() {
            tracing::warn!(
                "no model is configured (OPENAI_API_KEY or FEEDBACK_BASE_URL): calls get no feedback but their provider's own"
            );
        }
        let redact = app.env.parsed("REDACT", Redact::default())?;
        let ledger = app.outside.ledger.clone();
        let App { clock, db, sinks, providers, .. } = app.clone();
        Ok(Self { clock, db, sinks, model, providers, ledger, redact })
    }

    /// Our work on the call is finished: every sink that cares is told.
    fn concluded(&self, mut call: Call, conclusion: Conclusion) -> Outcome {
        call.conclusion = Some(conclusion);
        let sinks = self.sinks.wanting(Milestone::Analyzed, &call);
        Outcome {
            writes: vec![Write::Conclusion(call.id, conclusion)],
            next: sinks.into_iter().map(|sink| NewJob::sync(call.id, sink)).collect(),
            ..Outcome::default()
        }
    }

    /// What becomes of a call with these words. `renewed` is one that has feedback and is to be judged again.
    async fn judged(&self, call: Call, transcript: &Transcript, renewed: bool) -> Result<Outcome, StepError> {
        if let Some(conclusion) = not_worth_judging(&call, transcript) {
            return Ok(self.skipped(call, conclusion, conclusion.as_str()));
        }
        let recording = db::recordings::find(&self.db, call.id).await.or_ours()?;
        let measured = measured(transcript, recording.as_ref());
        let feedback = match &self.model {
            Some(model) => {
                let purse = self.ledger.purse(call.id, Step::Analyze);
                let kept = Kept::new(self.db.clone(), self.clock.clone(), call.id, Step::Analyze);
                feedback(model.judge(transcript, &purse, Some(&kept)).await?, measured)
            }
            None if renewed => return Ok(self.skipped(call, Conclusion::Analyzed, "no-model")),
            None => match self.given(&call, measured).await? {
                Some(feedback) => feedback,
                None => return Ok(self.skipped(call, Conclusion::NotAnalyzed, "no-model")),
            },
        };
        let id = call.id;
        let mut outcome = self.concluded(call, Conclusion::Analyzed);
        outcome.writes.insert(0, Write::Feedback(id, feedback));
        Ok(outcome)
    }

    /// What the provider itself made of the call, where it did.
    async fn given(&self, call: &Call, measured: Measured) -> Result<Option<Feedback>, StepError> {
        let Some(provider) = self.providers.get(&call.provider) else { return Ok(None) };
        let events = db::events::of(&self.db, call.id).await.or_ours()?;
        let mut own = events.iter().rev().filter(|event| event.provider == call.provider);
        let judged = own.find_map(|event| provider.judged(event));
        Ok(judged.map(|judged| Feedback {
            measured,
            judged: self.redact.judged(judged),
            scorecard: None,
            model: call.provider.to_string(),
            prompt_version: String::new(),
            parts: None,
            usage: Usage { cost: Some(0.0), ..Usage::default() },
        }))
    }

    fn skipped(&self, call: Call, conclusion: Conclusion, reason: impl Into<Reason>) -> Outcome {
        Outcome { skipped: Some(reason.into()), ..self.concluded(call, conclusion) }
    }
}

#[async_trait]
impl Run for Analyze {
    fn step(&self) -> Step {
        Step::Analyze
    }

    fn deadline(&self) -> Duration {
        // A long call is condensed in parts first, each a question that may take its time.
        Duration::from_secs(1500)
    }

    fn concurrency(&self) -> u16 {
        8
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let Found { call, family, .. } = match call::of(&self.db, job).await? {
            Ok(found) => found,
            Err(merged) => return Ok(merged),
        };
        let renewed = match db::feedback::kept(&self.db, &family).await.or_ours()? {
            Some((_, false)) => return Ok(self.concluded(call, Conclusion::Analyzed)),
            Some((_, true)) => true,
            None => false,
        };
        let kept = db::transcripts::all(&self.db, &family).await.or_ours()?;
        // What was transcribed before redaction was switched on may hold more than it should; also words that are not used.
        let redacted: Vec<_> = kept.iter().map(|(of, kept)| (*of, self.redact.apply(kept.clone()))).collect();
        let transcript = redacted.first().ok_or_else(|| anyhow!("it has no transcript")).or_fail("transcript-gone")?;
        let outcome = self.judged(call, &transcript.1, renewed).await;
        let changed = redacted.into_iter().zip(kept).filter(|(redacted, kept)| redacted != kept);
        let writes = changed.map(|((of, redacted), _)| Write::Transcript(of, redacted));
        // However it ends.
        match outcome {
            Ok(mut outcome) => {
                outcome.writes.splice(0..0, writes);
                Ok(outcome)
            }
            Err(mut error) => {
                error.writes.splice(0..0, writes);
                Err(error)
            }
        }
    }
}

fn not_worth_judging(call: &Call, transcript: &Transcript) -> Option<Conclusion> {
    match transcript.words() {
        _ if call.facts.voicemail || reached_voicemail(transcript) => Some(Conclusion::Voicemail),
        0 => Some(Conclusion::NoSpeech),
        words if words < LEAST_WORDS && characters(transcript) < LEAST_CHARACTERS => Some(Conclusion::TooShort),
        _ => None,
    }
}

fn characters(transcript: &Transcript) -> usize {
    transcript.turns.iter().map(|turn| turn.text.trim().chars().count()).sum()
}

fn measured(transcript: &Transcript, recording: Option<&Recording>) -> Measured {
    let last_word = transcript.turns.iter().map(|turn| turn.end).fold(0.0, f64::max);
    let duration = recording.map_or(last_word, |r| r.duration_seconds);
    // Transcripts of before channels were looked at have none.
    let channels_known = transcript
        .channels
        .as_ref()
        .map_or(recording.is_some_and(|r| r.channels == 2), |channels| channels.layout == Layout::Separate);
    measure(transcript, duration, channels_known)
}

fn feedback(judgement: Judgement, measured: Measured) -> Feedback {
    let (name, usage) = (judgement.model.clone(), judgement.usage);
    metrics::counter!("tapedeck_model_input_tokens_total", "model" => name.clone())
        .increment(count(usage.input_tokens));
    metrics::counter!("tapedeck_model_output_tokens_total", "model" => name.clone())
        .increment(count(usage.output_tokens));
    metrics::counter!("tapedeck_model_quotes_removed_total", "model" => name)
        .increment(u64::try_from(judgement.quotes_removed).unwrap_or_default());
    tracing::info!(
        model = judgement.model,
        prompt_version = judgement.prompt_version,
        parts = judgement.parts,
        input_tokens = usage.input_tokens,
        output_tokens = usage.output_tokens,
        cost = usage.cost,
        quotes_removed = judgement.quotes_removed,
        "judged"
    );
    Feedback {
        measured,
        judged: judgement.judged,
        scorecard: judgement.scorecard,
        model: judgement.model,
        prompt_version: judgement.prompt_version.to_owned(),
        parts: judgement.parts,
        usage,
    }
}

fn count(tokens: i64) -> u64 {
    u64::try_from(tokens).unwrap_or_default()
}

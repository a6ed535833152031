//! The model that judges a call: a Chat Completions request to OpenAI or any server that speaks its API, with a strict JSON
//! schema, checked again here because not every server keeps it. A call that is too long for the model is condensed first.
//!
//! To change what is asked: copy the directory `prompts/v2` to the next version, change it, and change `prompt::VERSION` and
//! the paths beside it; the version is kept with each feedback. To add a model's price, context or last day: `price`.

mod ask;
mod condense;
mod price;
mod prompt;
mod reply;
mod scores;
mod settings;
mod wire;

use anyhow::Context;
use async_openai::{Client, config::OpenAIConfig};

use self::{
    ask::{Bill, TOO_LONG},
    condense::Reading,
    prompt::Question,
    settings::Settings,
};
use crate::{
    domain::{Feedback, Judged, Scored, Spoken, StepError, Transcript, Usage},
    env::{Env, EnvError},
    http::{ClientError, Outside, Vendor, openai},
    kept::Kept,
    ledger::Purse,
};

/// How often a server may say that less fits than we thought, before the call is given up.
const HALVINGS: usize = 3;

/// What the model said of a call, checked, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What it said.
    pub judged: Judged,
    /// What the call scored, where there is a scorecard.
    pub scorecard: Option<Scored>,
    /// Tokens and US dollars, repaired replies and condensed parts included.
    pub usage: Usage,
    /// The model as configured.
    pub model: String,
    /// Version of prompt and schema.
    pub prompt_version: &'static str,
    /// In how many parts the transcript was condensed, where it was too long.
    pub parts: Option<u32>,
    /// Quotes that were taken out because nobody said them.
    pub quotes_removed: usize,
}

/// A model behind an OpenAI-compatible server.
pub struct Model {
    settings: Settings,
    vendor: Vendor,
    client: Client<OpenAIConfig>,
    feedback: Question,
    part: Question,
}

impl Model {
    /// The configured model; `None` when neither a key nor another server than OpenAI's is set. Warns of a model that is
    /// about to be switched off.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> Result<Option<Self>, EnvError> {
        let Some(settings) = Settings::from_env(env)? else { return Ok(None) };
        let vendor = outside.vendor("model", None);
        if outside.ledger.is_capped() && !settings.is_priced() {
            return Err(settings.unpriced());
        }
        if let Some(day) = price::shutdown(&settings.model) {
            let notice = openai::notice(day, outside.clock.now().date_naive());
            tracing::warn!(model = settings.model, "this model is {notice}; set another (FEEDBACK_MODEL)");
        }
        let client = settings.server.client(vendor.clone());
        let feedback = Question::feedback(settings.language.as_deref(), settings.scorecard.as_ref());
        let part = Question::part(settings.scorecard.as_ref());
        Ok(Some(Self { settings, vendor, client, feedback, part }))
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.settings.model
    }

    /// Whether this feedback is what would be asked for today: same prompt, same scorecard, same model.
    pub fn is_current(&self, feedback: &Feedback) -> bool {
        let scorecard = self.settings.scorecard.as_ref().map(|card| card.digest.as_str());
        feedback.prompt_version == prompt::VERSION
            && feedback.model == self.settings.model
            && feedback.scorecard.as_ref().map(|scored| scored.digest.as_str()) == scorecard
    }

    /// Judges a call from its transcript. A reply that cannot be used is sent back once with what is wrong; a transcript
    /// that is too long for the model is condensed in parts first. What is noted of a part goes to `kept` as it comes, and
    /// what lies there already is not bought again; `None` keeps nothing.
    ///
    /// # Errors
    /// Snooze when the server limits us or has no credit left; retry when it is broken, or twice gave no JSON; fail
    /// when it refuses (the key, the request, the content) or the transcript is over the limit: it is never cut.
    pub async fn judge(
        &self,
        transcript: &Transcript,
        purse: &Purse,
        kept: Option<&Kept>,
    ) -> Result<Judgement, StepError> {
        let lines = prompt::lines(transcript);
        let (length, limit) = (lines.iter().map(|l| l.chars().count()).sum::<usize>(), self.settings.max_chars);
        if length > limit {
            let why = anyhow::anyhow!("the transcript has {length} characters, FEEDBACK_MAX_CHARS allows {limit}");
            return Err(StepError::fail(TOO_LONG, why));
        }
        let spoken = Spoken::of(transcript);
        let reading = Reading { spoken: &spoken, kept };
        let mut usage = Usage::default();
        let mut room = self.room(&self.feedback).min(self.room(&self.part));
        let mut halvings = 0..HALVINGS;
        loop {
            match self.judge_within(room, &lines, reading, Bill { purse, usage: &mut usage }).await {
                // Said by the server, and not by us who have tried all parts.
                Err(error)
                    if error.reason == TOO_LONG && error.source.is::<ClientError>() && halvings.next().is_some() =>
                {
                    room = room.min(lines.iter().map(|line| prompt::tokens(line)).sum()) / 2;
                }
                other => return other,
            }
        }
    }

    async fn judge_within(
        &self,
        room: usize,
        lines: &[String],
        reading: Reading<'_>,
        mut bill: Bill<'_>,
    ) -> Result<Judgement, StepError> {
        let fitting = self.fit(lines, room, reading, &mut bill).await?;
        let read =
            |completion: &wire::Completion| reply::read(completion, reading.spoken, self.settings.scorecard.as_ref());
        let reply::Read { judged, scorecard, quotes_removed } =
            self.ask(&self.feedback, &fitting.lines, &mut bill, read).await?;
        let model = self.settings.model.clone();
        let usage = Usage { cost: self.settings.cost(bill.usage), ..*bill.usage };
        let (prompt_version, parts) = (prompt::VERSION, fitting.parts);
        Ok(Judgement { judged, scorecard, usage, model, prompt_version, parts, quotes_removed })
    }

    /// Asks the server for its models, which costs nothing; for `doctor`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub async fn check(&self) -> anyhow::Result<String> {
        let models = self.settings.server.models(&self.vendor).await?.context("the server lists no models")?;
        models.tell_of(self.name(), price::shutdown(self.name()), self.vendor.clock().now().date_naive())
    }
}

/// Reads a server's answer, and a reply with these bytes in it.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_reply(body: &[u8], transcript: &Transcript) {
    let text = String::from_utf8_lossy(body);
    let wrapped = serde_json::json!({"choices": [{"message": {"content": text}}]});
    let spoken = Spoken::of(transcript);
    let card =
        r#"{"name": "Service", "criteria": [{"id": "greeting", "name": "Greeting", "description": "x", "scale": 2}]}"#;
    let card = crate::domain::Scorecard::parse(card).expect("a scorecard");
    for answer in [serde_json::from_slice(body).ok(), serde_json::from_value(wrapped).ok()].into_iter().flatten() {
        let answer: wire::Completion = answer;
        let _ = reply::read_part(&answer);
        for card in [None, Some(&card)] {
            match reply::read(&answer, &spoken, card) {
                Ok(read) => {
                    serde_json::to_string(&read.judged).expect("what was judged can be stored");
                    let total = read.scorecard.and_then(|scored| scored.total);
                    assert!(total.is_none_or(|total| (0.0..=100.0).contains(&total)), "{total:?}");
                }
                Err(unusable) => drop(unusable.complaint()),
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The model that judges a call: one Chat Completions request per call to OpenAI or any server that speaks its API, with a
//! strict JSON schema, checked again here because not every server keeps it.
//!
//! To change what is asked: copy `prompts/feedback-v1.*` to the next version, change it, and change `prompt::VERSION` and
//! the file names beside it; the version is kept with each feedback. To add a model's price or last day: `price`.

mod price;
mod prompt;
mod reply;
mod settings;
mod wire;

use anyhow::Context;
use async_openai::{Client, config::OpenAIConfig};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use self::{settings::Settings, wire::Completion};
use crate::{
    domain::{Judged, Purchase, StepError, Transcript, Usage},
    env::{Env, EnvError},
    http::{
        ClientError, Outside, Vendor,
        openai::{self, client_error, error_codes},
    },
    ledger::Purse,
};

/// What the model said of a call, checked, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What it said.
    pub judged: Judged,
    /// Tokens and US dollars, a repaired reply included.
    pub usage: Usage,
    /// The model as configured.
    pub model: String,
    /// Version of prompt and schema.
    pub prompt_version: &'static str,
    /// Quotes that were taken out because nobody said them.
    pub quotes_removed: usize,
}

/// A model behind an OpenAI-compatible server.
pub struct Model {
    settings: Settings,
    vendor: Vendor,
    client: Client<OpenAIConfig>,
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
            let days_left = (day - outside.clock.now().date_naive()).num_days();
            tracing::warn!(model = settings.model, %day, days_left, "OpenAI switches this model off; set FEEDBACK_MODEL");
        }
        let client = openai::client(vendor.clone(), &settings.base_url, settings.api_key.as_ref());
        Ok(Some(Self { settings, vendor, client }))
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.settings.model
    }

    /// Judges a call from its transcript. A reply that cannot be used is sent back once with what is wrong.
    ///
    /// # Errors
    /// Snooze when the server limits us or has no credit left; retry when it is broken, or twice gave no JSON; fail
    /// when it refuses (the key, the request, the content) or the transcript is over the limit: it is never cut.
    pub async fn judge(&self, transcript: &Transcript, purse: &Purse) -> Result<Judgement, StepError> {
        let text = prompt::transcript(transcript);
        let (length, limit) = (text.chars().count(), self.settings.max_chars);
        if length > limit {
            let why = anyhow::anyhow!("the transcript has {length} characters, FEEDBACK_MAX_CHARS allows {limit}");
            return Err(StepError::fail("transcript-too-long", why));
        }
        let mut messages = prompt::messages(&text);
        let mut usage = Usage::default();
        let first = self.ask(&messages, &mut usage, purse).await?;
        let (judged, quotes_removed) = match reply::read(&first, transcript) {
            Ok(read) => read,
            Err(unusable) => {
                let Some(complaint) = unusable.complaint() else { return Err(unusable.into()) };
                let said = (unusable != reply::Unusable::CutOff).then(|| first.text()).filter(|text| !text.is_empty());
                messages.extend(prompt::repair(said.as_deref(), &complaint));
                reply::read(&self.ask(&messages, &mut usage, purse).await?, transcript)?
            }
        };
        usage.cost = self.settings.cost(&usage);
        Ok(Judgement {
            judged,
            usage,
            model: self.settings.model.clone(),
            prompt_version: prompt::VERSION,
            quotes_removed,
        })
    }

    /// Asks the server for its models, which costs nothing; for `doctor`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub async fn check(&self) -> anyhow::Result<String> {
        let name = self.name();
        let mut request = self.vendor.http().get(format!("{}/models", self.settings.base_url));
        if let Some(key) = &self.settings.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer: Value = self.vendor.send(request).await?.json().await.context("the list of models is not JSON")?;
        let models = answer["data"].as_array().context("the server lists no models")?;
        let model = models.iter().find(|m| m["id"].as_str() == Some(name));
        let model = model.with_context(|| format!("the server has no model {name}"))?;
        let last_day = model["shutdown_date"].as_str().map(|day| format!(", switched off on {day}"));
        Ok(format!("{name} is there{}", last_day.unwrap_or_default()))
    }

    async fn ask(&self, messages: &[Value], usage: &mut Usage, purse: &Purse) -> Result<Completion, StepError> {
        let mut request = json!({
            "model": self.settings.model,
            "messages": messages,
            "max_completion_tokens": self.settings.max_tokens,
            "store": false,
            "stream": false,
            "response_format": {"type": "json_schema", "json_schema": prompt::schema()},
        });
        if let Some(effort) = &self.settings.effort {
            request["reasoning_effort"] = json!(effort);
        }
        let held = purse.reserve(self.settings.most(request.to_string().len())).await?;
        let asked = tokio::time::timeout(self.settings.timeout, self.client.chat().create_byot(request)).await;
        let answer: Value = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                held.released().await;
                return Err(self.verdict(client_error(self.vendor.name(), error)).await);
            }
            // It may have been answered, and billed: what was reserved stays so.
            Err(_) => {
                let late = ClientError::unreachable(self.vendor.name(), "did not answer in time");
                self.vendor.note(Some(&late)).await;
                return Err(late.into());
            }
        };
        let completion: Completion = serde_json::from_value(answer).unwrap_or_default();
        let took = completion.usage();
        let tokens = Purchase::Tokens { input: took.input_tokens, output: took.output_tokens };
        held.paid(&self.settings.model, tokens, self.settings.cost(&took)).await;
        if !completion.is_answer() {
            return Err(ClientError::nonsense(self.vendor.name(), "answered without a reply in it").into());
        }
        usage.input_tokens += took.input_tokens;
        usage.output_tokens += took.output_tokens;
        Ok(completion)
    }

    async fn verdict(&self, error: ClientError) -> StepError {
        let codes = if error.is(400) || error.is(404) { error_codes(&error.body) } else { Vec::new() };
        match codes.first().map(String::as_str) {
            Some("model_not_found") => StepError::fail("model-not-found", error),
            Some("context_length_exceeded") => StepError::fail("transcript-too-long", error),
            Some("content_filter" | "content_policy_violation") => StepError::fail("model-content-filter", error),
            _ => openai::step_error(&self.vendor, error).await,
        }
    }
}

#[cfg(test)]
mod tests;

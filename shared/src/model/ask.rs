//! One question to the model: the request, its verdict when it fails, and one attempt to have a bad reply repaired.

use serde_json::{Value, json};

use super::{
    Model,
    prompt::{self, Question},
    reply::Unusable,
    wire::Completion,
};
use crate::{
    domain::{Purchase, StepError, Usage},
    http::{
        ClientError,
        openai::{client_error, error_codes, step_error},
    },
    ledger::Purse,
};

/// What a question may be paid from, and what it took.
pub(super) struct Bill<'b> {
    pub(super) purse: &'b Purse,
    pub(super) usage: &'b mut Usage,
}

/// The reason of a request that was too long for the model.
pub(super) const TOO_LONG: &str = "transcript-too-long";

impl Model {
    /// Asks about these lines until `read` can use the reply: a bad one is sent back once with what is wrong.
    pub(super) async fn ask<T>(
        &self,
        question: &Question,
        lines: &[String],
        bill: &mut Bill<'_>,
        read: impl Fn(&Completion) -> Result<T, Unusable>,
    ) -> Result<T, StepError> {
        let mut messages = question.messages(lines);
        let first = self.request(question, &messages, bill).await?;
        let unusable = match read(&first) {
            Ok(read) => return Ok(read),
            Err(unusable) => unusable,
        };
        let Some(complaint) = unusable.complaint() else { return Err(unusable.into()) };
        let said = (unusable != Unusable::CutOff).then(|| first.text()).filter(|text| !text.is_empty());
        messages.extend(prompt::repair(said.as_deref(), &complaint));
        Ok(read(&self.request(question, &messages, bill).await?)?)
    }

    async fn request(
        &self,
        question: &Question,
        messages: &[Value],
        bill: &mut Bill<'_>,
    ) -> Result<Completion, StepError> {
        let mut request = json!({
            "model": self.settings.model,
            "messages": messages,
            "max_completion_tokens": self.settings.max_tokens,
            "store": false,
            "stream": false,
            "response_format": {"type": "json_schema", "json_schema": question.schema},
        });
        if let Some(effort) = &self.settings.effort {
            request["reasoning_effort"] = json!(effort);
        }
        let most = self.settings.most(request.to_string().len());
        // Who is admitted has to ask: where the cap is reached nobody is, as that may use up the probe of an open circuit.
        bill.purse.open(most).await?;
        self.vendor.admit().await?;
        let mut held = bill.purse.reserve(most).await?;
        held.sent();
        let asked = tokio::time::timeout(self.settings.timeout, self.client.chat().create_byot(request)).await;
        let answer: Value = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let error = client_error(self.vendor.name(), error);
                if error.is_unbilled() {
                    held.released().await;
                }
                return Err(self.verdict(error).await);
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
        // A reply is never free: one that does not say what it took may have taken all that was set aside.
        let untold = completion.is_answer() && took.input_tokens == 0 && took.output_tokens == 0;
        let cost = if untold { most } else { self.settings.cost(&took) };
        held.paid(&self.settings.model, tokens, cost).await;
        if !completion.is_answer() {
            return Err(ClientError::nonsense(self.vendor.name(), "answered without a reply in it").into());
        }
        bill.usage.add(&took);
        Ok(completion)
    }

    async fn verdict(&self, error: ClientError) -> StepError {
        let codes = if error.is(400) || error.is(404) { error_codes(&error.body) } else { Vec::new() };
        let is = |known: &[&str]| codes.iter().any(|code| known.contains(&code.as_str()));
        // vLLM gives a number as code, and this sentence, which is OpenAI's too.
        let full = error.is(400) && error.body.contains("maximum context length");
        if full || is(&["context_length_exceeded", "exceed_context_size_error"]) {
            return StepError::fail(TOO_LONG, error);
        }
        if is(&["model_not_found"]) {
            return StepError::fail("model-not-found", error);
        }
        if is(&["content_filter", "content_policy_violation"]) {
            return StepError::fail("model-content-filter", error);
        }
        step_error(&self.vendor, error).await
    }
}

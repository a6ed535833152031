//! Target: each milestone of a call posted to a URL of the operator's own, signed as Standard Webhooks.
//!
//! The URL is the operator's word, so it may lie in a private network; what comes in payloads never may (`http::guard`).
//! `message` says what is posted, `signature` signs it. What is there to be told of a new milestone is told there too.

mod message;
mod signature;

use anyhow::Context;
use async_trait::async_trait;
use reqwest::{Url, header};

use self::{message::Message, signature::Secrets};
use super::Sink;
use crate::{
    domain::{Call, Delivery, Milestone, Report, SinkId, StepError, Write},
    env::Env,
    http::{ClientError, ErrorKind, Outside, Vendor},
};

const NAME: &str = "target";
const ID: SinkId = SinkId::new(NAME);

/// A URL that wants to hear of calls.
pub struct Target {
    vendor: Vendor,
    /// May hold a password or a token, so it is in no message.
    url: Url,
    secrets: Secrets,
}

impl Target {
    /// Reads `TARGET_URL` and `TARGET_SECRET` (`whsec_…`; two of them, comma separated, while one is replaced). Off without
    /// the URL.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let Some(url) = env.var("TARGET_URL") else { return Ok(None) };
        env.base_url("TARGET_URL", "")?;
        let url = url.parse().context("TARGET_URL cannot be used")?;
        Ok(Some(Self { vendor: outside.vendor(NAME, None), url, secrets: Secrets::from_env(env)? }))
    }

    async fn post(&self, message: &Message) -> Result<(), ClientError> {
        let now = self.vendor.clock().now().timestamp();
        let body = message.body();
        let request = self.vendor.http().post(self.url.clone()).header(header::CONTENT_TYPE, "application/json");
        let request = request.header("webhook-id", message.id()).header("webhook-timestamp", now);
        let request = request.header("webhook-signature", self.secrets.sign(message.id(), now, &body));
        let answer = self.vendor.send(request.body(body)).await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(ClientError::nonsense(NAME, "redirects to another place, which is not followed")),
        }
    }
}

#[async_trait]
impl Sink for Target {
    fn id(&self) -> SinkId {
        ID
    }

    fn wants(&self, _milestone: Milestone, _call: &Call) -> bool {
        true
    }

    /// In order, so that nobody hears of a recording before the call.
    async fn deliver(&self, report: &Report) -> Result<Vec<Delivery>, StepError> {
        let mut fresh = Vec::new();
        for milestone in Milestone::ALL.into_iter().filter(|m| report.reached(*m)) {
            let message = Message::of(report, milestone, self.vendor.clock().now());
            if report.held(milestone).is_some_and(|held| message.is_told_by(held)) {
                continue;
            }
            if let Err(error) = self.post(&message).await {
                let mut error = verdict(error);
                let told = |delivery| Write::Delivery(report.call.id, ID, delivery);
                error.writes.extend(fresh.into_iter().map(told));
                return Err(error);
            }
            fresh.push(message.delivery());
        }
        Ok(fresh)
    }

    async fn check(&self) -> anyhow::Result<String> {
        let ping = Message::ping(self.vendor.clock().now());
        self.post(&ping).await.context("cannot post to TARGET_URL")?;
        Ok("a signed ping was taken".to_owned())
    }
}

/// Standard Webhooks has 410 say that the receiver wants no more; 400 and 422 find the message itself wrong, and it would be
/// the same again. All else that it refuses may be taken once it is mended: it is the operator's own.
fn verdict(error: ClientError) -> StepError {
    match error.kind {
        ErrorKind::Refused if error.is(410) => StepError::fail("target-gone", error),
        ErrorKind::Refused if error.is(400) || error.is(422) => StepError::fail("target-refuses", error),
        ErrorKind::Refused => StepError::retry("target-refuses", error),
        _ => error.into(),
    }
}

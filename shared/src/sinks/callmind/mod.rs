//! Callmind: one record per call in its call history, keyed by the provider's call id (`callSid`).
//!
//! In one step (the default) the record is created when our work on the call is finished, with everything. In two steps it
//! is created when the call begins and updated at each milestone. In webhook mode the same is told to Callmind's simpler
//! webhooks, which need no id and know fewer fields. `record` says what a record holds, `owners` whose it is, `api` sends
//! it, `answer` reads what comes back, `token` proves who we are. To send a new field: one line in `record`.

mod answer;
mod api;
mod owners;
mod record;
mod token;

use std::str::FromStr;

use anyhow::Context;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use self::{
    api::Api,
    owners::{Owner, Owners},
    record::Record,
    token::Tokens,
};
use super::{Sink, content_hash};
use crate::{
    domain::{Call, CallStatus, Delivery, Milestone, Reason, Report, SinkId, StepError, Write},
    env::Env,
    http::{ClientError, ErrorKind, Outside},
};

const NAME: &str = "callmind";
const ID: SinkId = SinkId::new(NAME);

/// When a record is created, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Complete, at the end.
    OneStep,
    /// At the call's begin, then updated.
    TwoStep,
    /// As in two steps, through the webhooks.
    Webhook,
}

impl FromStr for Mode {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "one-step" => Ok(Self::OneStep),
            "two-step" => Ok(Self::TwoStep),
            "webhook" => Ok(Self::Webhook),
            _ => Err("expected one-step, two-step or webhook"),
        }
    }
}

/// What is kept of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Refs {
    /// Callmind's id; absent where it was lost and Callmind does not tell it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The id under which the call was announced: the provider's id may become known later.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_sid: Option<String>,
    /// Whether the webhook of its begin was taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    announced: bool,
}

/// The call history of Callmind agents.
pub struct Callmind {
    api: Api,
    owners: Owners,
    mode: Mode,
}

impl Callmind {
    /// Reads `CALLMIND_BASE_URL` (with or without its closing `/api`), `CALLMIND_MODE` (`one-step`, `two-step` or
    /// `webhook`), `CALLMIND_TOKEN`, `CALLMIND_TOKEN_FILE` or `CALLMIND_TOKEN_COMMAND`, and whose the records are:
    /// `CALLMIND_AGENT_ID`, `CALLMIND_USER_ID`, `CALLMIND_ORG_ID`, `CALLMIND_AGENTS` or `CALLMIND_AGENTS_FILE`.
    /// Off without the base URL.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        if env.var("CALLMIND_BASE_URL").is_none() {
            return Ok(None);
        }
        let base_url = env.base_url("CALLMIND_BASE_URL", "")?;
        let api = Api::new(outside.vendor(NAME, None), &base_url, Tokens::from_env(env)?);
        let mode = env.parsed("CALLMIND_MODE", Mode::OneStep)?;
        Ok(Some(Self { api, owners: Owners::from_env(env)?, mode }))
    }

    /// Brings the record up to date and notes where it is.
    async fn bring(&self, report: &Report, owner: &Owner, record: &Record, refs: &mut Refs) -> Result<(), ClientError> {
        let over = record.status != CallStatus::InProgress;
        if let Some(id) = &refs.id {
            if !over {
                return Ok(()); // There is no update that says so, and nothing else is known yet.
            }
            match self.api.update(id, record).await {
                Err(error) if error.is(404) => {
                    tracing::info!("Callmind has lost the record of a call; creating it anew");
                }
                other => return other,
            }
        }
        let created = self.api.create(owner, record).await?;
        *refs = Refs { id: created.id, call_sid: Some(record.call_sid.clone()), announced: false };
        // A record that was there before, because the reply to its creation was lost, may hold less than this one.
        if over && (created.existed || report.maybe_written) {
            match &refs.id {
                Some(id) => self.api.update(id, record).await?,
                None if record.status == CallStatus::Completed => self.api.complete(record).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Tells the webhooks. They know no missed and no failed calls: these go the other way.
    async fn tell(&self, report: &Report, owner: &Owner, record: &Record, refs: &mut Refs) -> Result<(), ClientError> {
        if matches!(record.status, CallStatus::Missed | CallStatus::Failed) {
            return self.bring(report, owner, record, refs).await;
        }
        if !refs.announced {
            self.announce(owner, record, refs).await?;
        }
        if record.status != CallStatus::Completed {
            return Ok(());
        }
        match self.api.complete(record).await {
            Err(error) if error.is(404) => {
                tracing::info!("Callmind has lost the record of a call; announcing it anew");
                refs.announced = false;
                self.announce(owner, record, refs).await?;
                self.api.complete(record).await
            }
            completed => completed,
        }
    }

    async fn announce(&self, owner: &Owner, record: &Record, refs: &mut Refs) -> Result<(), ClientError> {
        let id = self.api.start(owner, record).await?.or(refs.id.take());
        *refs = Refs { id, call_sid: Some(record.call_sid.clone()), announced: true };
        Ok(())
    }
}

#[async_trait]
impl Sink for Callmind {
    fn id(&self) -> SinkId {
        ID
    }

    fn wants(&self, milestone: Milestone, call: &Call) -> bool {
        (self.mode != Mode::OneStep || milestone == Milestone::Analyzed) && self.owners.of(call, milestone).is_some()
    }

    /// The whole state goes with every milestone, so that only the last one reached has something to say.
    async fn deliver(&self, report: &Report) -> Result<Vec<Delivery>, StepError> {
        let reached = Milestone::ALL.into_iter().filter(|m| self.wants(*m, &report.call) && report.reached(*m));
        let reached: Vec<_> = reached.collect();
        let Some(last) = reached.last() else { return Ok(Vec::new()) };
        let Some(owner) = self.owners.of(&report.call, *last) else { return Ok(Vec::new()) };
        let mut refs = kept(report);
        let call_sid = refs.call_sid.clone().unwrap_or_else(|| report.call.display_id());
        let record = Record::of(report, call_sid);
        let hash = content_hash(&record);
        let sent =
            Milestone::ALL.into_iter().rev().find_map(|m| report.held(m)).is_some_and(|d| d.content_hash == hash);
        let brought = match self.mode {
            _ if sent => Ok(()),
            Mode::OneStep | Mode::TwoStep => self.bring(report, owner, &record, &mut refs).await,
            Mode::Webhook => self.tell(report, owner, &record, &mut refs).await,
        };
        if let Err(error) = brought {
            if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Broken) {
                // The record may be there, under this id.
                refs.call_sid = Some(record.call_sid);
            }
            let mut error = StepError::from(error);
            error.writes.extend(unfinished(report, *last, &refs));
            return Err(error);
        }
        let refs = serde_json::to_value(refs).unwrap_or_default();
        let delivery = |milestone| Delivery { milestone, content_hash: hash.clone(), refs: refs.clone() };
        let fresh = reached.iter().copied().map(delivery).filter(|d| report.held(d.milestone) != Some(d));
        Ok(fresh.collect())
    }

    fn left_out(&self, report: &Report, _: &[Delivery]) -> Option<Reason> {
        self.owners.of(&report.call, Milestone::Analyzed).is_none().then(|| "agent-not-mapped".into())
    }

    async fn check(&self) -> anyhow::Result<String> {
        self.api.check().await.context("cannot use Callmind")?;
        Ok(format!("the call history answers and takes the token; {} agents are mapped", self.owners.mapped()))
    }
}

/// What earlier deliveries kept; the last one knows most.
fn kept(report: &Report) -> Refs {
    let of = |m: Milestone| report.held(m).and_then(|d| Refs::deserialize(&d.refs).ok());
    Milestone::ALL.into_iter().rev().find_map(of).unwrap_or_default()
}

/// What was found out before a delivery failed, if it is news.
fn unfinished(report: &Report, milestone: Milestone, refs: &Refs) -> Option<Write> {
    let refs = (*refs != kept(report)).then(|| serde_json::to_value(refs).unwrap_or_default())?;
    let delivery = Delivery { milestone, content_hash: Delivery::UNFINISHED.to_owned(), refs };
    Some(Write::Delivery(report.call.id, ID, delivery))
}

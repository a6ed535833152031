//! GoHighLevel: the note of a call, its recording in two custom fields, tags, and a note with the feedback and the words;
//! and the call in the contact's conversation, where that is set up.
//!
//! `plan` says what a milestone leaves behind, `bring` sees to it, `refs` is what is kept of that; `withdraw` takes back a note that
//! was written twice; `note` and `feedback_note` hold the texts; `contacts`,
//! `notes` and `fields` are the vendor's resources over `api`. To add a resource: a file with an `impl Api`. To write
//! something new for a milestone: a part of `plan::Plan`, and its line in `bring`.

mod api;
mod bring;
mod call_log;
mod contacts;
mod feedback_note;
mod fields;
mod known;
mod note;
mod notes;
mod opportunities;
mod plan;
mod refs;
mod withdraw;

use anyhow::Context;
use async_trait::async_trait;

pub use self::{
    api::{Api, is_gone},
    contacts::{Contact, ContactFields},
    notes::Note,
    opportunities::{Opportunity, Pipeline},
};
use self::{bring::Bringing, call_log::CallLog, fields::Fields, known::Known, refs::Refs};
use super::Sink;
use crate::{
    domain::{Call, Delivery, Milestone, Reason, Report, SinkId, StepError},
    env::{Env, EnvError},
    http::Outside,
    locks::Locks,
};

const ID: SinkId = SinkId::new("gohighlevel");

/// One location of GoHighLevel.
pub struct GoHighLevel {
    api: Api,
    fields: Fields,
    create_contacts: bool,
    call_log: CallLog,
    known: Known,
    locks: Locks,
}

impl GoHighLevel {
    /// Reads `GHL_CREATE_CONTACTS` (on), `GHL_CREATE_FIELDS` (on), `GHL_CALL_LOG` (off) and what [`Api::from_env`] does. Off without
    /// `GHL_API_KEY`.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let Some(api) = Api::from_env(env, outside)? else { return Ok(None) };
        let fields = Fields::new(api.clone(), env.flag("GHL_CREATE_FIELDS", true)?);
        let (create_contacts, call_log) = (creates_contacts(env)?, CallLog::from_env(env)?);
        let (known, locks) = (Known::default(), outside.locks.clone());
        Ok(Some(Self { api, fields, create_contacts, call_log, known, locks }))
    }
}

/// Whether contacts that are missing are made.
///
/// # Errors
/// When `GHL_CREATE_CONTACTS` is neither on nor off.
pub fn creates_contacts(env: &Env) -> Result<bool, EnvError> {
    env.flag("GHL_CREATE_CONTACTS", true)
}

#[async_trait]
impl Sink for GoHighLevel {
    fn id(&self) -> SinkId {
        ID
    }

    fn wants(&self, milestone: Milestone, _call: &Call) -> bool {
        bring::WANTED.contains(&milestone)
    }

    async fn deliver(&self, report: &Report) -> Result<Vec<Delivery>, StepError> {
        Bringing::new(self, report).all().await
    }

    fn left_out(&self, report: &Report, brought: &[Delivery]) -> Option<Reason> {
        let stands = |held: &&Delivery| brought.iter().all(|new| new.milestone != held.milestone);
        let now = brought.iter().chain(report.held.iter().filter(stands));
        now.map(Refs::of).find_map(|refs| refs.skipped).map(Reason::from)
    }

    async fn withdraw(
        &self,
        report: &Report,
        outranked: &Delivery,
        stays: &[&Delivery],
    ) -> Result<Option<Delivery>, StepError> {
        Ok(withdraw::note(&self.api, report, outranked, stays).await?)
    }

    async fn check(&self) -> anyhow::Result<String> {
        let fields = self.fields.count().await.context("cannot read the location's custom fields")?;
        Ok(format!("the location answers; its contacts have {fields} custom fields"))
    }
}

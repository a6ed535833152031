//! GoHighLevel: the note of a call, its recording in two custom fields, tags, and a note with the feedback and the words.
//!
//! `plan` says what a milestone leaves behind, `bring` sees to it; `note` and `feedback_note` hold the texts; `contacts`,
//! `notes` and `fields` are the vendor's resources over `api`. To add a resource: a file with an `impl Api`. To write
//! something new for a milestone: a part of `plan::Plan`, and its line in `bring`.

mod api;
mod bring;
mod contacts;
mod feedback_note;
mod fields;
mod note;
mod notes;
mod plan;

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;

use self::{api::Api, bring::Bringing, fields::Fields};
use super::Sink;
use crate::{
    budgets::Limit,
    domain::{Call, Delivery, Milestone, Report, SinkId, StepError},
    env::{Env, EnvError},
    http::Outside,
};

const ID: SinkId = SinkId::new("gohighlevel");

/// The vendor's own limit: 100 calls in 10 s per location (facts: crm_ai §1.3).
const RATE_PER_10S: u32 = 100;

/// One location of GoHighLevel.
pub struct GoHighLevel {
    api: Api,
    fields: Fields,
    create_contacts: bool,
}

impl GoHighLevel {
    /// Reads `GHL_API_KEY`, `GHL_LOCATION_ID`, `GHL_BASE_URL`, `GHL_CREATE_CONTACTS` (on), `GHL_CREATE_FIELDS` (on) and
    /// `GHL_RATE_PER_10S` (100; 0 is no limit). Off without `GHL_API_KEY`.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let Some(token) = env.secret("GHL_API_KEY") else { return Ok(None) };
        let calls = env.parsed("GHL_RATE_PER_10S", RATE_PER_10S)?;
        let location = env.required("GHL_LOCATION_ID")?.to_owned();
        if !location.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            let why = "expected letters and digits".to_owned();
            return Err(EnvError::Invalid { name: "GHL_LOCATION_ID".to_owned(), why }.into());
        }
        let api = Api {
            vendor: outside.vendor("gohighlevel", Limit::new(calls, Duration::from_secs(10))),
            base_url: env.base_url("GHL_BASE_URL", "https://services.leadconnectorhq.com")?,
            token,
            location,
        };
        let fields = Fields::new(api.clone(), env.flag("GHL_CREATE_FIELDS", true)?);
        Ok(Some(Self { api, fields, create_contacts: env.flag("GHL_CREATE_CONTACTS", true)? }))
    }
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

    async fn check(&self) -> anyhow::Result<String> {
        let fields = self.fields.count().await.context("cannot read the location's custom fields")?;
        Ok(format!("the location answers; its contacts have {fields} custom fields"))
    }
}

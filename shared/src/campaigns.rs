//! Contacts with a certain tag take part in a campaign of CloudTalk's dialer: `CAMPAIGN_RULES=hot lead=Autumn, vip=12`.
//!
//! A campaign takes whoever has one of its own tags (facts: telephony §1.4), so that joining it means getting that tag.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    clock::Clock,
    domain::{Event, EventKind, StepError, VerdictExt},
    env::{Env, EnvError},
    http::{ClientError, Outside},
    mirror::{Change, Side, Who},
    providers::cloudtalk::{Api, Campaign},
};

const RULES: &str = "CAMPAIGN_RULES";
/// The list of campaigns is believed for so long.
const FRESH: Duration = Duration::from_secs(300);

/// Which tags lead to which campaigns. Cheap to clone.
#[derive(Clone)]
pub struct Campaigns {
    api: Api,
    clock: Clock,
    /// Tag in lower case, and id or name of the campaign.
    rules: Vec<(String, String)>,
    known: Arc<Mutex<Known>>,
}

/// The campaigns as they were when last asked for.
#[derive(Clone, Default)]
struct Known {
    at: DateTime<Utc>,
    campaigns: Option<Vec<Campaign>>,
}

impl Campaigns {
    /// `None` without `CAMPAIGN_RULES`.
    ///
    /// # Errors
    /// When a rule is none, or there are some without CloudTalk's API.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Option<Self>> {
        let rule = |text: String| {
            let (tag, campaign) = text.split_once('=')?;
            let rule = (tag.trim().to_lowercase(), campaign.trim().to_owned());
            (!rule.0.is_empty() && !rule.1.is_empty()).then_some(rule)
        };
        let rules: Option<Vec<_>> = env.list(RULES).into_iter().map(rule).collect();
        let why = "expected tag=campaign, separated by commas".to_owned();
        let rules = rules.ok_or_else(|| EnvError::Invalid { name: RULES.to_owned(), why })?;
        if rules.is_empty() {
            return Ok(None);
        }
        let api = Api::from_env(env, outside)?.with_context(|| format!("{RULES} needs CLOUDTALK_API_KEY_ID"))?;
        Ok(Some(Self { api, clock: outside.clock.clone(), rules, known: Arc::default() }))
    }

    /// Lets the contact of an event take part in what the tags that it names lead to. Doing it twice changes nothing.
    ///
    /// # Errors
    /// When CloudTalk cannot be asked, with the verdict.
    pub async fn join(&self, event: &Event) -> Result<(), StepError> {
        let wanted = self.wanted(event);
        let Some(change) = Change::of(event).or_fail("event-unusable")?.filter(|_| !wanted.is_empty()) else {
            return Ok(());
        };
        let tags = self.tags(&wanted).await?;
        let Some(contact) = self.contact(change.side, &change.who).await? else {
            tracing::info!("a contact that is to join a campaign is not in CloudTalk");
            return Ok(());
        };
        let held = self.api.contact(&contact).await?.unwrap_or_default();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let lacking = held.lacks(&tags);
        if !lacking.is_empty() {
            self.api.add_tags(&contact, &lacking).await?;
            tracing::info!(campaigns = lacking.len(), "a contact joined campaigns");
        }
        Ok(())
    }

    /// The campaigns that an event's tags lead to.
    fn wanted(&self, event: &Event) -> Vec<&str> {
        if !matches!(event.kind, EventKind::NewContact | EventKind::ContactUpdated | EventKind::NewTag) {
            return Vec::new();
        }
        let tags = tags_in(&event.body);
        self.rules.iter().filter(|(tag, _)| tags.contains(tag)).map(|(_, campaign)| campaign.as_str()).collect()
    }

    /// The tags of these campaigns. One that is not there, or has none, is left out, and said so.
    async fn tags(&self, wanted: &[&str]) -> Result<Vec<String>, ClientError> {
        let campaigns = self.campaigns().await?;
        let mut tags = Vec::new();
        for name in wanted {
            let campaign = campaigns.iter().find(|one| one.id == *name || one.name.eq_ignore_ascii_case(name));
            match campaign.and_then(|campaign| campaign.tags.first()) {
                Some(tag) => tags.push(tag.clone()),
                None => tracing::warn!(campaign = name, "{RULES} names a campaign that is not there, or has no tag"),
            }
        }
        tags.dedup();
        Ok(tags)
    }

    async fn contact(&self, side: Side, who: &Who) -> Result<Option<String>, ClientError> {
        if side == Side::CloudTalk && who.id.is_some() {
            return Ok(who.id.clone());
        }
        if let Some(phone) = &who.phone
            && let Some(contact) = self.api.find_contact(phone).await?
        {
            return Ok(Some(contact.id));
        }
        match &who.email {
            Some(email) => Ok(self.api.find_contact_by_email(email).await?.map(|contact| contact.id)),
            None => Ok(None),
        }
    }

    async fn campaigns(&self) -> Result<Vec<Campaign>, ClientError> {
        let now = self.clock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fresh = (now - known.at).to_std().is_ok_and(|age| age < FRESH);
        if let Some(campaigns) = known.campaigns.filter(|_| fresh) {
            return Ok(campaigns);
        }
        let campaigns = self.api.campaigns().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
            Known { at: now, campaigns: Some(campaigns.clone()) };
        Ok(campaigns)
    }
}

/// The tags that a webhook names, in lower case: all that the contact has (a list, or a text with commas), or the new one.
fn tags_in(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut tags = Vec::new();
    for name in ["tags", "tag_name", "tag", "tagName"] {
        match &body[name] {
            Value::Array(list) => tags.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
            Value::String(text) => tags.extend(text.split(',').map(str::to_owned)),
            _ => {}
        }
    }
    tags.into_iter().map(|tag| tag.trim().to_lowercase()).collect()
}

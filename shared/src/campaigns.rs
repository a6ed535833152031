//! Contacts with a certain tag take part in a campaign of CloudTalk's dialer: `CAMPAIGN_RULES=hot lead=Autumn, vip=12`.
//!
//! A campaign takes whoever has one of its own tags (facts: telephony §1.4), so that joining it means getting that tag.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::{
    clock::Clock,
    domain::{Event, EventKind, StepError, VerdictExt},
    env::{Env, EnvError},
    fresh::Fresh,
    http::{ClientError, Outside},
    mirror::{Change, Side, Who},
    providers::cloudtalk::{Api, Campaign},
    sinks::gohighlevel::{Api as GoHighLevel, is_gone},
    sources::loose,
};

const RULES: &str = "CAMPAIGN_RULES";
/// Under what webhooks name tags, however they write it.
const TAGS: &[&str] = &["tags", "tagname", "tag"];
/// The list of campaigns is believed for so long.
const FRESH: Duration = Duration::from_secs(300);
/// A contact that is to join and is not in CloudTalk may be on its way there, or not yet found by its searches: it is looked for
/// again for so long.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Until the second such look, as each takes one or two of the 60 requests a minute that CloudTalk allows. Each later one comes at
/// three times the age of the one before, and the last when patience ends.
const LOOK: Duration = Duration::from_secs(60);

/// Which tags lead to which campaigns. Cheap to clone.
#[derive(Clone)]
pub struct Campaigns {
    api: Api,
    crm: Option<GoHighLevel>,
    clock: Clock,
    /// Tag in lower case, and id or name of the campaign.
    rules: Vec<(String, String)>,
    known: Arc<Fresh<Vec<Campaign>>>,
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
        let crm = GoHighLevel::from_env(env, outside)?;
        Ok(Some(Self { api, crm, clock: outside.clock.clone(), rules, known: Arc::new(Fresh::new(FRESH)) }))
    }

    /// Lets the contact of an event take part in what the tags that it names lead to. Of a new tag that it does not name, the
    /// contact knows. Doing it twice changes nothing.
    ///
    /// # Errors
    /// When CloudTalk or GoHighLevel cannot be asked, with the verdict; snooze while the contact is not there, up to an hour from the event.
    pub async fn join(&self, event: &Event) -> Result<(), StepError> {
        if !matches!(event.kind, EventKind::NewContact | EventKind::ContactUpdated | EventKind::NewTag) {
            return Ok(());
        }
        let named = tags_in(&event.body);
        if named.as_ref().is_some_and(|tags| self.wanted(tags).is_empty()) {
            return Ok(());
        }
        let Some(change) = Change::of(event).or_fail("event-unusable")? else { return Ok(()) };
        let tags = match named {
            Some(tags) => tags,
            // Of any other change it would undo that somebody was taken out of a campaign by hand.
            None if event.kind == EventKind::NewTag => self.held(&change, &event.account).await?,
            None => return Ok(()),
        };
        let wanted = self.wanted(&tags);
        if wanted.is_empty() {
            return Ok(());
        }
        let tags = self.tags(&wanted).await?;
        if tags.is_empty() {
            return Ok(());
        }
        let Some(contact) = self.contact(change.side, &change.who).await? else {
            let age = (self.clock.now() - event.received_at).to_std().unwrap_or_default();
            let what = "a contact that is to join a campaign is not in CloudTalk";
            if age < PATIENCE {
                let wait = (age * 2).min(PATIENCE - age).max(LOOK);
                return Err(StepError::snooze("not-in-cloudtalk", wait, anyhow!(what)));
            }
            tracing::info!("{what}");
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

    /// The tags of the contact that changed, in lower case; none where it cannot be asked for.
    async fn held(&self, change: &Change, account: &str) -> Result<Vec<String>, ClientError> {
        let tags = match (change.side, &change.who.id, &self.crm) {
            (Side::CloudTalk, ..) => match self.contact(change.side, &change.who).await? {
                Some(id) => self.api.contact(&id).await?.and_then(|contact| contact.tags),
                None => None,
            },
            (Side::GoHighLevel, Some(id), Some(crm)) if crm.location == account => match crm.contact(id).await {
                Err(error) if is_gone(&error) => None,
                contact => contact?.tags,
            },
            (Side::GoHighLevel, ..) => None,
        };
        Ok(tags.unwrap_or_default().iter().map(|tag| tag.trim().to_lowercase()).collect())
    }

    /// The campaigns that tags lead to.
    fn wanted(&self, tags: &[String]) -> Vec<&str> {
        self.rules.iter().filter(|(tag, _)| tags.contains(tag)).map(|(_, campaign)| campaign.as_str()).collect()
    }

    /// The tags of these campaigns. One that is not there, or has none, is left out, and said so.
    async fn tags(&self, wanted: &[&str]) -> Result<Vec<String>, ClientError> {
        let campaigns = self.known.get(self.clock.now(), self.api.campaigns()).await?;
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
}

/// The tags that a webhook names, in lower case: all that the contact has (a list, or a text with commas), or the new one; at
/// the top, under `data` as marketplace apps or under `customData` as workflows. `None` where it speaks of none.
fn tags_in(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let objects = [&body, &body["data"], &body["customData"]].into_iter().filter_map(Value::as_object);
    let values = objects.flatten().filter(|(name, _)| TAGS.contains(&loose::normal(name).as_str()));
    let mut tags: Option<Vec<String>> = None;
    for (_, value) in values {
        match value {
            Value::Array(list) => {
                tags.get_or_insert_default().extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            value => {
                if let Some(Value::String(text)) = loose::present(value) {
                    tags.get_or_insert_default().extend(text.split(',').map(str::to_owned));
                }
            }
        }
    }
    tags.map(|tags| tags.into_iter().map(|tag| tag.trim().to_lowercase()).collect())
}

//! What CloudTalk remembers of people: contacts with tags and notes, agents, campaigns.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudtalkContact {
    /// Counts up.
    pub id: u64,
    /// Display name.
    pub name: String,
    /// Where the person works.
    pub company: String,
    /// Digits with country code.
    pub phones: Vec<u64>,
    /// Addresses.
    pub emails: Vec<String>,
    /// Names of its tags.
    pub tags: Vec<String>,
    /// Name and URL of the same person elsewhere.
    pub links: Vec<(String, String)>,
    /// Its notes by creation.
    pub notes: Vec<CloudtalkNote>,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last written.
    pub modified: DateTime<Utc>,
}

/// A note of a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudtalkNote {
    /// Counts up.
    pub id: u64,
    /// The agent who wrote it.
    pub agent: Option<u64>,
    /// What it says.
    pub note: String,
    /// When it was written.
    pub created: DateTime<Utc>,
}

/// Somebody who makes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudtalkAgent {
    /// CloudTalk's id.
    pub id: u64,
    /// First and last name.
    pub name: String,
    /// `online`, `offline`, `paused`, `calling`.
    pub availability: String,
    /// Whether they may call out.
    #[serde(default = "yes")]
    pub outbound: bool,
}

/// A campaign of the dialer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudtalkCampaign {
    /// Counts up from 1.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// `active` or `inactive`.
    pub status: String,
    /// Contacts with one of these tags take part.
    pub tags: Vec<String>,
}

/// A call that was started through the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialledCall {
    /// Whose phone rang.
    pub agent_id: u64,
    /// Whom they are to call, in digits.
    pub callee: u64,
}

fn yes() -> bool {
    true
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) contacts: BTreeMap<u64, CloudtalkContact>,
    pub(super) agents: BTreeMap<u64, CloudtalkAgent>,
    pub(super) campaigns: BTreeMap<u64, CloudtalkCampaign>,
    pub(super) dialled: Vec<DialledCall>,
    /// Tags by order of their ids, which count from 1.
    tags: Vec<String>,
    first: u64,
    notes: u64,
}

impl Book {
    /// Counts contacts and notes from there on.
    pub(super) fn from(first: u64) -> Self {
        Self { first, notes: first - 1, ..Self::default() }
    }

    /// A new, empty contact.
    pub(super) fn contact(&mut self) -> &mut CloudtalkContact {
        let id = self.contacts.last_key_value().map_or(1_450_000_000 + self.first, |(id, _)| id + 1);
        let now = Utc::now();
        self.contacts.entry(id).or_insert(CloudtalkContact {
            id,
            name: String::new(),
            company: String::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            tags: Vec::new(),
            links: Vec::new(),
            notes: Vec::new(),
            created: now,
            modified: now,
        })
    }

    /// The id of a tag, made where there is none; in whatever case it is the same tag.
    pub(super) fn tag(&mut self, name: &str) -> usize {
        let known = self.tags.iter().position(|tag| tag.to_lowercase() == name.to_lowercase());
        known.unwrap_or_else(|| {
            self.tags.push(name.to_owned());
            self.tags.len() - 1
        }) + 1
    }

    /// The name of a tag as it was first written.
    pub(super) fn tag_named(&self, id: usize) -> Option<&str> {
        self.tags.get(id.checked_sub(1)?).map(String::as_str)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (usize, &str)> {
        self.tags.iter().enumerate().map(|(at, name)| (at + 1, name.as_str()))
    }

    pub(super) fn next_note(&mut self) -> u64 {
        self.notes += 1;
        self.notes
    }
}

/// A moment as CloudTalk writes it.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

//! A person as one side holds them, and what of that was seen when the sides were last compared.

use serde::{Deserialize, Serialize};

use super::Side;
use crate::domain::Phone;

/// Begins the tags that deals leave in CloudTalk.
pub(super) const DEAL_TAG: &str = "GHL-";
/// Tags that calls leave in the CRM; they tell CloudTalk nothing new.
const CALL_TAGS: [&str; 7] = [
    "ct-callcompleted",
    "ct-recordingavailable",
    "ct-recordingready",
    "ct-inbound",
    "ct-outbound",
    "ct-completed",
    "ct-failed",
];

/// A contact as one side holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// The side's id.
    pub id: String,
    /// Display name; `None` where a number or an address stands in its place.
    pub name: Option<String>,
    /// Numbers, the main one first.
    pub phones: Vec<Phone>,
    /// What stands among them and is no number for us (an extension, a short code), as it is written there.
    pub other_numbers: Vec<String>,
    /// E-mail addresses, the main one first.
    pub emails: Vec<String>,
    /// Tags; `None` where the side did not say.
    pub tags: Option<Vec<String>>,
}

/// What was seen of a person on one side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Display name.
    pub name: Option<String>,
    /// The number that the sides have in common.
    pub phone: Option<Phone>,
    /// The address that the sides have in common, in lower case.
    pub email: Option<String>,
    /// Tags in lower case, sorted, without those that we set ourselves.
    pub tags: Option<Vec<String>>,
}

/// What was seen on both sides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Both {
    cloudtalk: Seen,
    gohighlevel: Seen,
}

/// Two contacts that are one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// CloudTalk's id.
    pub cloudtalk: String,
    /// GoHighLevel's id.
    pub gohighlevel: String,
    /// What each held when they were last compared.
    pub seen: Both,
}

impl Person {
    /// What is seen of them now. Of several numbers it is the one that was seen `before`, else one that the `other` side
    /// has, too, else the first; of addresses likewise.
    pub fn seen(&self, before: Option<&Seen>, other: Option<&Self>) -> Seen {
        let emails: Vec<String> = self.emails.iter().map(|email| email.trim().to_lowercase()).collect();
        let others: Vec<String> =
            other.iter().flat_map(|other| &other.emails).map(|email| email.trim().to_lowercase()).collect();
        let phones = other.map_or(&[][..], |other| &other.phones);
        Seen {
            name: self.name.clone(),
            phone: main(&self.phones, before.and_then(|seen| seen.phone.as_ref()), phones),
            email: main(&emails, before.and_then(|seen| seen.email.as_ref()), &others),
            tags: self.tags.as_ref().map(|tags| theirs(tags)),
        }
    }

    /// Whether either side could find the other by it.
    pub fn is_findable(&self) -> bool {
        !self.phones.is_empty() || !self.emails.is_empty()
    }
}

impl Both {
    /// What was seen on this side.
    pub fn of(&self, side: Side) -> &Seen {
        match side {
            Side::CloudTalk => &self.cloudtalk,
            Side::GoHighLevel => &self.gohighlevel,
        }
    }
}

impl Link {
    /// A contact `here` on this side and one across.
    pub fn new(side: Side, here: (String, Seen), there: (String, Seen)) -> Self {
        let (cloudtalk, gohighlevel) = match side {
            Side::CloudTalk => (here, there),
            Side::GoHighLevel => (there, here),
        };
        let seen = Both { cloudtalk: cloudtalk.1, gohighlevel: gohighlevel.1 };
        Self { cloudtalk: cloudtalk.0, gohighlevel: gohighlevel.0, seen }
    }

    /// The contact on this side.
    pub fn id(&self, side: Side) -> &str {
        match side {
            Side::CloudTalk => &self.cloudtalk,
            Side::GoHighLevel => &self.gohighlevel,
        }
    }
}

/// A name, unless it is a number or an address that stands in its place.
pub(super) fn name_of(text: &str) -> Option<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty() && !name.contains('@') && Phone::parse(&name).is_none()).then_some(name)
}

/// The tags that people set, in one form: GoHighLevel keeps them in lower case.
fn theirs(tags: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
    tags.retain(|tag| {
        !tag.is_empty() && !tag.starts_with(&DEAL_TAG.to_lowercase()) && !CALL_TAGS.contains(&tag.as_str())
    });
    tags.sort_unstable();
    tags.dedup();
    tags
}

fn main<T: Clone + PartialEq>(held: &[T], before: Option<&T>, other: &[T]) -> Option<T> {
    let before = before.filter(|value| held.contains(value));
    before.or_else(|| held.iter().find(|value| other.contains(value))).or_else(|| held.first()).cloned()
}

//! Campaigns of the dialer. A contact takes part by having one of the campaign's tags; there is no other way to add one
//! (facts: telephony §1.4).

use serde_json::Value;

use super::{Api, several, text};
use crate::http::ClientError;

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// CloudTalk's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `active`, `inactive`, ….
    pub status: Option<String>,
    /// Contacts with any of these tags take part.
    pub tags: Vec<String>,
}

impl Campaign {
    fn read(row: &Value) -> Option<Self> {
        let campaign = &row["Campaign"];
        let tags = several(&row["ContactsTag"]).filter_map(|tag| text(&tag["name"]));
        Some(Self {
            id: text(&campaign["id"])?,
            name: text(&campaign["name"]).unwrap_or_default(),
            status: text(&campaign["status"]),
            tags: tags.collect(),
        })
    }
}

impl Api {
    /// All campaigns.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, ClientError> {
        Ok(self.list("/campaigns/index.json", &[]).await?.iter().filter_map(Campaign::read).collect())
    }
}

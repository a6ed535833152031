//! The two custom fields of a contact that hold its last recording. They are written by id, while people know them by
//! key: the ids are looked up once per process and created where they are missing.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    api::{Api, is_invalid},
    contacts::Contact,
    plan::LastRecording,
};
use crate::http::{ClientError, ErrorKind};

/// A field as the recording guide names it. The CRM derives the key from the name (facts: crm_ai §1.5).
struct Known {
    key: &'static str,
    name: &'static str,
    data_type: &'static str,
}

impl Known {
    fn among(&self, fields: &[Field]) -> Option<String> {
        let is_it = |field: &&Field| field.key.as_deref().map(|k| k.trim_start_matches("contact.")) == Some(self.key);
        fields.iter().find(is_it).map(|field| field.id.clone())
    }
}

const LAST_RECORDING: Known =
    Known { key: "cloudtalk_last_recording", name: "CloudTalk Last Recording", data_type: "LARGE_TEXT" };
const RECORDING_URL: Known =
    Known { key: "cloudtalk_recording_url", name: "CloudTalk Recording URL", data_type: "TEXT" };

/// Writes the recording fields of contacts. Cheap to clone.
#[derive(Clone)]
pub struct Fields {
    api: Api,
    create: bool,
    ids: Arc<Mutex<Option<Ids>>>,
}

/// The ids of the fields; `None` for one that the location does not have and we may not create.
#[derive(Debug, Clone, Default, PartialEq)]
struct Ids {
    last_recording: Option<String>,
    recording_url: Option<String>,
}

#[derive(Deserialize)]
struct Field {
    id: String,
    #[serde(rename = "fieldKey", default)]
    key: Option<String>,
}

#[derive(Deserialize)]
struct Many {
    #[serde(rename = "customFields")]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct One {
    #[serde(rename = "customField")]
    field: Field,
}

impl Fields {
    /// Fields of this location; missing ones are created if `create`.
    pub fn new(api: Api, create: bool) -> Self {
        Self { api, create, ids: Arc::default() }
    }

    /// How many custom fields contacts have in this location.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn count(&self) -> Result<usize, ClientError> {
        self.list().await.map(|fields| fields.len())
    }

    /// Makes `recording` the contact's last one, unless the contact has one of a later call already.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn write(&self, contact: &Contact, recording: &LastRecording) -> Result<(), ClientError> {
        let ids = self.ids(None).await?;
        match self.write_by(&ids, contact, recording).await {
            Err(error) if is_invalid(&error) => {
                // A field may have been deleted and made anew: read once more, and give up where nothing has changed.
                let fresh = self.ids(Some(&ids)).await?;
                if fresh == ids { Err(error) } else { self.write_by(&fresh, contact, recording).await }
            }
            other => other,
        }
    }

    async fn write_by(&self, ids: &Ids, contact: &Contact, recording: &LastRecording) -> Result<(), ClientError> {
        let held = ids.last_recording.as_deref().and_then(|id| contact.field(id));
        if held.is_some_and(|held| is_of_later_call(held, recording)) {
            return Ok(());
        }
        let text = serde_json::to_string(recording).ok();
        let values = [
            (&LAST_RECORDING, ids.last_recording.as_ref().zip(text)),
            (&RECORDING_URL, ids.recording_url.as_ref().zip(recording.recording_url.clone())),
        ];
        let values: Vec<Value> = values
            .into_iter()
            .filter_map(|(known, value)| value.map(|(id, v)| json!({"id": id, "key": known.key, "field_value": v})))
            .collect();
        if values.is_empty() {
            return Ok(());
        }
        let request = self.api.request(Method::PUT, &format!("/contacts/{}", contact.id));
        self.api.send::<Value>(request.json(&json!({"customFields": values}))).await.map(drop)
    }

    /// The fields' ids: kept ones, unless those are the `stale` ones.
    async fn ids(&self, stale: Option<&Ids>) -> Result<Ids, ClientError> {
        let mut kept = self.ids.lock().await;
        if let Some(ids) = kept.as_ref().filter(|ids| Some(*ids) != stale) {
            return Ok(ids.clone());
        }
        let fields = self.list().await?;
        let ids = Ids {
            last_recording: self.id_of(&LAST_RECORDING, &fields).await?,
            recording_url: self.id_of(&RECORDING_URL, &fields).await?,
        };
        *kept = Some(ids.clone());
        Ok(ids)
    }

    async fn id_of(&self, known: &Known, fields: &[Field]) -> Result<Option<String>, ClientError> {
        if let Some(id) = known.among(fields) {
            return Ok(Some(id));
        }
        if !self.create {
            tracing::warn!(field = known.key, "the CRM has no such custom field; recordings go without it");
            return Ok(None);
        }
        let path = format!("/locations/{}/customFields", self.api.location);
        let body = json!({"name": known.name, "dataType": known.data_type, "model": "contact"});
        match self.api.send::<One>(self.api.request(Method::POST, &path).json(&body)).await {
            Ok(created) => Ok(Some(created.field.id)),
            Err(error) if error.kind == ErrorKind::Refused => {
                // Perhaps because another process was faster.
                if let Some(id) = known.among(&self.list().await?) {
                    return Ok(Some(id));
                }
                tracing::warn!(field = known.key, %error, "the custom field cannot be created; recordings go without it");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<Vec<Field>, ClientError> {
        let path = format!("/locations/{}/customFields", self.api.location);
        let request = self.api.request(Method::GET, &path).query(&[("model", "contact")]);
        self.api.send::<Many>(request).await.map(|found| found.fields)
    }
}

/// Whether a field's text is that of a call after this one. What is not ours is no call.
fn is_of_later_call(text: &str, recording: &LastRecording) -> bool {
    serde_json::from_str::<LastRecording>(text)
        .is_ok_and(|held| held.call_id != recording.call_id && held.updated_at > recording.updated_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_processed_late_does_not_pass_for_the_last_one() {
        let of = |call: &str, at: &str| LastRecording {
            recording_url: None,
            recording_available: true,
            call_id: call.into(),
            call_duration: Some(1),
            recording_format: None,
            updated_at: at.into(),
        };
        let held = serde_json::to_string(&of("2", "2025-09-16T14:04:58Z")).unwrap_or_default();
        assert!(is_of_later_call(&held, &of("1", "2025-09-16T13:00:00Z")));
        assert!(!is_of_later_call(&held, &of("3", "2025-09-16T15:00:00Z")));
        assert!(!is_of_later_call(&held, &of("2", "2025-09-16T13:00:00Z")), "the same call is written anew");
        assert!(!is_of_later_call("somebody's own words", &of("1", "2025-09-16T13:00:00Z")));
    }
}

//! The callback about a recording: a form, signed with the account's auth token over the URL and the form's fields.

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha1::Sha1;

use super::{ACCOUNT, date, recordings::Recording};
use crate::{calls::WebhookAnswer, world::World};

/// Where the owner of a recording wants to hear of it, and of what.
#[derive(Clone)]
pub(crate) struct Callback {
    url: String,
    events: Vec<String>,
}

impl Callback {
    /// As asked for when the recording was begun; completed alone by default.
    pub(super) fn wanted(asked: &HashMap<String, String>) -> Option<Self> {
        let events = asked.get("RecordingStatusCallbackEvent").map_or("completed", String::as_str);
        let events = events.split_whitespace().map(str::to_owned).collect();
        Some(Self { url: asked.get("RecordingStatusCallback")?.clone(), events })
    }

    /// At this URL, of everything.
    pub(super) fn everything(url: String) -> Self {
        Self { url, events: ["in-progress", "completed", "absent"].map(str::to_owned).to_vec() }
    }
}

/// Posts the recording's status to whoever wants to hear of it.
pub(super) async fn post(world: &World, token: &str, recording: &Recording) -> Option<WebhookAnswer> {
    let callback = recording.callback.as_ref()?;
    let status = recording.status;
    callback.events.iter().find(|event| *event == status)?;
    let fields = fields(recording);
    let event = format!("recording-{status}");
    // Neither requested nor signed: the fragment is for Twilio alone.
    let url = callback.url.split('#').next().unwrap_or_default();
    let Ok(target) = url.parse::<Url>() else {
        return Some(WebhookAnswer { event, status: 0, body: "not a URL".to_owned() });
    };
    let request = world
        .http()
        .post(target)
        .header("user-agent", "TwilioProxy/1.1")
        .header("x-twilio-signature", sign(token, url, &fields))
        .header("i-twilio-idempotency-token", uuid::Uuid::now_v7().to_string())
        .form(&fields);
    let (status, body) = match request.send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(error) => (0, format!("no answer: {}", error.without_url())),
    };
    Some(WebhookAnswer { event, status, body })
}

fn fields(recording: &Recording) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("AccountSid", ACCOUNT.to_owned()),
        ("CallSid", recording.call_sid.clone()),
        ("RecordingSid", recording.sid.clone()),
        ("RecordingStatus", recording.status.to_owned()),
        ("RecordingChannels", recording.channels.to_string()),
        ("RecordingSource", recording.source.to_owned()),
        ("RecordingStartTime", date(recording.started_at)),
        ("RecordingTrack", "both".to_owned()),
    ];
    if recording.status == "completed" {
        let url = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{}", recording.sid);
        fields.push(("RecordingUrl", url));
        fields.push(("RecordingDuration", recording.seconds.to_string()));
    }
    if recording.status != "in-progress" {
        fields.push(("ErrorCode", recording.error_code.unwrap_or(0).to_string()));
    }
    fields.sort();
    fields
}

/// The URL, then each name and value in the order of the names, without anything in between.
fn sign(token: &str, url: &str, fields: &[(&str, String)]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

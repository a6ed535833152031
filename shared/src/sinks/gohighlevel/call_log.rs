//! The call in the contact's conversation (facts: crm_ai §1.6). The API logs calls only in the name of a marketplace app
//! with a conversation provider; without one, a workflow that begins with a webhook can do it.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, is_gone};
use crate::{
    domain::{Call, CallStatus, Direction, Report},
    env::{Env, EnvError},
    http::ClientError,
};

/// Of conversations (facts: crm_ai §1.1).
const VERSION: &str = "2021-04-15";
const MODE: &str = "GHL_CALL_LOG";
const PROVIDER: &str = "GHL_CONVERSATION_PROVIDER_ID";
const URL: &str = "GHL_CALL_LOG_URL";

/// How calls get into conversations.
#[derive(Clone)]
pub enum CallLog {
    /// They do not.
    Off,
    /// In the name of this conversation provider.
    Provider(String),
    /// By a workflow that this URL starts. Whoever knows it can do so, too.
    Workflow(SecretString),
}

/// A call as the conversation shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoggedCall {
    /// Under which it is found again: `cloudtalk:123456`.
    pub id: String,
    /// Who called whom; the vendor takes outbound where nothing is said.
    pub direction: Direction,
    /// When it began, else ended.
    pub date: String,
    /// The caller's number.
    pub from: Option<String>,
    /// The called number.
    pub to: Option<String>,
    /// `completed`, `no-answer`, `failed`, `voicemail`.
    pub status: &'static str,
    /// Whole seconds. Only a workflow can do something with it.
    pub duration: Option<u64>,
    /// The lasting link to the recording.
    pub recording_url: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Made {
    conversation: Conversation,
}

#[derive(Deserialize)]
struct Conversation {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    message_id: String,
}

impl CallLog {
    /// `GHL_CALL_LOG`: `off` (the default), `provider` with `GHL_CONVERSATION_PROVIDER_ID`, or `workflow` with
    /// `GHL_CALL_LOG_URL`.
    ///
    /// # Errors
    /// When it is something else, or what it needs is missing.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        match env.var(MODE).unwrap_or("off") {
            "off" => Ok(Self::Off),
            "provider" => Ok(Self::Provider(env.required(PROVIDER)?.to_owned())),
            "workflow" => {
                env.required(URL)?;
                Ok(Self::Workflow(env.base_url(URL, "")?.into()))
            }
            _ => {
                let why = "expected off, provider or workflow".to_owned();
                Err(EnvError::Invalid { name: MODE.to_owned(), why })
            }
        }
    }

    /// Whether calls are logged.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Logs a call and returns the message's id, where there is one. `names`: under which it may have been done already, which is
    /// looked up; a workflow's doings cannot be.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn write(
        &self,
        api: &Api,
        contact: &str,
        call: &LoggedCall,
        names: &[String],
    ) -> Result<String, ClientError> {
        match self {
            Self::Off => Ok(String::new()),
            Self::Provider(provider) => api.log_call(provider, contact, call, names).await,
            Self::Workflow(url) => api.start_workflow(url, contact, call).await.map(|()| String::new()),
        }
    }
}

impl LoggedCall {
    /// Under which a call is found again.
    pub fn id_of(call: &Call) -> String {
        format!("{}:{}", call.provider, call.display_id())
    }

    /// The call of this report; `None` where nobody is known who was called.
    pub fn of(report: &Report) -> Option<Self> {
        let Call { facts, .. } = &report.call;
        let direction = facts.direction.unwrap_or(Direction::Outbound);
        let ours = facts.internal_phone.as_ref().map(ToString::to_string);
        let theirs = Some(facts.external_phone.as_ref()?.to_string());
        let (from, to) = match direction {
            Direction::Inbound => (theirs, ours),
            Direction::Outbound => (ours, theirs),
        };
        let status = match facts.status {
            _ if facts.voicemail => "voicemail",
            Some(CallStatus::Missed) => "no-answer",
            Some(CallStatus::Failed) => "failed",
            _ => "completed",
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a call lasts less than 2^63 seconds"
        )]
        let whole = |seconds: f64| seconds.round().max(0.0) as u64;
        Some(Self {
            id: Self::id_of(&report.call),
            direction,
            date: facts.started_at.or(facts.ended_at).unwrap_or(report.call.created_at).to_rfc3339(),
            from,
            to,
            status,
            duration: report.duration_seconds().map(whole),
            recording_url: report.recording_link.clone().filter(|_| report.recording.is_some()),
        })
    }
}

impl Api {
    async fn log_call(
        &self,
        provider: &str,
        contact: &str,
        call: &LoggedCall,
        names: &[String],
    ) -> Result<String, ClientError> {
        let conversation = self.conversation(contact).await?;
        if !names.is_empty()
            && let Some(message) = self.logged(&conversation, names).await?
        {
            return Ok(message);
        }
        let mut ends = json!({"status": call.status});
        for (name, number) in [("from", &call.from), ("to", &call.to)] {
            if let Some(number) = number {
                ends[name] = number.as_str().into();
            }
        }
        let mut body = json!({
            "type": "Call", "conversationId": conversation, "contactId": contact, "conversationProviderId": provider,
            "altId": call.id, "direction": call.direction, "date": call.date, "call": ends,
        });
        if let Some(url) = &call.recording_url {
            body["attachments"] = json!([url]);
        }
        let path = format!("/conversations/messages/{}", call.direction.as_str());
        // An answer without the id of the message means that none was stored, whatever its status (facts: crm_ai §1.6).
        Ok(self.send::<Logged>(self.request_as(VERSION, Method::POST, &path).json(&body)).await?.message_id)
    }

    /// The contact's conversation, begun where there is none.
    async fn conversation(&self, contact: &str) -> Result<String, ClientError> {
        if let Some(id) = self.find_conversation(contact).await? {
            return Ok(id);
        }
        let body = json!({"locationId": self.location, "contactId": contact});
        match self.send::<Made>(self.request_as(VERSION, Method::POST, "/conversations/").json(&body)).await {
            Ok(made) => Ok(made.conversation.id),
            // Perhaps because another process was faster.
            Err(error) if error.is(400) && !is_gone(&error) => self.find_conversation(contact).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    async fn find_conversation(&self, contact: &str) -> Result<Option<String>, ClientError> {
        let query = [("locationId", self.location.as_str()), ("contactId", contact), ("limit", "1")];
        let request = self.request_as(VERSION, Method::GET, "/conversations/search").query(&query);
        let found: Found = self.send(request).await?;
        Ok(found.conversations.into_iter().next().map(|conversation| conversation.id))
    }

    /// The message under which a call was logged.
    async fn logged(&self, conversation: &str, names: &[String]) -> Result<Option<String>, ClientError> {
        let path = format!("/conversations/{conversation}/messages");
        let request = self.request_as(VERSION, Method::GET, &path).query(&[("type", "TYPE_CALL")]);
        let found: Value = self.send(request).await?;
        let messages = found["messages"]["messages"].as_array().or_else(|| found["messages"].as_array());
        let ours = |message: &&Value| names.iter().any(|name| message["altId"] == name.as_str());
        let message = messages.into_iter().flatten().find(ours);
        Ok(message.and_then(|message| message["id"].as_str()).map(str::to_owned))
    }

    async fn start_workflow(&self, url: &SecretString, contact: &str, call: &LoggedCall) -> Result<(), ClientError> {
        let mut body = json!(call);
        body["contact_id"] = contact.into();
        body["phone"] = json!(match call.direction {
            Direction::Inbound => &call.from,
            Direction::Outbound => &call.to,
        });
        let request = self.vendor.http().post(url.expose_secret()).json(&body);
        let answer = self.vendor.send(request).await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(ClientError::nonsense(self.vendor.name(), "redirects the start of a workflow elsewhere")),
        }
    }
}

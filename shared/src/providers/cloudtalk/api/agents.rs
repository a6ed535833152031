//! Agents, whether they can take a call now, and calls that are started for them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Api, flag, text};
use crate::{domain::Phone, http::ClientError};

/// What an agent does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Waits for a call.
    Online,
    /// Is not there.
    Offline,
    /// Takes a break.
    Paused,
    /// Talks, or is being rung.
    Calling,
}

/// Somebody who makes calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// CloudTalk's id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// What they do at the moment; what is not understood counts as not there.
    pub availability: Availability,
    /// Whether they may call out, and have not spent their daily limit.
    pub may_call: bool,
}

/// How starting a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialled {
    /// The agent's phone rings (for 20 seconds at most); once they take it, the other side is called.
    Rings,
    /// The agent was not online after all.
    NotOnline,
    /// The agent was in a call after all.
    Busy,
}

impl Agent {
    fn read(row: &Value) -> Option<Self> {
        let agent = &row["Agent"];
        let availability = match agent["availability_status"].as_str() {
            Some("online") => Availability::Online,
            Some("paused") => Availability::Paused,
            Some("calling") => Availability::Calling,
            _ => Availability::Offline,
        };
        let names = [&agent["firstname"], &agent["lastname"]].into_iter().filter_map(text);
        let may = |name: &str| flag(&agent[name]).unwrap_or(true);
        Some(Self {
            id: text(&agent["id"])?,
            name: names.collect::<Vec<_>>().join(" "),
            email: text(&agent["email"]),
            availability,
            may_call: may("status_outbound") && may("is_daily_limit_ok"),
        })
    }

    /// Whether they could take a call now.
    pub fn is_free(&self) -> bool {
        self.availability == Availability::Online && self.may_call
    }
}

impl Api {
    /// All agents, as they are at this moment.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn agents(&self) -> Result<Vec<Agent>, ClientError> {
        Ok(self.list("/agents/index.json", &[]).await?.iter().filter_map(Agent::read).collect())
    }

    /// Rings up an agent and, once they take it, that number. CloudTalk does not say which call that becomes, and would do
    /// it again: after a lost answer nobody knows whether it rang.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn dial(&self, agent: &str, callee: &Phone) -> Result<Dialled, ClientError> {
        let body = json!({"agent_id": agent.parse::<u64>().map_or(agent.into(), Value::from), "callee_number": callee});
        match self.send(self.request(Method::POST, "/calls/create.json").json(&body)).await {
            Ok(_) => Ok(Dialled::Rings),
            Err(error) if error.is(403) => Ok(Dialled::NotOnline),
            Err(error) if error.is(409) => Ok(Dialled::Busy),
            Err(error) => Err(error),
        }
    }
}

//! Calls out (facts: telephony §3.4): an agent rings somebody up, over a number of Twilio.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Api, NAME, payload::is_id};
use crate::{domain::Phone, http::ClientError, providers::StartedCall};

/// Whom to call.
#[derive(Debug, Clone)]
pub struct Order {
    /// The agent.
    pub agent_id: String,
    /// Their id of the number that it calls from.
    pub agent_phone_number_id: String,
    /// Whom.
    pub to: Phone,
    /// The call's name in the system of whoever orders it: its webhooks bring it back.
    pub chat_id: String,
    /// What else the agent is to know: texts, numbers, switches.
    pub variables: Map<String, Value>,
}

impl Api {
    /// Rings somebody up, and has the call recorded by Twilio too.
    ///
    /// # Errors
    /// When they refuse, or do not answer: then nobody knows whether it rings.
    pub async fn call(&self, order: &Order) -> Result<StartedCall, ClientError> {
        let mut variables = order.variables.clone();
        variables.insert("chat_id".to_owned(), order.chat_id.as_str().into());
        let asked = json!({
            "agent_id": order.agent_id, "agent_phone_number_id": order.agent_phone_number_id,
            "to_number": order.to, "call_recording_enabled": true,
            "conversation_initiation_client_data": {"dynamic_variables": variables},
        });
        let answer = self.json(self.ask(Method::POST, "/v1/convai/twilio/outbound-call").json(&asked)).await?;
        if answer["success"] == false {
            return Err(ClientError::nonsense(NAME, "did not start the call"));
        }
        let id = |name: &str| answer[name].as_str().filter(|text| is_id(text)).map(str::to_owned);
        Ok(StartedCall {
            conversation_id: id("conversation_id"),
            call_sid: id("callSid"),
            chat_id: Some(order.chat_id.clone()),
            called_number: Some(order.to.clone()),
            agent_id: Some(order.agent_id.clone()),
        })
    }
}

//! GoHighLevel's webhooks (facts: crm_ai §1.8): of marketplace apps, which are signed, and of workflows, which show a shared
//! secret; either comes on any of the routes.
//!
//! - `verify`: who sent it. `payload`: what it says. To accept another field name: one more alias there.

mod payload;
mod verify;

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::payload::change;
use self::{
    payload::Said,
    verify::{Proofs, is_signed},
};
use super::{Check, Gate, Source, Unusable, Verified, WebhookRoute, fields};
use crate::{
    domain::{EventKind, NewEvent, ProviderId, Step},
    env::{Env, EnvError},
};

const NAME: &str = "gohighlevel";
/// A contact with hundreds of custom fields is below 100 kB.
const MAX_BODY: usize = 1 << 20;

const LOCATION: &str = "GHL_LOCATION_ID";
const SECRET: &str = "GHL_WEBHOOK_SECRET";
const PUBLIC_KEY: &str = "GHL_WEBHOOK_PUBLIC_KEY";
const VERIFY: &str = "GHL_WEBHOOK_VERIFY";

const ROUTES: &[WebhookRoute] = &[
    route("/api/ghl-webhooks/new-contact", "new-contact"),
    route("/api/ghl-webhooks/new-tag", "new-tag"),
    route("/api/ghl-webhooks/new-note", "new-note"),
    route("/api/ghl-webhooks/pipeline-stage-changed", "pipeline-stage-changed"),
    route("/api/ghl-webhooks/opportunity-status-changed", "opportunity-status-changed"),
];

const fn route(path: &'static str, hint: &'static str) -> WebhookRoute {
    WebhookRoute { path, hint, max_bytes: MAX_BODY }
}

/// The webhooks of one location.
pub struct GoHighLevel {
    location: String,
    gate: Gate<Proofs>,
}

impl GoHighLevel {
    /// `None` without `GHL_LOCATION_ID`. Webhooks of marketplace apps need no more: the published key is built in.
    /// `GHL_WEBHOOK_SECRET` lets in those of workflows.
    ///
    /// # Errors
    /// When a setting of the webhooks is there without the location, or cannot be used. Names the variable.
    pub fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        let Some(location) = env.var(LOCATION) else {
            let ours = [SECRET, PUBLIC_KEY, VERIFY].into_iter().any(|name| env.var(name).is_some());
            return if ours { Err(EnvError::Missing(LOCATION.to_owned())) } else { Ok(None) };
        };
        let gate = Gate::from_env(env, NAME, VERIFY, || Proofs::from_env(env))?;
        Ok(Some(Self { location: location.to_owned(), gate }))
    }
}

impl Source for GoHighLevel {
    fn id(&self) -> ProviderId {
        ProviderId::new(NAME)
    }

    fn webhooks(&self) -> &'static [WebhookRoute] {
        ROUTES
    }

    fn gate(&self) -> &dyn Check {
        &self.gate
    }

    fn example(&self, route: &WebhookRoute) -> Option<(&'static str, Value)> {
        Some(("application/json", payload::example(route.hint, &self.location)))
    }

    fn receive(&self, route: &WebhookRoute, request: Verified<'_>) -> Result<NewEvent, Unusable> {
        fields::refuse_forms(request.headers())?;
        let said = Said::parse(request.body())?;
        let mut kind = said.kind(route.hint, is_signed(request.headers()));
        let mut body = request.body().to_vec();
        let location = said.location().unwrap_or_else(|| self.location.clone());
        if location != self.location {
            // An app tells of every location that it is installed in. Others' contacts are none of our business.
            kind = EventKind::Other("other-location".to_owned());
            body = json!({"locationId": location, "webhookId": said.id()}).to_string().into_bytes();
        }
        if kind.first_step() == Step::Mirror && said.who(&kind).is_nobody() {
            let detail = "missing, and so are phone and email";
            return Err(Unusable::Field { field: "contactId".to_owned(), detail: detail.to_owned() });
        }
        // A workflow's webhook has no id, and the same words may tell of a change, its undoing and its repetition; to carry
        // a change over twice changes nothing.
        let dedupe_key = said.id().unwrap_or_else(|| format!("{}:{}", kind.as_str(), Uuid::now_v7()));
        Ok(NewEvent { provider: self.id(), account: location, kind, dedupe_key, body })
    }

    /// Of all errors it repeats webhooks after 429 only (facts: crm_ai §1.8).
    fn busy(&self) -> StatusCode {
        StatusCode::TOO_MANY_REQUESTS
    }
}

#[cfg(test)]
mod tests;

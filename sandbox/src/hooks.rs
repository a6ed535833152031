//! The webhooks that vendors send of their own accord, when what they hold changes. Nothing is sent until somebody says
//! where to. Each is posted once, in the background, and may overtake another, as in life.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use serde::Deserialize;

use crate::{
    calls::WebhookAnswer,
    vendor::Vendor,
    world::{Shared, World},
};

/// Where a vendor's webhooks go.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Hook {
    /// Origin of the service under test.
    pub(crate) base: String,
    /// What shows who sent them; how is the vendor's own affair.
    #[serde(default)]
    pub(crate) secret: String,
}

#[derive(Default)]
pub(crate) struct Hooks {
    targets: Mutex<HashMap<Vendor, Hook>>,
    sent: Mutex<Vec<(Vendor, Option<WebhookAnswer>)>>,
}

impl World {
    /// Sends this vendor's webhooks there from now on.
    pub(crate) fn hook_up(&self, vendor: Vendor, hook: Hook) {
        self.hooks.targets.lock().unwrap_or_else(PoisonError::into_inner).insert(vendor, hook);
    }

    /// Where this vendor's webhooks go.
    pub(crate) fn hook(&self, vendor: Vendor) -> Option<Hook> {
        self.hooks.targets.lock().unwrap_or_else(PoisonError::into_inner).get(&vendor).cloned()
    }

    /// What this vendor sent of its own accord; none where the answer is still awaited.
    pub(crate) fn hooked(&self, vendor: Vendor) -> Vec<Option<WebhookAnswer>> {
        let sent = self.hooks.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().filter(|(by, _)| *by == vendor).map(|(_, answer)| answer.clone()).collect()
    }
}

/// Posts a webhook in the background and remembers the answer.
pub(crate) fn send(world: &Shared, vendor: Vendor, event: &'static str, request: reqwest::RequestBuilder) {
    let at = world.hooks.add(vendor);
    let world = world.clone();
    tokio::spawn(async move {
        let (status, body) = match request.send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(error) => (0, format!("no answer: {}", error.without_url())),
        };
        world.hooks.answered(at, WebhookAnswer { event: event.to_owned(), status, body });
    });
}

impl Hooks {
    fn add(&self, vendor: Vendor) -> usize {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push((vendor, None));
        sent.len() - 1
    }

    fn answered(&self, at: usize, answer: WebhookAnswer) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)[at].1 = Some(answer);
    }
}

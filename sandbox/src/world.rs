//! Everything the sandbox remembers, shared by all handlers.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use serde::Serialize;

use crate::{
    callmind, cloudtalk, elevenlabs,
    faults::Faults,
    generic, ghl,
    hooks::Hooks,
    ledger::Ledger,
    openai,
    switches::{Switches, SwitchesPatch},
    target, twilio,
};

/// Handle to the world, as axum state.
pub(crate) type Shared = Arc<World>;

/// One simulated outside world.
pub(crate) struct World {
    pub(crate) origin: String,
    pub(crate) faults: Faults,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) cloudtalk: cloudtalk::Store,
    pub(crate) twilio: twilio::Store,
    pub(crate) elevenlabs: elevenlabs::Store,
    pub(crate) generic: generic::Store,
    pub(crate) openai: openai::Store,
    pub(crate) ghl: ghl::Store,
    pub(crate) callmind: callmind::Store,
    pub(crate) target: target::Store,
    pub(crate) hooks: Hooks,
    switches: RwLock<Switches>,
    http: OnceLock<reqwest::Client>,
}

impl World {
    /// Whatever counts up by itself does so from `first`.
    pub(crate) fn new(origin: String, first: u64) -> Shared {
        Arc::new(Self {
            origin,
            faults: Faults::default(),
            ledger: Ledger::new(),
            cloudtalk: cloudtalk::Store::from(first),
            twilio: twilio::Store::from(first),
            elevenlabs: elevenlabs::Store::from(first),
            generic: generic::Store::from(first),
            openai: openai::Store::default(),
            ghl: ghl::Store::default(),
            callmind: callmind::Store::default(),
            target: target::Store::default(),
            hooks: Hooks::default(),
            switches: RwLock::default(),
            http: OnceLock::new(),
        })
    }

    pub(crate) fn switches(&self) -> Switches {
        *self.switches.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn switch(&self, change: impl FnOnce(&mut Switches)) -> Switches {
        let mut switches = self.switches.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut switches);
        self.ledger.record(switches.record);
        *switches
    }

    pub(crate) fn patch(&self, patch: SwitchesPatch) -> Switches {
        self.switch(|switches| patch.apply(switches))
    }

    /// The client that posts webhooks. Built on first use.
    pub(crate) fn http(&self) -> &reqwest::Client {
        self.http.get_or_init(|| {
            let patient = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
            patient.build().unwrap_or_default()
        })
    }

    pub(crate) fn state(&self) -> State {
        State {
            cloudtalk: self.cloudtalk.snapshot(),
            twilio: self.twilio.snapshot(),
            elevenlabs: self.elevenlabs.snapshot(),
            openai: self.openai.snapshot(),
            ghl: self.ghl.snapshot(),
            callmind: self.callmind.snapshot(),
            target: self.target.snapshot(),
        }
    }
}

/// What every vendor holds now.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Calls and recordings.
    pub cloudtalk: cloudtalk::CloudtalkState,
    /// Calls and recordings.
    pub twilio: twilio::TwilioState,
    /// Conversations with agents.
    pub elevenlabs: elevenlabs::ElevenlabsState,
    /// How much was transcribed and judged.
    pub openai: openai::OpenaiState,
    /// Contacts with their notes, conversations, custom fields.
    pub ghl: ghl::GhlState,
    /// Call records with the history of their updates.
    pub callmind: callmind::CallmindState,
    /// What the operator's own URL was told.
    pub target: target::TargetState,
}

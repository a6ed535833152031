//! The outside world of Tapedeck, simulated over HTTP for tests, the demo and benchmarks.
//!
//! One listener, one prefix per vendor ([`Vendor`]), faults on demand ([`Fault`]), a ledger of what the vendors were
//! asked and a state of what they hold. It knows the vendors from their documents alone and depends on nothing of ours.
//!
//! To add a vendor: a variant in `vendor.rs`, a module with `routes`, `refusal` and a `Store`, one line each in
//! `server.rs` and `world.rs`.

mod callmind;
mod calls;
mod cloudtalk;
mod control;
mod elevenlabs;
mod faults;
mod generic;
mod ghl;
mod hooks;
mod ledger;
mod openai;
mod recordings;
pub mod samples;
mod server;
mod switches;
mod target;
mod twilio;
mod vendor;
mod world;

use std::{fmt, net::SocketAddr, num::NonZeroU64};

use anyhow::Context;
use tokio::{net::TcpListener, task::AbortHandle};

pub use callmind::{CallmindRecord, CallmindState, CallmindUpdate};
pub use calls::{CallMode, PlaceCall, PlacedCall, WebhookAnswer};
pub use cloudtalk::{
    CloudtalkAgent, CloudtalkCampaign, CloudtalkContact, CloudtalkNote, CloudtalkState, DialledCall, RecordingState,
};
pub use elevenlabs::{ElevenlabsConversation, ElevenlabsState};
pub use faults::{Fault, FaultKind};
pub use ghl::{Contact, ContactState, Conversation, CustomField, FieldValue, GhlState, Message, Note};
pub use ledger::{LedgerEntry, LedgerFilter};
pub use openai::{Bent, OpenaiState};
pub use recordings::{Recording, RecordingFile};
pub use switches::{CallmindDuplicates, Rate, Switches};
pub use target::{SECRET as TARGET_SECRET, TargetMessage, TargetState};
pub use twilio::{ACCOUNT as TWILIO_ACCOUNT, TwilioCall, TwilioRecording, TwilioState};
pub use vendor::Vendor;
pub use world::State;

/// A running sandbox. It stops, with all its connections, when this is dropped.
pub struct Sandbox {
    addr: SocketAddr,
    world: world::Shared,
    server: AbortHandle,
}

/// What to configure as the vendors' base URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrls {
    /// CloudTalk's REST API.
    pub cloudtalk: String,
    /// That of its analytics server.
    pub cloudtalk_analytics: String,
    /// Twilio's REST API.
    pub twilio: String,
    /// ElevenLabs' REST API.
    pub elevenlabs: String,
    /// OpenAI, for speech and model.
    pub openai: String,
    /// GoHighLevel.
    pub ghl: String,
    /// Callmind.
    pub callmind: String,
    /// The operator's own URL, to be signed with [`TARGET_SECRET`].
    pub target: String,
}

impl Sandbox {
    /// Binds (port 0 takes any free one) and serves in the background of the current runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr) -> anyhow::Result<Self> {
        Self::start_as(listen, None, NonZeroU64::MIN).await
    }

    /// The same, known to others under another origin, such as `http://sandbox:9100` in a compose file; what vendors number by
    /// themselves (calls, recordings, contacts) counts up from `first_id`. Whoever keeps what an earlier sandbox said must not
    /// meet its numbers again.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_as(listen: SocketAddr, origin: Option<String>, first_id: NonZeroU64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let addr = listener.local_addr().context("the listener has no address")?;
        let origin = origin.map(|origin| origin.trim_end_matches('/').to_owned());
        let world = world::World::new(origin.unwrap_or_else(|| format!("http://{}", reachable(addr))), first_id.get());
        let server = tokio::spawn(server::serve(listener, world.clone())).abort_handle();
        Ok(Self { addr, world, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its origin, such as `http://127.0.0.1:9100`.
    #[must_use]
    pub fn url(&self) -> String {
        self.world.origin.clone()
    }

    /// What to configure as the vendors' base URLs.
    #[must_use]
    pub fn base_urls(&self) -> BaseUrls {
        let of = |vendor: Vendor| format!("{}{}", self.world.origin, vendor.api());
        BaseUrls {
            cloudtalk: of(Vendor::Cloudtalk),
            cloudtalk_analytics: format!("{}/cloudtalk/analytics", self.world.origin),
            twilio: of(Vendor::Twilio),
            elevenlabs: of(Vendor::Elevenlabs),
            openai: of(Vendor::Openai),
            ghl: of(Vendor::Ghl),
            callmind: of(Vendor::Callmind),
            target: of(Vendor::Target),
        }
    }

    /// Makes requests go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.world.faults.add(fault);
    }

    /// All goes well again.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Every request that the vendors saw, in the order in which they ended.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.world.ledger.list(&LedgerFilter::default())
    }

    /// The requests that one vendor saw on paths that contain `part`.
    #[must_use]
    pub fn asked(&self, vendor: Vendor, part: &str) -> Vec<LedgerEntry> {
        let part = Some(part.to_owned());
        self.world.ledger.list(&LedgerFilter { vendor: Some(vendor), path_contains: part, method: None })
    }

    /// Forgets the ledger.
    pub fn clear_ledger(&self) {
        self.world.ledger.clear();
    }

    /// What the vendors hold now.
    #[must_use]
    pub fn state(&self) -> State {
        self.world.state()
    }

    /// Changes how strict the sandbox is.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.world.switch(change);
    }

    /// From now on this vendor posts webhooks there, in the background, when what it holds changes.
    pub fn send_webhooks(&self, vendor: Vendor, base: impl Into<String>, secret: impl Into<String>) {
        self.world.hook_up(vendor, hooks::Hook { base: base.into(), secret: secret.into() });
    }

    /// The webhooks that it posted so; none in place of an answer that is still awaited.
    #[must_use]
    pub fn webhooks_sent(&self, vendor: Vendor) -> Vec<Option<WebhookAnswer>> {
        self.world.hooked(vendor)
    }

    /// Makes a call's recording available at CloudTalk and returns its public link.
    pub fn add_recording(&self, call_id: u64, recording: impl Into<Recording>) -> String {
        format!("{}{}", self.world.origin, self.world.cloudtalk.add_recording(call_id, recording.into()))
    }

    /// An agent of CloudTalk's is there from now on, or does something else.
    pub fn set_agent(&self, agent: CloudtalkAgent) {
        self.world.cloudtalk.set_agent(agent);
    }

    /// Lets a Twilio call of this sample ring, and returns its id.
    ///
    /// # Errors
    /// An unknown sample.
    pub fn dial(&self, sample: &str) -> anyhow::Result<String> {
        twilio::dial(&self.world, sample)
    }

    /// Somebody takes a Twilio call that rings.
    ///
    /// # Errors
    /// No such call.
    pub fn answer(&self, call_sid: &str) -> anyhow::Result<()> {
        twilio::answer(&self.world, call_sid)
    }

    /// Ends a Twilio call and its recordings, and posts the callbacks that were asked for, signed with this token.
    ///
    /// # Errors
    /// No such call.
    pub async fn hang_up(&self, call_sid: &str, token: &str) -> anyhow::Result<Vec<WebhookAnswer>> {
        twilio::hang_up(&self.world, call_sid, token).await
    }

    /// Ends an ElevenLabs conversation that was started through the API and posts its webhooks, signed with this secret;
    /// none where `webhook_base` is empty.
    ///
    /// # Errors
    /// No such conversation.
    pub async fn end_conversation(
        &self,
        id: &str,
        webhook_base: &str,
        secret: &str,
    ) -> anyhow::Result<Vec<WebhookAnswer>> {
        elevenlabs::end(&self.world, id, webhook_base, secret).await
    }

    /// Makes the recording of a sample call available and posts the provider's webhooks of it.
    /// A webhook that gets no answer is reported with status 0.
    ///
    /// # Errors
    /// An unknown sample or provider.
    pub async fn place_call(&self, order: PlaceCall) -> anyhow::Result<PlacedCall> {
        calls::place(&self.world, order).await
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// An address that listens everywhere is reached on loopback.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    addr
}

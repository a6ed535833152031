//! Servers that speak as Twilio does, and in what each differs. To add one: a constant here, and its line in `KNOWN` of the
//! providers.
//!
//! Sources: Twilio, facts: telephony §2. SignalWire: developer.signalwire.com, "Recording Status Callbacks", "Retrieve a
//! Recording", "Webhook Security", and the validators in its SDKs. Telnyx: developers.telnyx.com, "TeXML recording completed",
//! "Fetch recording resource", "Fetch a call", "Fetch recordings for a call".

use crate::sources::WebhookRoute;

/// Callbacks are about one kilobyte.
const MAX_BODY: usize = 64 * 1024;

/// How one vendor speaks.
pub struct Dialect {
    pub(super) name: &'static str,
    /// As people write it.
    pub(super) title: &'static str,
    pub(super) routes: &'static [WebhookRoute],
    pub(super) settings: Settings,
    /// Of the API; `None` where each customer has one of its own.
    pub(super) base_url: Option<&'static str>,
    /// What stands between that and `/Accounts/…`.
    pub(super) version: &'static str,
    pub(super) credentials: Credentials,
    pub(super) scheme: Scheme,
    /// What follows the id of a call in the path of its resource.
    pub(super) call_suffix: &'static str,
    /// A call's recordings are listed below the call; else among all, by a filter.
    pub(super) recordings_below_call: bool,
    pub(super) media: Media,
    /// Where its media may be handed over to.
    pub(super) domains: &'static [&'static str],
    /// Requests as the vendor's own SDK signs them; for tests, and the first as an example.
    pub(super) signed: &'static str,
    /// Live calls can be recorded, and its errors tell why not.
    pub(super) live: bool,
}

/// The names of its settings.
pub(super) struct Settings {
    pub(super) account: &'static str,
    /// For the API.
    pub(super) token: &'static str,
    /// What callbacks are checked with, unless it is the token.
    pub(super) signing: Option<&'static str>,
    pub(super) base_url: &'static str,
    pub(super) verify: &'static str,
    pub(super) hosts: &'static str,
    /// Whether it is polled, and how often; `None` where nothing says how to ask for what is new.
    pub(super) polling: Option<[&'static str; 2]>,
}

/// How requests to the API show who asks.
pub(super) enum Credentials {
    /// Account and token.
    Basic,
    /// The token.
    Bearer,
}

/// How callbacks are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// HMAC-SHA1 over URL and fields; each pair of name and value counts once.
    Twilio,
    /// The same under a name of its own too, with every pair as it came; of JSON, over URL and body.
    SignalWire,
    /// Ed25519 over time and body.
    Telnyx,
}

/// How the audio of a recording is had.
pub(super) enum Media {
    /// By the recording's id; where `channels`, both voices apart are asked for.
    File { channels: bool },
    /// From the short-lived URL in the recording's resource.
    Url,
}

impl Settings {
    pub(super) fn all(&self) -> impl Iterator<Item = &'static str> {
        let always = [self.account, self.token, self.base_url, self.verify, self.hosts];
        always.into_iter().chain(self.signing).chain(self.polling.into_iter().flatten())
    }
}

const fn route(path: &'static str) -> [WebhookRoute; 1] {
    [WebhookRoute { path, hint: "recording", max_bytes: MAX_BODY }]
}

/// Twilio itself.
pub static TWILIO: Dialect = Dialect {
    name: "twilio",
    title: "Twilio",
    routes: &route("/webhooks/twilio-recording"),
    settings: Settings {
        account: "TWILIO_ACCOUNT_SID",
        token: "TWILIO_AUTH_TOKEN",
        signing: None,
        base_url: "TWILIO_BASE_URL",
        verify: "TWILIO_WEBHOOK_VERIFY",
        hosts: "TWILIO_RECORDING_HOSTS",
        polling: Some(["TWILIO_RECORDING_POLLING", "TWILIO_RECORDING_POLL_INTERVAL_MINUTES"]),
    },
    base_url: Some("https://api.twilio.com"),
    version: "/2010-04-01",
    credentials: Credentials::Basic,
    scheme: Scheme::Twilio,
    call_suffix: ".json",
    recordings_below_call: false,
    media: Media::File { channels: true },
    domains: &["twilio.com", "twiliocdn.com", "amazonaws.com"],
    signed: include_str!("../fixtures/twilio_signed.json"),
    live: true,
};

/// SignalWire's Compatibility API (cXML).
pub static SIGNALWIRE: Dialect = Dialect {
    name: "signalwire",
    title: "SignalWire",
    routes: &route("/webhooks/signalwire-recording"),
    settings: Settings {
        account: "SIGNALWIRE_PROJECT_ID",
        token: "SIGNALWIRE_API_TOKEN",
        signing: Some("SIGNALWIRE_SIGNING_KEY"),
        base_url: "SIGNALWIRE_BASE_URL",
        verify: "SIGNALWIRE_WEBHOOK_VERIFY",
        hosts: "SIGNALWIRE_RECORDING_HOSTS",
        polling: Some(["SIGNALWIRE_RECORDING_POLLING", "SIGNALWIRE_RECORDING_POLL_INTERVAL_MINUTES"]),
    },
    base_url: None,
    version: "/2010-04-01",
    credentials: Credentials::Basic,
    scheme: Scheme::SignalWire,
    call_suffix: ".json",
    recordings_below_call: true,
    media: Media::File { channels: false },
    domains: &["signalwire.com", "amazonaws.com"],
    signed: include_str!("../fixtures/signalwire_signed.json"),
    live: false,
};

/// Telnyx, for calls that TeXML steers.
pub static TELNYX: Dialect = Dialect {
    name: "telnyx",
    title: "Telnyx",
    routes: &route("/webhooks/telnyx-recording"),
    settings: Settings {
        account: "TELNYX_ACCOUNT_SID",
        token: "TELNYX_API_KEY",
        signing: Some("TELNYX_PUBLIC_KEY"),
        base_url: "TELNYX_BASE_URL",
        verify: "TELNYX_WEBHOOK_VERIFY",
        hosts: "TELNYX_RECORDING_HOSTS",
        polling: None,
    },
    base_url: Some("https://api.telnyx.com/v2/texml"),
    version: "",
    credentials: Credentials::Bearer,
    scheme: Scheme::Telnyx,
    call_suffix: "",
    recordings_below_call: true,
    media: Media::Url,
    domains: &["telnyx.com", "amazonaws.com"],
    signed: include_str!("../fixtures/telnyx_signed.json"),
    live: false,
};

#[cfg(test)]
mod tests;

//! The vendors that are simulated, and the path prefix of each.

use serde::{Deserialize, Serialize};

/// A service of the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// CloudTalk, the telephone exchange: under `/cloudtalk`.
    Cloudtalk,
    /// Twilio, calls and recordings: under `/twilio`.
    Twilio,
    /// ElevenLabs, conversations with agents: under `/elevenlabs`.
    Elevenlabs,
    /// An exchange of some other make, and where its recordings lie: under `/generic`.
    Generic,
    /// OpenAI, speech and chat: under `/openai`.
    Openai,
    /// GoHighLevel, the CRM: under `/ghl`.
    Ghl,
    /// Callmind, the call history: under `/callmind`.
    Callmind,
    /// The operator's own URL: `/target`.
    Target,
}

impl Vendor {
    /// Every vendor, in the order of the start page.
    pub const ALL: [Self; 8] = [
        Self::Cloudtalk,
        Self::Twilio,
        Self::Elevenlabs,
        Self::Generic,
        Self::Openai,
        Self::Ghl,
        Self::Callmind,
        Self::Target,
    ];

    /// The first segment of its paths, which is also its name in JSON.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Cloudtalk => "cloudtalk",
            Self::Twilio => "twilio",
            Self::Elevenlabs => "elevenlabs",
            Self::Generic => "generic",
            Self::Openai => "openai",
            Self::Ghl => "ghl",
            Self::Callmind => "callmind",
            Self::Target => "target",
        }
    }

    /// The path of its API below the origin, as a base URL has it.
    #[must_use]
    pub fn api(self) -> &'static str {
        match self {
            Self::Cloudtalk => "/cloudtalk/api",
            Self::Twilio => "/twilio",
            Self::Elevenlabs => "/elevenlabs",
            Self::Generic => "/generic",
            Self::Openai => "/openai/v1",
            Self::Ghl => "/ghl",
            Self::Callmind => "/callmind/api",
            Self::Target => "/target",
        }
    }

    /// Whose path this is; none for the sandbox's own routes.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let first = path.trim_start_matches('/').split('/').next()?;
        Self::ALL.into_iter().find(|vendor| vendor.prefix() == first)
    }
}

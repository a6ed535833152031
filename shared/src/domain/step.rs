//! The steps, and the queues that carry them: one per step, one per sink for `sync`, one per provider for `poll`.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A stage that a call goes through. Names are the same in file, queue, span, metric label and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Ties an event to its call and decides what is due.
    Intake,
    /// Asks the provider's API what its events did not say of a call.
    Lookup,
    /// Starts to record a call that goes on.
    Record,
    /// Copies the recording to the object store.
    Fetch,
    /// Audio to turns.
    Transcribe,
    /// Turns to feedback.
    Analyze,
    /// Brings what is known of a call to one sink.
    Sync,
    /// Carries a change of a contact to the other side.
    Mirror,
    /// Calls up whoever has just become a contact.
    Dial,
    /// Asks a provider's API from time to time what no webhook brought.
    Poll,
}

impl Step {
    /// All steps in the order of the flow.
    pub const ALL: [Self; 10] = [
        Self::Intake,
        Self::Lookup,
        Self::Record,
        Self::Fetch,
        Self::Transcribe,
        Self::Analyze,
        Self::Sync,
        Self::Mirror,
        Self::Dial,
        Self::Poll,
    ];

    /// The one name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Lookup => "lookup",
            Self::Record => "record",
            Self::Fetch => "fetch",
            Self::Transcribe => "transcribe",
            Self::Analyze => "analyze",
            Self::Sync => "sync",
            Self::Mirror => "mirror",
            Self::Dial => "dial",
            Self::Poll => "poll",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Step {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| format!("no step {text:?}; known: {}", known()))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Cow<'static, str>);

        impl $name {
            /// A name known at compile time.
            pub const fn new(name: &'static str) -> Self {
                Self(Cow::Borrowed(name))
            }
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(Cow::Owned(name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Where webhooks and calls come from: `cloudtalk`, `twilio`, …
    ProviderId
);
name!(
    /// Where results go: `gohighlevel`, `callmind`, …
    SinkId
);
name!(
    /// A queue: a step's name, or `sync.<sink>`, or `poll.<provider>`. On RabbitMQ it is prefixed with `tapedeck.`.
    QueueName
);

impl QueueName {
    /// The queue of a step (and sink, or provider that is polled).
    pub fn of(step: Step, sink: Option<&SinkId>) -> Self {
        match sink {
            None => Self::new(step.as_str()),
            Some(sink) => Self::from(format!("{step}.{sink}")),
        }
    }
}

//! How strict the sandbox is: rate limits, duplicates, what is recorded. Lenient and instant until told otherwise.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// A quota: so many requests in a fixed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Requests per window.
    pub max: u32,
    /// The window in milliseconds.
    pub window_ms: u64,
}

impl Rate {
    /// CloudTalk's own: 60 per minute and company.
    pub const CLOUDTALK: Self = Self { max: 60, window_ms: 60_000 };
    /// GoHighLevel's own burst: 100 per 10 seconds.
    pub const GHL: Self = Self { max: 100, window_ms: 10_000 };
}

/// What Callmind answers to a `callSid` it already holds. Its guide does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallmindDuplicates {
    /// 200 with the id of the record that exists.
    #[default]
    SameId,
    /// 201 with the id of the record that exists.
    Created,
    /// 409 with the id of the record that exists.
    Conflict,
    /// 409 without an id.
    ConflictWithoutId,
    /// 200 with the record inside another object.
    Nested,
    /// 400 that says so in words, with the id inside.
    BadRequest,
    /// 500 with what a database says, and without an id.
    ServerError,
    /// 200 that says so in words, and without an id.
    Words,
}

/// All switches as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Switches {
    /// CloudTalk's quota; none means unlimited.
    pub cloudtalk: Option<Rate>,
    /// GoHighLevel's quota; none means unlimited.
    pub ghl: Option<Rate>,
    /// Whether GoHighLevel's location allows two contacts of one number or address.
    pub ghl_duplicates: bool,
    /// What a repeated `callSid` is answered with.
    pub callmind_duplicates: CallmindDuplicates,
    /// For how many requests a token of Callmind's is good; none means for ever.
    pub callmind_token_requests: Option<u32>,
    /// Whether recordings can be resumed with `Range`.
    pub ranges: bool,
    /// Whether the ledger is written.
    pub record: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            cloudtalk: None,
            ghl: None,
            ghl_duplicates: false,
            callmind_duplicates: CallmindDuplicates::SameId,
            callmind_token_requests: None,
            ranges: true,
            record: true,
        }
    }
}

/// A change over HTTP: what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchesPatch {
    cloudtalk: Option<RateSwitch>,
    ghl: Option<RateSwitch>,
    ghl_duplicates: Option<OnOff>,
    callmind_duplicates: Option<CallmindDuplicates>,
    callmind_token_requests: Option<u32>,
    ranges: Option<OnOff>,
    record: Option<OnOff>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RateSwitch {
    Simple(OnOff),
    Exact(Rate),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum OnOff {
    Flag(bool),
    Word(Word),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    On,
    Off,
}

impl OnOff {
    fn on(self) -> bool {
        matches!(self, Self::Flag(true) | Self::Word(Word::On))
    }
}

impl RateSwitch {
    fn rate(self, real: Rate) -> Option<Rate> {
        match self {
            Self::Simple(switch) => switch.on().then_some(real),
            Self::Exact(rate) => Some(rate),
        }
    }
}

impl SwitchesPatch {
    pub(crate) fn apply(self, switches: &mut Switches) {
        if let Some(limit) = self.cloudtalk {
            switches.cloudtalk = limit.rate(Rate::CLOUDTALK);
        }
        if let Some(limit) = self.ghl {
            switches.ghl = limit.rate(Rate::GHL);
        }
        switches.ghl_duplicates = self.ghl_duplicates.map_or(switches.ghl_duplicates, OnOff::on);
        switches.callmind_duplicates = self.callmind_duplicates.unwrap_or(switches.callmind_duplicates);
        switches.callmind_token_requests = self.callmind_token_requests.or(switches.callmind_token_requests);
        switches.ranges = self.ranges.map_or(switches.ranges, OnOff::on);
        switches.record = self.record.map_or(switches.record, OnOff::on);
    }
}

/// Counts requests against a quota in fixed windows.
#[derive(Default)]
pub(crate) struct Window(Mutex<Option<(Instant, u32)>>);

/// Where a request stands in its window.
pub(crate) struct Standing {
    pub(crate) refused: bool,
    pub(crate) remaining: u32,
    pub(crate) resets_in: Duration,
}

impl Window {
    /// Counts one request. Without a quota nothing is counted and nothing refused.
    pub(crate) fn count(&self, rate: Option<Rate>, real: Rate) -> Standing {
        let Some(rate) = rate else {
            let resets_in = Duration::from_millis(real.window_ms);
            return Standing { refused: false, remaining: real.max - 1, resets_in };
        };
        let length = Duration::from_millis(rate.window_ms);
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, used) = match *window {
            Some((since, used)) if since.elapsed() < length => (since, used),
            _ => (Instant::now(), 0),
        };
        let refused = used >= rate.max;
        let used = if refused { used } else { used + 1 };
        *window = Some((since, used));
        Standing {
            refused,
            remaining: rate.max - used.min(rate.max),
            resets_in: length.saturating_sub(since.elapsed()),
        }
    }
}

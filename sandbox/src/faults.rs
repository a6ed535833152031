//! What goes wrong on demand. A rule names whose requests it hits and how often; the first that matches wins.
//! To add a kind: one variant here, one arm in `server.rs`.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{openai::Bent, vendor::Vendor};

/// A rule: these requests go wrong in this way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Whose requests.
    pub vendor: Vendor,
    /// Only this HTTP method, in any case.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that contain this.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// How many requests that match are let through first.
    #[serde(default)]
    pub after: u32,
    /// How many requests are hit; none means until the rule is cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: FaultKind,
}

/// What happens to a request that a rule hits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// This status is answered and nothing is done.
    Status {
        /// The HTTP status.
        status: u16,
        /// Seconds for the `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// The body; without it the vendor's own for that status. A string goes out as it is, as `text/plain`.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Nothing happens for so long, then the request is served as usual.
    Hang {
        /// Milliseconds.
        ms: u64,
    },
    /// Served as usual with the full `content-length`, but the connection closes after half of the body.
    CutOff,
    /// Served as usual under another `content-type`.
    ContentType {
        /// The type that is claimed.
        value: String,
    },
    /// 200 with an HTML page, and nothing is done: a login page or a proxy in between.
    #[serde(rename = "html_200")]
    Html200,
    /// 200 without a body, and nothing is done.
    #[serde(rename = "empty_200")]
    Empty200,
    /// Served as usual, but the connection closes without an answer: the write happened, its reply is lost.
    ReplyLost,
    /// Served at once, but answered so much later: whoever asks may be gone by then.
    ReplyLate {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection closes before anything is done.
    Refuse,
    /// A model's reply is served as usual, but bent.
    Reply {
        /// In which way.
        bent: Bent,
    },
}

impl Fault {
    /// Every request of this vendor, until cleared; narrow it with the methods below.
    #[must_use]
    pub fn new(vendor: Vendor, fault: FaultKind) -> Self {
        Self { vendor, method: None, path_contains: None, after: 0, times: None, fault }
    }

    /// A status with the vendor's own body, for every request of this vendor until cleared.
    #[must_use]
    pub fn status(vendor: Vendor, status: u16) -> Self {
        Self::new(vendor, FaultKind::Status { status, retry_after: None, body: None })
    }

    /// So many replies of the model are bent in this way.
    #[must_use]
    pub fn reply(bent: Bent, times: u32) -> Self {
        Self::new(Vendor::Openai, FaultKind::Reply { bent }).path("chat/completions").times(times)
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only requests whose path contains this.
    #[must_use]
    pub fn path(mut self, part: impl Into<String>) -> Self {
        self.path_contains = Some(part.into());
        self
    }

    /// Lets so many requests through first.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// Only so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Sends `Retry-After` in seconds with a status; other kinds stay as they are.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let FaultKind::Status { retry_after, .. } = &mut self.fault {
            *retry_after = Some(seconds);
        }
        self
    }

    /// Sends this body with a status; other kinds stay as they are.
    #[must_use]
    pub fn body(mut self, value: Value) -> Self {
        if let FaultKind::Status { body, .. } = &mut self.fault {
            *body = Some(value);
        }
        self
    }

    fn hits(&self, vendor: Vendor, method: &str, path: &str) -> bool {
        self.vendor == vendor
            && self.times != Some(0)
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_deref().is_none_or(|part| path.contains(part))
    }

    /// Counts a request that matches.
    fn is_due(&mut self) -> bool {
        let due = self.after == 0;
        self.after = self.after.saturating_sub(1);
        due
    }
}

impl FaultKind {
    /// Its name in JSON, for the ledger.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Hang { .. } => "hang",
            Self::CutOff => "cut_off",
            Self::ContentType { .. } => "content_type",
            Self::Html200 => "html_200",
            Self::Empty200 => "empty_200",
            Self::ReplyLost => "reply_lost",
            Self::ReplyLate { .. } => "reply_late",
            Self::Refuse => "refuse",
            Self::Reply { .. } => "reply",
        }
    }
}

/// The rules in force. Costs one atomic read per request while there are none.
#[derive(Default)]
pub(crate) struct Faults {
    armed: AtomicBool,
    rules: Mutex<Vec<Fault>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.push(fault);
        self.armed.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.clear();
        self.armed.store(false, Ordering::Release);
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What this request suffers, using up one of the rule's times.
    pub(crate) fn take(&self, vendor: Vendor, method: &str, path: &str) -> Option<FaultKind> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let at = rules.iter_mut().position(|rule| rule.hits(vendor, method, path) && rule.is_due())?;
        let kind = rules[at].fault.clone();
        if let Some(times) = &mut rules[at].times {
            *times -= 1;
            if *times == 0 {
                rules.remove(at);
            }
        }
        Some(kind)
    }
}

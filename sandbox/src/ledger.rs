//! What the vendors were asked, in order: one line per request that reached a vendor's prefix.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use axum::{body::Body, http::Request};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::vendor::Vendor;

/// Older lines are forgotten beyond this many.
const KEPT: usize = 100_000;

/// Query names whose values are not kept.
const SECRET: [&str; 5] = ["key", "token", "secret", "password", "signature"];

/// One request as a vendor saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts up from 1 in the order in which requests ended.
    pub seq: u64,
    /// Who was asked.
    pub vendor: Vendor,
    /// The HTTP method.
    pub method: String,
    /// Path with the vendor's prefix, and the query without the values of secrets.
    pub path: String,
    /// What was answered; 0 when the connection ended without an answer.
    pub status: u16,
    /// When the request came in.
    pub at: DateTime<Utc>,
    /// Size of the request body as announced by `content-length`; 0 when it was not announced.
    pub bytes: u64,
    /// The kind of the fault that hit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Which lines are wanted; empty means all.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LedgerFilter {
    /// Only this vendor's.
    pub vendor: Option<Vendor>,
    /// Only paths that contain this.
    pub path_contains: Option<String>,
    /// Only this HTTP method, in any case.
    pub method: Option<String>,
}

impl LedgerFilter {
    fn wants(&self, entry: &LedgerEntry) -> bool {
        self.vendor.is_none_or(|vendor| vendor == entry.vendor)
            && self.path_contains.as_deref().is_none_or(|part| entry.path.contains(part))
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(&entry.method))
    }
}

pub(crate) struct Ledger {
    off: AtomicBool,
    next: AtomicU64,
    entries: Mutex<VecDeque<LedgerEntry>>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { off: AtomicBool::new(false), next: AtomicU64::new(1), entries: Mutex::default() })
    }

    pub(crate) fn record(&self, on: bool) {
        self.off.store(!on, Ordering::Relaxed);
    }

    pub(crate) fn recording(&self) -> bool {
        !self.off.load(Ordering::Relaxed)
    }

    /// Opens a line; it is written when the guard drops, so an abandoned request leaves one too.
    pub(crate) fn open(self: &Arc<Self>, vendor: Vendor, request: &Request<Body>) -> Option<OpenLine> {
        if !self.recording() {
            return None;
        }
        let announced = request.headers().get("content-length").and_then(|size| size.to_str().ok()?.parse().ok());
        let entry = LedgerEntry {
            seq: 0,
            vendor,
            method: request.method().as_str().to_owned(),
            path: without_secrets(request.uri().path(), request.uri().query()),
            status: 0,
            at: Utc::now(),
            bytes: announced.unwrap_or(0),
            fault: None,
        };
        Some(OpenLine { ledger: self.clone(), entry: Some(entry) })
    }

    pub(crate) fn list(&self, filter: &LedgerFilter) -> Vec<LedgerEntry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| filter.wants(entry)).cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn write(&self, mut entry: LedgerEntry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entry.seq = self.next.fetch_add(1, Ordering::Relaxed);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
}

/// A line that is still being lived.
pub(crate) struct OpenLine {
    ledger: Arc<Ledger>,
    entry: Option<LedgerEntry>,
}

impl OpenLine {
    pub(crate) fn fault(&mut self, name: &str) {
        if let Some(entry) = &mut self.entry {
            entry.fault = Some(name.to_owned());
        }
    }

    pub(crate) fn answered(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status = status;
        }
    }
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.ledger.write(entry);
        }
    }
}

fn without_secrets(path: &str, query: Option<&str>) -> String {
    let Some(query) = query else { return path.to_owned() };
    let mut kept = format!("{path}?");
    for (at, pair) in query.split('&').enumerate() {
        if at > 0 {
            kept.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) if SECRET.iter().any(|secret| name.to_ascii_lowercase().contains(secret)) => {
                kept.push_str(name);
                kept.push_str("=…");
            }
            _ => kept.push_str(pair),
        }
    }
    kept
}

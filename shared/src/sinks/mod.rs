//! Where results go.
//!
//! To add a sink: 1. a file here with a type that implements [`Sink`] and a `from_env` that returns `None` when its
//! settings are absent; 2. its line in [`KNOWN`]; 3. `sink_conformance!` in a file of tests that has its name.

pub mod callmind;
#[cfg(feature = "testing")]
pub mod conformance;
pub mod gohighlevel;
#[cfg(any(test, feature = "fuzzing", feature = "testing"))]
pub mod sample;
pub mod target;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    domain::{Call, Delivery, Milestone, Reason, Report, SinkId, StepError},
    env::Env,
    http::Outside,
};

/// A system that results are brought to.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Its name: queue suffix, metric label, column.
    fn id(&self) -> SinkId;

    /// Whether it is to be told when a call reaches this milestone.
    fn wants(&self, milestone: Milestone, call: &Call) -> bool;

    /// Brings the sink up to date with `report`: every milestone it wants that was reached, in order. What it holds
    /// already with the same content ([`Report::held`]) is not sent again. Bringing the same report twice leaves one note,
    /// one record. Returns what it holds now and did not before; on failure, [`StepError::writes`] says how far it came.
    ///
    /// # Errors
    /// With the verdict that the vendor's answer calls for.
    async fn deliver(&self, report: &Report) -> Result<Vec<Delivery>, StepError>;

    /// Why it holds nothing of this call though it was to hear of it: a stable code, kept on the job. `brought` is what it
    /// holds now and did not before.
    fn left_out(&self, _report: &Report, _brought: &[Delivery]) -> Option<Reason> {
        None
    }

    /// Takes back what it was told of a call that was found to be the report's, and is now known by what `stays`; returns what it holds of that afterwards, or
    /// `None` where that is what it was. A sink that has no way to take anything back leaves it.
    ///
    /// # Errors
    /// With the verdict that the vendor's answer calls for.
    async fn withdraw(
        &self,
        _report: &Report,
        _outranked: &Delivery,
        _stays: &[&Delivery],
    ) -> Result<Option<Delivery>, StepError> {
        Ok(None)
    }

    /// Makes one harmless call with the configured credentials; for `doctor`.
    ///
    /// # Errors
    /// What is wrong, for a person.
    async fn check(&self) -> anyhow::Result<String>;
}

type FromEnv = fn(&Env, &Outside) -> anyhow::Result<Option<Arc<dyn Sink>>>;

/// THE list.
const KNOWN: [(&str, FromEnv); 3] = [
    ("gohighlevel", |env, outside| some(gohighlevel::GoHighLevel::from_env(env, outside))),
    ("callmind", |env, outside| some(callmind::Callmind::from_env(env, outside))),
    ("target", |env, outside| some(target::Target::from_env(env, outside))),
];

fn some<S: Sink + 'static>(made: anyhow::Result<Option<S>>) -> anyhow::Result<Option<Arc<dyn Sink>>> {
    Ok(made?.map(|sink| Arc::new(sink) as _))
}

/// The configured sinks.
#[derive(Clone, Default)]
pub struct Sinks(Vec<Arc<dyn Sink>>);

impl Sinks {
    /// The sinks that have settings.
    ///
    /// # Errors
    /// When settings are there and cannot be used.
    pub fn from_env(env: &Env, outside: &Outside) -> anyhow::Result<Self> {
        let known = KNOWN.iter().map(|(_, from_env)| from_env(env, outside));
        let known = known.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self(known.into_iter().flatten().collect()))
    }

    /// The names of all that there are, configured or not.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|(name, _)| *name)
    }

    /// These sinks, for tests.
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self(sinks)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Sink>> {
        self.0.iter()
    }

    /// The one of that name.
    pub fn get(&self, id: &SinkId) -> Option<&Arc<dyn Sink>> {
        self.0.iter().find(|s| &s.id() == id)
    }

    /// Those that want to hear of a milestone of this call.
    pub fn wanting(&self, milestone: Milestone, call: &Call) -> Vec<SinkId> {
        self.0.iter().filter(|s| s.wants(milestone, call)).map(|s| s.id()).collect()
    }
}

/// Digest of what is to be sent, for [`Delivery::content_hash`]. Depends on nothing but the content.
fn content_hash(content: &impl Serialize) -> String {
    let text = serde_json::to_vec(content).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

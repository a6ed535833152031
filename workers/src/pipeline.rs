//! THE list: every step, in the order of the flow.

use std::sync::Arc;

use shared::{
    domain::{NewJob, QueueName, SinkId, Step},
    providers::Polling,
    service::App,
};

use crate::{
    step::Run,
    steps::{
        analyze::Analyze, dial::Dial, fetch::Fetch, intake::Intake, lookup::Lookup, mirror::Mirror, poll::Poll,
        record::Record, sync::Sync, transcribe::Transcribe,
    },
};

/// A step, ready to run. Only the steps that a process works on need their settings.
///
/// # Errors
/// When the step's settings cannot be used.
pub fn build(step: Step, app: &App) -> anyhow::Result<Arc<dyn Run>> {
    Ok(match step {
        Step::Intake => Arc::new(Intake::new(app)),
        Step::Lookup => Arc::new(Lookup::new(app)),
        Step::Record => Arc::new(Record::new(app)),
        Step::Fetch => Arc::new(Fetch::new(app)?),
        Step::Transcribe => Arc::new(Transcribe::new(app)?),
        Step::Analyze => Arc::new(Analyze::new(app)?),
        Step::Sync => Arc::new(Sync::new(app)),
        Step::Mirror => Arc::new(Mirror::new(app)?),
        Step::Dial => Arc::new(Dial::new(app)?),
        Step::Poll => Arc::new(Poll::new(app)),
    })
}

/// What a worker process is to work on: a step, or one sink's part of `sync`, or one provider's of `poll`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The step.
    pub step: Step,
    /// Only this sink's (or provider's) queue.
    pub sink: Option<SinkId>,
}

impl Pool {
    /// Every step.
    pub fn all() -> Vec<Self> {
        Step::ALL.map(|step| Self { step, sink: None }).to_vec()
    }

    /// The queues that it takes from.
    pub fn queues(&self, app: &App) -> Vec<QueueName> {
        match (&self.step, &self.sink) {
            (Step::Sync, None) => app.sinks.iter().map(|sink| QueueName::of(Step::Sync, Some(&sink.id()))).collect(),
            (Step::Poll, None) => {
                let polled = app.providers.iter().filter(|provider| provider.polling() != Polling::No);
                polled.map(|provider| NewJob::poll(&provider.id()).queue()).collect()
            }
            (step, sink) => vec![QueueName::of(*step, sink.as_ref())],
        }
    }
}

impl std::str::FromStr for Pool {
    type Err = String;

    /// `fetch`, `sync`, `sync.gohighlevel`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (step, sink) = match text.split_once('.') {
            Some((step, sink)) => (step.parse()?, Some(SinkId::from(sink.to_owned()))),
            None => (text.parse()?, None),
        };
        if sink.is_some() && !matches!(step, Step::Sync | Step::Poll) {
            return Err(format!("only sync has sinks and poll providers, not {step}"));
        }
        Ok(Self { step, sink })
    }
}

/// Every queue of this installation.
pub fn queues(app: &App) -> Vec<QueueName> {
    Pool::all().iter().flat_map(|pool| pool.queues(app)).collect()
}

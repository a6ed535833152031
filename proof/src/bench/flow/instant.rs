//! Vendors that cost nothing: the steps around them are real (intake, sync) or only do what is ours (the row of the result).

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use shared::{
    clock::Clock,
    domain::{
        Call, CallId, Conclusion, Delivery, Feedback, Job, Judged, Measured, Milestone, NewJob, Outcome, QueueName,
        Recording, Report, Sentiment, SinkId, Speaker, Step, StepError, Transcript, Turn, Usage, Wake, Write,
    },
    service::App,
    sinks::{Sink, Sinks},
};
use tokio::sync::mpsc;
use workers::{
    pipeline,
    runner::Lanes,
    step::Run,
    steps::{intake::Intake, sync::Sync},
};

/// Says when the CRM has the feedback of a call.
pub type Told = mpsc::UnboundedReceiver<CallId>;

/// Replaces the sinks by two that take everything at once.
pub fn sinks(app: &mut App) -> Told {
    let (sender, told) = mpsc::unbounded_channel();
    let crm = InstantSink { id: SinkId::new("gohighlevel"), last_only: false, tell: Some(sender) };
    let history = InstantSink { id: SinkId::new("callmind"), last_only: true, tell: None };
    app.sinks = Sinks::new(vec![Arc::new(crm), Arc::new(history)]);
    told
}

/// The steps.
pub fn lanes(app: &App) -> Lanes {
    let instant = |step| Arc::new(Instant { step, clock: app.clock.clone(), sinks: app.sinks.clone() }) as Arc<dyn Run>;
    let sync: Arc<dyn Run> = Arc::new(Sync::new(app));
    let steps: HashMap<Step, Arc<dyn Run>> = HashMap::from([
        (Step::Intake, Arc::new(Intake::new(app)) as _),
        (Step::Fetch, instant(Step::Fetch)),
        (Step::Transcribe, instant(Step::Transcribe)),
        (Step::Analyze, instant(Step::Analyze)),
        (Step::Sync, sync),
    ]);
    let of = |queue: &QueueName| queue.as_str().split('.').next().and_then(|step| step.parse().ok());
    let lane = |queue: QueueName| Some((queue.clone(), (steps.get(&of(&queue)?)?.clone(), 32)));
    pipeline::queues(app).into_iter().filter_map(lane).collect()
}

struct InstantSink {
    id: SinkId,
    last_only: bool,
    tell: Option<mpsc::UnboundedSender<CallId>>,
}

#[async_trait]
impl Sink for InstantSink {
    fn id(&self) -> SinkId {
        self.id.clone()
    }

    fn wants(&self, milestone: Milestone, _: &Call) -> bool {
        milestone == Milestone::Analyzed || (!self.last_only && milestone != Milestone::Started)
    }

    async fn deliver(&self, report: &Report) -> Result<Vec<Delivery>, StepError> {
        let wanted = Milestone::ALL.into_iter().filter(|m| self.wants(*m, &report.call));
        let new: Vec<_> = wanted
            .filter(|m| report.reached(*m) && report.held(*m).is_none())
            .map(|milestone| Delivery {
                milestone,
                content_hash: "x".into(),
                refs: serde_json::json!({"note_id": "n"}),
            })
            .collect();
        if let Some(tell) = &self.tell
            && new.iter().any(|delivery| delivery.milestone == Milestone::Analyzed)
        {
            let _ = tell.send(report.call.id);
        }
        Ok(new)
    }

    async fn check(&self) -> anyhow::Result<String> {
        Ok(String::new())
    }
}

struct Instant {
    step: Step,
    clock: Clock,
    sinks: Sinks,
}

#[async_trait]
impl Run for Instant {
    fn step(&self) -> Step {
        self.step
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn concurrency(&self) -> u16 {
        32
    }

    async fn run(&self, job: &Job) -> Result<Outcome, StepError> {
        let Some(call) = job.call_id else { return Ok(Outcome::default()) };
        let sync = |milestones: &[&str]| {
            let ids = self.sinks.iter().map(|sink| sink.id()).filter(|id| milestones.contains(&id.as_str()));
            ids.map(|sink| NewJob::sync(call, sink)).collect::<Vec<_>>()
        };
        let step = |step| NewJob::step(step, call, Wake::No);
        let (writes, mut next) = match self.step {
            Step::Fetch => (vec![Write::Recording(call, recording(&self.clock))], sync(&["gohighlevel"])),
            Step::Transcribe => (vec![Write::Transcript(call, transcript())], Vec::new()),
            _ => {
                let writes = vec![Write::Feedback(call, feedback()), Write::Conclusion(call, Conclusion::Analyzed)];
                (writes, sync(&["gohighlevel", "callmind"]))
            }
        };
        match self.step {
            Step::Fetch => next.push(step(Step::Transcribe)),
            Step::Transcribe => next.push(step(Step::Analyze)),
            _ => {}
        }
        Ok(Outcome { writes, next, ..Outcome::default() })
    }
}

fn recording(clock: &Clock) -> Recording {
    Recording {
        object_key: "recordings/cloudtalk/2026/11/x.wav".into(),
        size_bytes: 976_044,
        sha256: "0".repeat(64),
        duration_seconds: 61.0,
        channels: 2,
        sample_rate: 8000,
        format: "wav".into(),
        stored_at: clock.now(),
    }
}

fn transcript() -> Transcript {
    let turn = |number: u32| Turn {
        start: f64::from(number) * 5.0,
        end: f64::from(number) * 5.0 + 4.0,
        speaker: if number.is_multiple_of(2) { Speaker::Agent } else { Speaker::Caller },
        text: "I was charged twice on my March invoice, and I am quite upset.".into(),
    };
    Transcript { turns: (0..12).map(turn).collect(), timed: true, model: "instant".into(), ..Transcript::default() }
}

fn feedback() -> Feedback {
    let judged = Judged {
        summary: "The caller was charged twice. The agent refunds forty two euros and sends a confirmation.".into(),
        sentiment: Some(Sentiment::Positive),
        topics: vec!["billing".into()],
        action_items: Vec::new(),
        objections: Vec::new(),
        outcome: Some("resolved".into()),
        next_step: None,
        coaching: Vec::new(),
        collected_data: Vec::new(),
    };
    let (measured, usage) = (Measured::default(), Usage::default());
    let (model, prompt_version) = ("instant".into(), "bench".into());
    Feedback { measured, judged, scorecard: None, model, prompt_version, parts: None, usage }
}

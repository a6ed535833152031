//! What Prometheus sees of a worker process after a day in small: work, a retry, a vendor that wants a pause, a dead job.

use std::process::{Child, Command, Stdio};

use sandbox::{CallMode, Fault, FaultKind, Vendor};
use shared::{
    domain::ProviderId,
    testing::{
        Shape, eventually,
        series::{Series, Shows},
    },
};
use tokio::net::TcpListener;

use crate::running::Running;

const GHL: (&str, &str) = ("queue", "sync.gohighlevel");
const CALLMIND: (&str, &str) = ("queue", "sync.callmind");
/// How long GoHighLevel wants to be left alone, in seconds.
const PAUSE: u64 = 3;

/// The real program, so that nothing counts but what it does; killed when dropped.
struct Worker {
    child: Child,
    metrics: String,
}

impl Worker {
    async fn start(at: &Running) -> Self {
        // Free a moment ago.
        let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port().to_string();
        let metrics = format!("http://127.0.0.1:{port}/metrics");
        let env = at.app.env.with([("HOST", "127.0.0.1"), ("METRICS_PORT", &port)]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_workers"));
        // No .env file of the working tree gets in.
        command.current_dir(at.scratch.path()).env_clear().envs(env.vars());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, metrics }
    }

    async fn scrape(&self, at: &Running) -> Option<Series> {
        let answer = at.app.outside.http.get(&self.metrics).send().await.ok()?;
        Some(Series::read(&answer.text().await.ok()?))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refusal(vendor: Vendor, status: u16, retry_after: Option<u64>) -> Fault {
    Fault::new(vendor, FaultKind::Status { status, retry_after, body: None })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_series_of_the_page_is_shown_and_says_what_happened() {
    // A model without a price, so that this is counted, too.
    let at = Running::without_workers(Shape::Production, &[("FEEDBACK_MODEL", "own-model")]).await;
    let worker = Worker::start(&at).await;
    let concluded = async |id: u64| {
        at.concludes(&ProviderId::new("cloudtalk"), &id.to_string(), |_| true).await;
    };
    at.sandbox.fault(refusal(Vendor::Ghl, 429, Some(PAUSE)).times(1));
    at.sandbox.fault(refusal(Vendor::Callmind, 500, None).method("POST").times(1));
    let first = at.place(at.order("cloudtalk", "billing", CallMode::EndedWithUrl)).await.call_id;
    eventually("it is told to wait", async || !at.sandbox.asked(Vendor::Ghl, "").is_empty()).await;
    let second = at.place(at.order("cloudtalk", "support", CallMode::Missed)).await.call_id;
    concluded(first).await;
    concluded(second).await;
    at.sandbox.fault(refusal(Vendor::Callmind, 400, None));
    concluded(at.place(at.order("cloudtalk", "sales", CallMode::Missed)).await.call_id).await;

    let mut scraped = None;
    eventually("the gauges know of the dead job", async || {
        scraped = worker.scrape(&at).await;
        let is_over = |shown: &Series| {
            shown.sum("tapedeck_jobs_dead", &[CALLMIND]) == 1.0 && shown.sum("tapedeck_jobs_waiting", &[]) == 0.0
        };
        scraped.as_ref().is_some_and(is_over)
    })
    .await;
    let shown = scraped.unwrap();
    assert_eq!(shown.against_the_page(Shows::Worker), [""; 0], "{shown}");
    tries(&shown);
    ages(&shown);
    bought(&shown);
    at_rest(&shown);
    drop(worker);
    at.stop().await;
}

fn tries(shown: &Series) {
    let tried = |queue, outcome| {
        let labels = [queue, ("outcome", outcome)];
        let times = shown.sum("tapedeck_step_seconds_count", &labels);
        assert_eq!(shown.sum("tapedeck_step_attempts_count", &labels), times, "{shown}");
        times
    };
    assert_eq!(tried(CALLMIND, "retry"), 1.0, "{shown}");
    // A call that says more than one thing wakes its job more than once.
    assert!(tried(CALLMIND, "dead") >= 1.0 && tried(CALLMIND, "done") >= 2.0, "{shown}");
    let (first_tries, all) = (tried(CALLMIND, "dead"), [CALLMIND, ("outcome", "dead")]);
    assert_eq!(shown.sum("tapedeck_step_attempts_sum", &all), first_tries, "nothing was tried twice: {shown}");
    assert!(tried(GHL, "snooze") >= 1.0 && tried(GHL, "retry") == 0.0, "{shown}");
    assert_eq!(tried(("queue", "transcribe"), "done"), 1.0, "{shown}");
    assert!(shown.sum("tapedeck_budget_waits_total", &[("vendor", "gohighlevel")]) >= 1.0, "{shown}");
    assert!(shown.sum("tapedeck_dispatched_total", &[]) >= 2.0, "what was put off was published again: {shown}");
}

/// Three calls, of which Callmind refused one; the first waited for GoHighLevel.
fn ages(shown: &Series) {
    let age = |part, queue| shown.sum(&format!("tapedeck_call_age_seconds_{part}"), &[queue]);
    assert_eq!((age("count", GHL), age("count", CALLMIND)), (3.0, 2.0), "once per call and sink: {shown}");
    assert!((PAUSE as f64..300.0).contains(&age("sum", GHL)), "{shown}");
    assert!((0.01..200.0).contains(&age("sum", CALLMIND)), "{shown}");
}

fn bought(shown: &Series) {
    let seconds = sandbox::samples::named("billing").unwrap().duration;
    let heard = shown.sum("tapedeck_speech_billed_seconds_total", &[]);
    assert!((1.0..=2.0 * seconds + 10.0).contains(&heard), "of two channels of {seconds} s: {shown}");
    assert!(shown.sum("tapedeck_cost_microdollars_total", &[("step", "transcribe")]) > 0.0, "{shown}");
    assert_eq!(shown.sum("tapedeck_cost_microdollars_total", &[("step", "analyze")]), 0.0, "{shown}");
    assert_eq!(shown.sum("tapedeck_unpriced_requests_total", &[("model", "own-model")]), 1.0, "{shown}");
    for tokens in ["tapedeck_model_input_tokens_total", "tapedeck_model_output_tokens_total"] {
        assert!((10.0..100_000.0).contains(&shown.sum(tokens, &[("model", "own-model")])), "{shown}");
    }
    assert_eq!(shown.sum("tapedeck_model_quotes_removed_total", &[]), 0.0, "{shown}");
}

/// Everything is done.
fn at_rest(shown: &Series) {
    for none in [
        "tapedeck_jobs_waiting",
        "tapedeck_due_age_seconds",
        "tapedeck_in_flight",
        "tapedeck_deaf_seconds",
        "tapedeck_broker_blocked",
    ] {
        assert_eq!(shown.sum(none, &[]), 0.0, "{none}: {shown}");
    }
    assert_eq!(shown.sum("tapedeck_jobs_dead", &[]), 1.0, "{shown}");
    assert!(shown.sum("tapedeck_dispatcher_lag_seconds", &[]) < 10.0, "{shown}");
    for role in ["publish", "consume"] {
        assert_eq!(shown.sum("tapedeck_broker_connected", &[("role", role)]), 1.0, "{shown}");
    }
}

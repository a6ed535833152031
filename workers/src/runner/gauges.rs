//! How the queues stand, read from the rows every few seconds: what operators scale and alert by.

use std::{collections::HashSet, time::Duration};

use shared::{db, service::App};
use tokio_util::sync::CancellationToken;

use crate::pipeline;

const EVERY: Duration = Duration::from_secs(5);

/// Keeps the gauges until `stop` is cancelled.
pub(super) async fn keep(app: App, stop: CancellationToken) {
    let all: HashSet<String> = pipeline::queues(&app).iter().map(|queue| queue.as_str().to_owned()).collect();
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let now = app.clock.now();
        // Both before anything is shown: a scrape shall find all of it, of one moment.
        let (Ok(stats), Ok(next)) = (db::jobs::stats(&app.db, now).await, db::jobs::next_due(&app.db).await) else {
            continue;
        };
        let idle = all.iter().filter(|queue| !stats.iter().any(|s| &s.queue == *queue));
        for queue in idle {
            show(queue, 0, 0, 0.0);
        }
        for s in &stats {
            let age = s.oldest_due.map_or(0.0, |due| (now - due).as_seconds_f64().max(0.0));
            show(&s.queue, s.waiting, s.dead, age);
        }
        let lag = next.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
        metrics::gauge!("tapedeck_dispatcher_lag_seconds").set(lag);
    }
}

fn show(queue: &str, waiting: i64, dead: i64, due_age_seconds: f64) {
    metrics::gauge!("tapedeck_jobs_waiting", "queue" => queue.to_owned()).set(waiting as f64);
    metrics::gauge!("tapedeck_jobs_dead", "queue" => queue.to_owned()).set(dead as f64);
    metrics::gauge!("tapedeck_due_age_seconds", "queue" => queue.to_owned()).set(due_age_seconds);
}

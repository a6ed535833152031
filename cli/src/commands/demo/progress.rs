//! Shows each step as it ends.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use std::{collections::HashMap, time::Duration};

use shared::{
    db::console,
    naming::{self, Named},
    service::App,
};

use super::shown::short;

const LOOK: Duration = Duration::from_millis(100);

/// Prints a line whenever a step of these calls ends or fails, until all work is done.
pub async fn follow(app: &App, calls: &[String]) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    let mut seen: HashMap<(&str, String), String> = HashMap::new();
    loop {
        let mut finished = 0;
        for id in calls {
            let Named::One(call) = naming::find(&app.db, id).await? else { continue };
            let jobs = console::jobs(&app.db, call.id).await?;
            for job in jobs.iter().filter(|job| job.step != "intake") {
                let step = job.sink.as_ref().map_or_else(|| job.step.clone(), |sink| format!("{} {sink}", job.step));
                let state = match (job.state.as_str(), &job.reason) {
                    ("done" | "skipped" | "dead", None) => job.state.clone(),
                    ("waiting" | "skipped" | "dead", Some(reason)) => format!("{}: {reason}", job.state),
                    _ => continue,
                };
                if seen.insert((id, step.clone()), state.clone()).as_ref() != Some(&state) {
                    println!("{:6.2} s  {}  {step:18} {state}", started.elapsed().as_secs_f64(), short(id));
                }
            }
            let ended = jobs.iter().all(|job| matches!(job.state.as_str(), "done" | "skipped" | "dead"));
            finished += usize::from(ended && call.conclusion.is_some());
        }
        if finished == calls.len() {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

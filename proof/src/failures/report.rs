//! Runs what was chosen, one after the other, and prints a line for each.
#![expect(clippy::print_stdout, reason = "the output of this program")]

use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use proof::{Installation, servers::Server};

use crate::{
    ending,
    scenario::{self, Scenario},
};

/// No scenario takes longer, come what may.
const LONGEST: Duration = Duration::from_secs(300);
/// Lines of each log that are shown when one fails.
const TAIL: usize = 15;

/// Prints the scenarios.
pub fn list() {
    for scenario in scenario::chosen(&[]) {
        println!("{:<24} {}", scenario.name, scenario.about);
    }
}

/// Runs those that were chosen; success when none failed and none was skipped.
///
/// # Errors
/// When none has such a name.
pub async fn run(program: &Path, only: &[String]) -> anyhow::Result<ExitCode> {
    let chosen = scenario::chosen(only);
    if chosen.is_empty() {
        bail!("no scenario is called so; --list prints them");
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for scenario in chosen {
        if let Some(server) = foreign(scenario.stops).await {
            println!("SKIPPED {:<24} {server} is not ours to stop: nothing is proven", scenario.name);
            skipped += 1;
            continue;
        }
        let began = Instant::now();
        match attempt(program, scenario).await {
            Ok(figures) => {
                passed += 1;
                println!("ok      {:<24} {figures}, {:.1} s", scenario.name, began.elapsed().as_secs_f64());
            }
            Err(error) => {
                failed += 1;
                println!("FAILED  {:<24} {error:#}, {:.1} s", scenario.name, began.elapsed().as_secs_f64());
                restore().await;
            }
        }
    }
    if skipped > 0 {
        println!(
            "\n{skipped} SKIPPED for want of servers that may be stopped: set neither TEST_DATABASE_URL nor TEST_AMQP_URL"
        );
    }
    println!("\n{passed} passed, {failed} failed");
    // What was not run is not proven.
    Ok(if failed + skipped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn attempt(program: &Path, scenario: &Scenario) -> anyhow::Result<String> {
    let settings =
        [("LEASE_SECONDS", "3"), ("DRAIN_SECONDS", "5"), ("RETRY_SCALE", scenario.retry_scale), ("RUST_LOG", "info")];
    let at = Installation::new(program.to_owned(), &settings).await?;
    let told = tokio::time::timeout(LONGEST, tell(&at, scenario)).await;
    let told = told.with_context(|| format!("not over after {} s", LONGEST.as_secs())).flatten();
    if told.is_err() {
        show_logs(&at);
    }
    told
}

async fn tell(at: &Installation, scenario: &Scenario) -> anyhow::Result<String> {
    at.start().await?;
    let story = (scenario.play)(at).await?;
    ending::check(at, &story).await?;
    let tally = at.sender.tally();
    let mut figures = vec![format!("{} calls", story.calls.len()), format!("{} webhooks", tally.accepted.len())];
    figures.extend(story.figures);
    Ok(figures.join(", "))
}

/// The first of these servers that is not ours to stop.
async fn foreign(servers: &[Server]) -> Option<&'static str> {
    for server in servers {
        if !stoppable(*server).await {
            return Some(server.as_str());
        }
    }
    None
}

async fn stoppable(server: Server) -> bool {
    server.is_ours().await.unwrap_or(false)
}

/// A scenario that failed half-way may have left a server stopped.
async fn restore() {
    for server in Server::ALL {
        if stoppable(server).await
            && let Err(error) = server.ctl("start").await
        {
            println!("        {error:#}");
        }
    }
}

fn show_logs(at: &Installation) {
    for log in at.logs() {
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        println!("        --- {} ({} lines)", log.file_name().unwrap_or_default().display(), lines.len());
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            println!("        {line}");
        }
    }
}

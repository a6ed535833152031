//! `calls reanalyze`: feedback made anew, for one call or for many, a few at a time, so that fresh calls do not have to wait
//! behind them.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use std::{
    collections::VecDeque,
    io::{IsTerminal, Write},
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::TimeDelta;
use clap::Args;
use shared::{
    db::{self, console},
    domain::{CallId, Micros, micros, usd},
    model::Model,
    reanalyze::reanalyze,
    service::App,
};
use tokio_util::sync::CancellationToken;

use super::filters::Filters;

/// Fewer are not asked about.
const MANY: usize = 10;
/// Calls that are looked through at a time.
const PAGE: i64 = 500;
const LOOK: Duration = Duration::from_millis(500);
/// What is due later than this has failed, and comes back by the schedule.
const LATER: TimeDelta = TimeDelta::seconds(3);

/// Which calls.
#[derive(Args)]
#[command(after_help = "\
Workers do it, with their model, prompt and scorecard. A call keeps its feedback until the new one is there; then notes and
records are changed, not written twice. Stopping this command leaves to the workers what they were asked for.")]
pub(super) struct Reanalyze {
    /// The provider's ids of calls, or ours
    #[arg(conflicts_with_all = ["Narrow", "Filters"])]
    ids: Vec<String>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    filters: Filters,
    /// At most so many, newest first
    #[arg(long)]
    limit: Option<usize>,
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many there are
    #[arg(long)]
    yes: bool,
    /// So many at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
}

#[derive(Args)]
#[group(id = "Narrow", multiple = true)]
struct Narrow {
    /// All calls
    #[arg(long)]
    all: bool,
    /// Only those whose feedback is of another prompt, scorecard or model than is set here, and those without
    #[arg(long)]
    outdated: bool,
}

/// What there is to do.
#[derive(Default)]
struct Chosen {
    calls: Vec<CallId>,
    /// Calls that fit otherwise.
    without_transcript: usize,
    /// What their feedback took, as far as that is known.
    cost: Micros,
}

impl Reanalyze {
    pub(super) async fn run(self, app: &App, stop: &CancellationToken) -> anyhow::Result<()> {
        let Self { ids, narrow, filters, limit, dry_run, yes, at_once } = self;
        let chosen = match ids.is_empty() {
            true => by_filter(app, &narrow, filters, limit).await?,
            false => by_id(app, &ids).await?,
        };
        let count = chosen.calls.len();
        let without = match chosen.without_transcript {
            0 => String::new(),
            some => format!(", {some} more have no transcript"),
        };
        let cost =
            if chosen.cost > 0 { format!("; the last time it cost {} USD", usd(chosen.cost)) } else { String::new() };
        println!("{count} to reanalyze{without}{cost}");
        if dry_run || count == 0 {
            return Ok(());
        }
        if count > MANY && !yes && !agreed()? {
            println!("nothing was done");
            return Ok(());
        }
        Progress::new(chosen.calls).follow(app, usize::from(at_once), stop).await
    }
}

async fn by_id(app: &App, ids: &[String]) -> anyhow::Result<Chosen> {
    let mut calls = Vec::new();
    for id in ids {
        calls.push(super::named(app, id).await?.id);
    }
    let mut chosen = Chosen::default();
    chosen.add(app, &calls, |_| true).await?;
    Ok(chosen)
}

async fn by_filter(app: &App, narrow: &Narrow, filters: Filters, limit: Option<usize>) -> anyhow::Result<Chosen> {
    if !(narrow.all || narrow.outdated || filters.narrow()) {
        bail!("say which: ids of calls, --outdated, --from, --to, --provider, --phone, --conclusion or --all");
    }
    let model = match narrow.outdated {
        true => Some(
            Model::from_env(&app.env, &app.outside)?.context("--outdated needs the workers' settings of the model")?,
        ),
        false => None,
    };
    let mut filter = filters.filter(PAGE)?;
    let mut chosen = Chosen::default();
    loop {
        let page = console::calls(&app.db, &filter).await?;
        let calls: Vec<_> = page.iter().map(|line| line.call.id).collect();
        let wanted = |feedback: Option<&_>| {
            model.as_ref().is_none_or(|model| feedback.is_none_or(|feedback| !model.is_current(feedback)))
        };
        chosen.add(app, &calls, wanted).await?;
        filter.after = page.last().map(|line| line.cursor());
        let enough = limit.is_some_and(|limit| chosen.calls.len() >= limit);
        if page.is_empty() || enough {
            chosen.calls.truncate(limit.unwrap_or(usize::MAX));
            return Ok(chosen);
        }
    }
}

impl Chosen {
    /// Those of these calls that were transcribed and are wanted, in the same order.
    async fn add(
        &mut self,
        app: &App,
        calls: &[CallId],
        wanted: impl Fn(Option<&shared::domain::Feedback>) -> bool,
    ) -> anyhow::Result<()> {
        let transcribed = db::feedback::of_transcribed(&app.db, calls).await?;
        for call in calls {
            match transcribed.get(call) {
                None => self.without_transcript += 1,
                Some(feedback) if wanted(feedback.as_ref()) => {
                    self.cost += feedback.as_ref().and_then(|feedback| feedback.usage.cost).map_or(0, micros);
                    self.calls.push(*call);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("these are many: say --yes");
    }
    print!("Go on? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// How far it is.
struct Progress {
    all: usize,
    waiting: VecDeque<CallId>,
    under_way: Vec<CallId>,
    done: usize,
    skipped: usize,
    failed: usize,
    later: usize,
}

impl Progress {
    fn new(calls: Vec<CallId>) -> Self {
        let all = calls.len();
        Self { all, waiting: calls.into(), under_way: Vec::new(), done: 0, skipped: 0, failed: 0, later: 0 }
    }

    async fn follow(mut self, app: &App, at_once: usize, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut said = String::new();
        while !(self.waiting.is_empty() && self.under_way.is_empty()) {
            let room = at_once.saturating_sub(self.under_way.len()).min(self.waiting.len());
            let next: Vec<_> = self.waiting.drain(..room).collect();
            reanalyze(&app.db, &app.queue, &app.clock, &next).await?;
            self.under_way.extend(next);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {
                    println!("stopped: {} were not asked for, {} go on", self.waiting.len(), self.under_way.len());
                    return Ok(());
                }
            }
            self.look(app).await?;
            let line = self.to_string();
            if line != said {
                println!("{line}");
                said = line;
            }
        }
        if self.failed > 0 {
            bail!("{} failed for good: tapedeck dead show --queue analyze", self.failed);
        }
        Ok(())
    }

    /// Takes out what has ended.
    async fn look(&mut self, app: &App) -> anyhow::Result<()> {
        let soon = app.clock.now() + LATER;
        for standing in db::feedback::standing(&app.db, &self.under_way).await? {
            match standing.state.as_str() {
                "done" => self.done += 1,
                "skipped" => self.skipped += 1,
                "dead" => self.failed += 1,
                "waiting" if standing.due_at > soon => self.later += 1,
                _ => continue,
            }
            self.under_way.retain(|call| *call != standing.call());
        }
        Ok(())
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} done", self.done, self.all)?;
        let more = [(self.skipped, "skipped"), (self.failed, "failed"), (self.later, "to be tried again later")];
        more.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

//! `calls`: the list, one call's way through the steps, and feedback made anew.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

mod filters;
mod reanalyze;

use ::console::view::{CallDetail, CallRow};
use anyhow::bail;
use clap::{Args, Subcommand};
use shared::{
    db::{
        self, console,
        spending::{self, Sum},
    },
    domain::{Call, Conclusion, Micros, Report, usd},
    env::Env,
    naming::{self, Named},
    service::{App, Role},
};

use tokio_util::sync::CancellationToken;

use self::filters::Filters;
use crate::table;

/// What to look at.
#[derive(Args)]
pub struct Calls {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List calls, newest first
    List(List),
    /// Show one call: what is known, and how far each step is
    Show(Show),
    /// Make feedback anew, from the transcripts that are there
    Reanalyze(reanalyze::Reanalyze),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    filters: Filters,
    /// Only those with a step that failed for good
    #[arg(long)]
    dead: bool,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: i64,
    /// As JSON, one object per line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Show {
    /// The provider's id of the call (`cloudtalk:4711`, where several have it), or ours
    id: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Calls {
    /// Prints it.
    pub async fn run(self, env: Env, stop: CancellationToken) -> anyhow::Result<()> {
        let writes = matches!(self.what, What::Reanalyze(_));
        let app = App::open("cli", env, if writes { Role::Beside } else { Role::Reader }).await?;
        let done = match self.what {
            What::List(list) => list.run(&app).await,
            What::Show(show) => show.run(&app).await,
            What::Reanalyze(reanalyze) => reanalyze.run(&app, &stop).await,
        };
        app.close().await;
        done
    }
}

impl List {
    async fn run(self, app: &App) -> anyhow::Result<()> {
        let filter = console::CallFilter { dead: self.dead, ..self.filters.filter(self.limit)? };
        let lines = console::calls(&app.db, &filter).await?;
        if self.json {
            for line in lines {
                println!("{}", serde_json::to_string(&CallRow::load(app, line).await)?);
            }
            return Ok(());
        }
        if lines.is_empty() {
            println!("none");
            return Ok(());
        }
        let rows: Vec<_> = lines.iter().map(row).collect();
        table::print(
            ["FIRST HEARD OF", "PROVIDER", "CALL", "STATUS", "DIRECTION", "SECONDS", "AUDIO", "STANDS"],
            &rows,
        );
        Ok(())
    }
}

fn row(line: &console::CallLine) -> [String; 8] {
    let facts = &line.call.facts;
    let stands = stands(line.dead_jobs, line.call.conclusion);
    [
        line.call.created_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        line.call.provider.to_string(),
        line.call.display_id(),
        facts.status.map_or("", |s| s.as_str()).to_owned(),
        facts.direction.map_or("", |d| d.as_str()).to_owned(),
        facts.duration_seconds.map_or_else(String::new, |s| format!("{s:.0}")),
        if line.object_key.is_some() { "kept" } else { "" }.to_owned(),
        stands,
    ]
}

impl Show {
    async fn run(self, app: &App) -> anyhow::Result<()> {
        let call = named(app, &self.id).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&CallDetail::load(app, call).await?)?);
            return Ok(());
        }
        let family = db::calls::family(&app.db, call.id).await?;
        let report = db::reports::load(&app.db, call.clone(), &family, None).await?;
        let jobs = console::jobs(&app.db, call.id).await?;
        let cost = spending::of(&app.db, call.id).await?.iter().map(Sum::cost).sum();
        known(&call, &report, app.links.link(&call), cost);
        let dead = jobs.iter().filter(|job| job.state == "dead").count();
        println!("{:12} {}", "stands", stands(dead as i64, call.conclusion));
        println!();
        let rows: Vec<_> = jobs.iter().map(job_row).collect();
        table::print(["STEP", "STATE", "TRIES", "SINCE", "WHY"], &rows);
        Ok(())
    }
}

/// The call that is meant.
async fn named(app: &App, name: &str) -> anyhow::Result<Call> {
    match naming::find(&app.db, name).await? {
        Named::One(call) => Ok(*call),
        Named::Nobody => bail!("no call {name}"),
        Named::Several(candidates) => bail!("{name} may be several calls; say which: {}", candidates.join(", ")),
    }
}

fn stands(dead: i64, conclusion: Option<Conclusion>) -> String {
    match (dead, conclusion) {
        (0, None) => "at work".to_owned(),
        (0, Some(conclusion)) => conclusion.as_str().to_owned(),
        (dead, _) => format!("{dead} failed for good"),
    }
}

fn known(call: &Call, report: &Report, link: Option<String>, cost: Option<Micros>) {
    let facts = &call.facts;
    let line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            println!("{name:12} {value}");
        }
    };
    line("call", Some(format!("{} {} ({})", call.provider, call.display_id(), call.id)));
    line("status", facts.status.map(|s| s.as_str().to_owned()));
    line("direction", facts.direction.map(|d| d.as_str().to_owned()));
    line("contact", facts.contact.name.clone().or_else(|| facts.external_phone.as_ref().map(ToString::to_string)));
    line("agent", facts.agent.name.clone());
    line("started", facts.started_at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()));
    line("length", report.duration_seconds().map(|s| format!("{s:.0} s")));
    let audio = |r: &shared::domain::Recording| {
        format!("{} {} bytes, {} channels, {:.0} s", r.format, r.size_bytes, r.channels, r.duration_seconds)
    };
    line("recording", report.recording.as_ref().map(audio));
    line("link", link.filter(|_| report.recording.is_some()));
    line("transcript", report.transcript.as_ref().map(|t| format!("{} turns, {} words", t.turns.len(), t.words())));
    line("summary", report.feedback.as_ref().map(|f| f.judged.summary.clone()));
    line("cost", cost.filter(|cost| *cost > 0).map(|cost| format!("{} USD", usd(cost))));
}

fn job_row(job: &console::JobLine) -> [String; 5] {
    let step = job.sink.as_ref().map_or_else(|| job.step.clone(), |sink| format!("{}.{sink}", job.step));
    let at = job.finished_at.or(job.started_at).unwrap_or(job.created_at);
    let mut why = [job.reason.as_deref(), job.error.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if job.state == "waiting" {
        why = format!("due {} {why}", job.due_at.format("%Y-%m-%d %H:%M:%S")).trim_end().to_owned();
    }
    [step, job.state.clone(), job.attempts.to_string(), at.format("%Y-%m-%d %H:%M:%S").to_string(), why]
}

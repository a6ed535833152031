//! `dead`: what failed for good, and its replay.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use anyhow::bail;
use clap::{Args, Subcommand};
use shared::{
    db::console::{self, DeadFilter},
    domain::{JobId, QueueName},
    env::Env,
    replay::{Which, replay},
    service::{App, Role},
};

use crate::table;

/// What to do.
#[derive(Args)]
pub struct Dead {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How many there are, by queue and reason
    List,
    /// Each of them, with what happened
    Show(Narrow),
    /// Make them due again, with fresh attempts
    Replay(Replay),
}

#[derive(Args)]
struct Narrow {
    /// Only of this queue, such as fetch or sync.gohighlevel
    #[arg(long)]
    queue: Option<String>,
    /// Only with this reason, as `dead list` shows it
    #[arg(long)]
    reason: Option<String>,
    /// At most so many, the oldest first
    #[arg(long, default_value_t = 1000)]
    limit: i64,
}

#[derive(Args)]
struct Replay {
    /// These jobs
    #[arg(long, value_delimiter = ',', value_name = "JOB,…", conflicts_with_all = ["queue", "reason", "all"])]
    id: Vec<JobId>,
    #[command(flatten)]
    narrow: Narrow,
    /// All of them
    #[arg(long, conflicts_with_all = ["queue", "reason"])]
    all: bool,
    /// Only say how many it would be
    #[arg(long)]
    dry_run: bool,
}

impl Dead {
    /// Does it.
    pub async fn run(self, env: Env) -> anyhow::Result<()> {
        let reads = match &self.what {
            What::List | What::Show(_) => true,
            What::Replay(replay) => replay.dry_run,
        };
        let app = App::open("cli", env, if reads { Role::Reader } else { Role::Beside }).await?;
        let done = match self.what {
            What::List => list(&app).await,
            What::Show(narrow) => show(&app, narrow).await,
            What::Replay(replay) => replay.run(&app).await,
        };
        app.close().await;
        done
    }
}

async fn list(app: &App) -> anyhow::Result<()> {
    let groups = console::dead_groups(&app.db).await?;
    if groups.is_empty() {
        println!("nothing failed for good");
        return Ok(());
    }
    let row = |group: &console::DeadGroup| {
        let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M").to_string();
        let reason = group.reason.clone().unwrap_or_default();
        [group.queue.clone(), reason, group.count.to_string(), time(group.oldest), time(group.newest)]
    };
    let rows: Vec<_> = groups.iter().map(row).collect();
    table::print(["QUEUE", "REASON", "JOBS", "OLDEST", "NEWEST"], &rows);
    Ok(())
}

impl Narrow {
    fn filter(&self) -> DeadFilter {
        DeadFilter { queue: self.queue.clone(), reason: self.reason.clone(), limit: self.limit }
    }
}

async fn show(app: &App, narrow: Narrow) -> anyhow::Result<()> {
    let row = |job: &console::DeadJob| {
        let call = job.provider_call_id.clone().or_else(|| job.call_id.map(|id| id.to_string())).unwrap_or_default();
        let why = [job.reason.as_deref(), job.error.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
        [job.id.to_string(), job.queue.clone(), call, job.attempts.to_string(), why]
    };
    let rows: Vec<_> = console::dead(&app.db, &narrow.filter()).await?.iter().map(row).collect();
    if rows.is_empty() {
        println!("none");
        return Ok(());
    }
    table::print(["JOB", "QUEUE", "CALL", "TRIES", "WHY"], &rows);
    Ok(())
}

impl Replay {
    async fn run(self, app: &App) -> anyhow::Result<()> {
        let Narrow { queue, reason, limit } = &self.narrow;
        if self.id.is_empty() && queue.is_none() && reason.is_none() && !self.all {
            bail!("say which: --id, --queue, --reason or --all");
        }
        if self.dry_run {
            let jobs = match self.id.len() {
                0 => console::dead(&app.db, &self.narrow.filter()).await?.len(),
                given => given,
            };
            println!("would replay {jobs}");
            return Ok(());
        }
        let which = match self.id.is_empty() {
            false => Which::Jobs(self.id),
            true => Which::Dead { queue: queue.clone().map(QueueName::from), reason: reason.clone(), limit: *limit },
        };
        let replayed = replay(&app.db, &app.queue, &app.clock, &which).await?;
        println!("replayed {replayed}");
        Ok(())
    }
}

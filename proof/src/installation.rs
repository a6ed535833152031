//! A whole installation in the shape of production: PostgreSQL and RabbitMQ as `services.sh` runs them, an S3 server behind a
//! [`Gate`], the vendors' sandbox, and one process of the real program for each part. Gone when dropped.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use sandbox::{PlaceCall, PlacedCall, Sandbox};
use shared::{
    db::Db,
    domain::QueueName,
    env::Env,
    queue::rabbit::RabbitQueue,
    testing::{Scratch, Shape},
};
use sqlx::PgPool;

use crate::{gate::Gate, process::Process, sender::Sender, until};

/// What the sandbox's CloudTalk sends with its webhooks.
const SECRET: &str = "a-webhook-secret";
/// The pools of workers; each is a process of its own.
pub const POOLS: [&str; 6] = ["intake", "fetch", "transcribe", "analyze", "sync.gohighlevel", "sync.callmind"];
/// The process that takes webhooks.
pub const INGEST: &str = "ingest";
/// A process that starts gets this long.
const START: Duration = Duration::from_secs(30);

/// A running installation.
pub struct Installation {
    // Dropped in this order: the processes first, then what they stand on.
    processes: Mutex<Processes>,
    /// The vendors.
    pub sandbox: Sandbox,
    /// Posts the sandbox's webhooks.
    pub sender: Sender,
    /// In front of the object store.
    pub store: Gate,
    /// The broker, to look at.
    pub queue: RabbitQueue,
    /// The database, to look at.
    pub db: Db,
    ingest: String,
    env: Env,
    program: PathBuf,
    scratch: Scratch,
}

#[derive(Default)]
struct Processes {
    running: BTreeMap<&'static str, Process>,
    logs: Vec<PathBuf>,
}

impl Installation {
    /// Makes an installation in which no process runs yet; `settings` are added to those that every proof needs.
    ///
    /// # Errors
    /// When a part of it cannot be made.
    ///
    /// # Panics
    /// When the servers are not there: run it under `services.sh run`.
    pub async fn new(program: PathBuf, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into()).await?;
        let scratch = Scratch::new(Shape::Production).await;
        let store = scratch.env().required("AWS_ENDPOINT_URL_S3")?.trim_start_matches("http://").to_owned();
        let store = Gate::before(store).await?;
        // Free a moment ago, and nobody else on this machine picks ports at such a pace.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port().to_string();
        let ingest = format!("http://127.0.0.1:{port}");
        let env = vendors(scratch.env(), &sandbox).with([
            ("HOST", "127.0.0.1"),
            ("PORT", port.as_str()),
            ("WEBHOOK_BASE_URL", &ingest),
            ("AWS_ENDPOINT_URL_S3", &store.url()),
            ("DATABASE_CONNECTIONS", "8"),
            ("LOG_FORMAT", "text"),
        ]);
        let env = env.with(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let amqp = env.secret("AMQP_URL").context("no broker")?;
        let queue = RabbitQueue::connect(&amqp, "proof", env.required("AMQP_PREFIX")?)?;
        let db = Db::open(env.required("DATABASE_URL")?, 4).await?;
        let sender = Sender::start(ingest.clone()).await?;
        Ok(Self { processes: Mutex::default(), sandbox, sender, store, queue, db, ingest, env, program, scratch })
    }

    /// Starts ingest and every pool, and waits until webhooks are taken.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.launch(INGEST)?;
        self.launch_workers()?;
        self.takes_webhooks().await
    }

    /// Starts every pool.
    ///
    /// # Errors
    /// When one does not start.
    pub fn launch_workers(&self) -> anyhow::Result<()> {
        POOLS.into_iter().try_for_each(|pool| self.launch(pool))
    }

    /// Starts ingest or one pool.
    ///
    /// # Errors
    /// When it does not start.
    pub fn launch(&self, part: &'static str) -> anyhow::Result<()> {
        let mut processes = self.processes();
        let log = self.scratch.path().join(format!("{:02}-{part}.log", processes.logs.len()));
        let arguments = if part == INGEST { vec![INGEST] } else { vec!["worker", "--steps", part] };
        let process = Process::start(&self.program, &arguments, &self.env, log.clone())?;
        processes.logs.push(log);
        processes.running.insert(part, process);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self, part: &'static str) -> anyhow::Result<()> {
        self.taken(part)?.kill().await.context(part)
    }

    /// SIGTERM to every pool at once; returns when all have ended.
    ///
    /// # Errors
    /// When one takes longer than `patience`, or ends in another way than by itself.
    pub async fn terminate_workers(&self, patience: Duration) -> anyhow::Result<()> {
        let ending = POOLS.map(|pool| async move {
            let status = self.taken(pool)?.terminate(patience).await.context(pool)?;
            if status.success() { Ok(()) } else { bail!("{pool} ended with {status} after SIGTERM") }
        });
        futures::future::try_join_all(ending).await.map(drop)
    }

    /// Parts that have ended although nobody ended them.
    pub fn vanished(&self) -> Vec<&'static str> {
        let mut processes = self.processes();
        processes.running.iter_mut().filter_map(|(part, process)| (!process.runs()).then_some(*part)).collect()
    }

    /// What every process that ever ran wrote to, in the order of their starts.
    pub fn logs(&self) -> Vec<PathBuf> {
        self.processes().logs.clone()
    }

    /// An order for a call of this sample, its webhooks posted by the sender.
    pub fn call(&self, sample: &str) -> PlaceCall {
        PlaceCall::new(self.sender.url(), SECRET, sample)
    }

    /// Places a call; returns once all its webhooks are accepted.
    ///
    /// # Errors
    /// When one is not.
    pub async fn place(&self, order: PlaceCall) -> anyhow::Result<PlacedCall> {
        let placed = self.sandbox.place_call(order).await?;
        match placed.answers.iter().find(|answer| answer.status != 200) {
            Some(answer) => bail!("{} was answered with {}: {}", answer.event, answer.status, answer.body),
            None => Ok(placed),
        }
    }

    /// Its settings.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The database, for questions that only proofs ask.
    ///
    /// # Panics
    /// Never: an installation in the shape of production is on PostgreSQL.
    pub fn pool(&self) -> &PgPool {
        match &self.db {
            Db::Postgres(pool) => pool,
            Db::Sqlite(_) => panic!("the shape of production is on PostgreSQL"),
        }
    }

    /// Every queue of it.
    pub fn queues() -> [QueueName; 6] {
        POOLS.map(|pool| QueueName::from(pool.to_owned()))
    }

    async fn takes_webhooks(&self) -> anyhow::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "an orchestrator's, which is outside")]
        let http = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
        let ready = format!("{}/readyz", self.ingest);
        until("ingest is ready", START, async || http.get(&ready).send().await.is_ok_and(|a| a.status().is_success()))
            .await
    }

    fn taken(&self, part: &'static str) -> anyhow::Result<Process> {
        self.processes().running.remove(part).with_context(|| format!("{part} does not run"))
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The settings that lead to the sandbox's vendors; their rate limits, which would hold up every proof, are off.
fn vendors(env: &Env, sandbox: &Sandbox) -> Env {
    let vendors = sandbox.base_urls();
    env.with([
        ("CLOUDTALK_WEBHOOK_SECRET", SECRET),
        ("CLOUDTALK_API_KEY", "id:secret"),
        ("CLOUDTALK_BASE_URL", &vendors.cloudtalk),
        ("CLOUDTALK_RATE_PER_MINUTE", "0"),
        ("OPENAI_BASE_URL", &vendors.openai),
        ("OPENAI_API_KEY", "key"),
        ("GHL_BASE_URL", &vendors.ghl),
        ("GHL_API_KEY", "pit-key"),
        ("GHL_LOCATION_ID", "LOC1"),
        ("GHL_RATE_PER_10S", "0"),
        ("CALLMIND_BASE_URL", &vendors.callmind),
        ("CALLMIND_TOKEN", "token"),
        ("CALLMIND_AGENT_ID", "agent_1"),
    ])
}

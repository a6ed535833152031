//! The start of every process: from its environment to an [`App`] with everything that is passed on.
//!
//! [`run`] is the life of a process (telemetry, signals, end), [`App::open`] its connections, [`listen`] its listeners,
//! [`ops`] what orchestrators ask, [`problem`] how a request is refused. A new setting belongs to whoever uses it, not here.

mod backends;
mod connection;
pub mod listen;
mod lock;
pub mod ops;
pub mod problem;
mod process;

use std::sync::Arc;

use anyhow::Context;
pub use process::run;

use crate::{
    budgets::Budgets,
    clock::Clock,
    db::{self, Db},
    env::Env,
    http::Outside,
    ledger::Ledger,
    links::Links,
    locks::Locks,
    providers::Providers,
    queue::SharedQueue,
    recordings::{self, SharedRecordings},
    settings,
    sinks::Sinks,
    sources::Sources,
};

/// What a process is to the others that work on the same calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All parts in one process; what is not set is embedded.
    Whole,
    /// One of several processes, which need a common database and broker.
    Part,
    /// An operator's command beside whatever runs; takes no ownership of an embedded directory.
    Beside,
    /// The same, of one that only reads: it does without the broker.
    Reader,
    /// The same, of one that tries whether everything works: it asks vendors whatever is known of them.
    Trial,
}

impl Role {
    /// Whether somebody else does the work.
    fn is_beside(self) -> bool {
        matches!(self, Self::Beside | Self::Reader | Self::Trial)
    }
}

/// Everything that is passed in. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Settings.
    pub env: Env,
    /// Time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// The queue.
    pub queue: SharedQueue,
    /// The object store.
    pub recordings: SharedRecordings,
    /// What clients of outside systems are made of.
    pub outside: Outside,
    /// Who sends webhooks.
    pub sources: Sources,
    /// Where calls come from.
    pub providers: Providers,
    /// Where results go.
    pub sinks: Sinks,
    /// The lasting links.
    pub links: Links,
    _owner: Option<Arc<lock::DirectoryLock>>,
}

impl App {
    /// Opens everything that the settings name. `name` is what the broker lists the process under. An embedded database is brought up to date; any other must be already.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used, or the schema is not this version's.
    pub async fn open(name: &str, env: Env, role: Role) -> anyhow::Result<Self> {
        backends::check(&env, role)?;
        listen::drain(&env)?;
        if !role.is_beside() {
            settings::warn_of_unknown(&env);
        }
        let clock = Clock::system();
        let (db, owner) = backends::database(&env, role, &clock).await?;
        let budgets = match role {
            Role::Trial => Budgets::unlimited(),
            _ => Budgets::new(db.clone(), clock.clone()),
        };
        let outside = Outside::new(budgets, clock.clone())?;
        let outside = outside.with_ledger(Ledger::from_env(&env, &db, &clock)?);
        let outside = outside.with_locks(Locks::new(db.clone(), clock.clone()));
        let providers = Providers::from_env(&env, &outside)?;
        let sources = Sources::from_env(&env, &providers)?;
        let sinks = Sinks::from_env(&env, &outside)?;
        let links = links(&env, &db).await?;
        let recordings = recordings::from_env(&env).await?;
        let queue = backends::queue(name, &env, role)?;
        Ok(Self { env, clock, db, queue, recordings, outside, sources, providers, sinks, links, _owner: owner })
    }

    /// Ends connections, giving back what was not settled.
    pub async fn close(&self) {
        self.queue.close().await;
        self.db.close().await;
    }
}

/// Brings the schema of the database up to date.
///
/// # Errors
/// When the database is away, or holds a migration that this version does not know.
pub async fn migrate(env: &Env) -> anyhow::Result<()> {
    let db = backends::open(env).await?;
    let pending = db.pending_migrations().await.context("the database is out of reach")?;
    db.migrate().await.context("cannot bring the schema up to date")?;
    tracing::info!(migrations = pending, "the schema is up to date");
    db.close().await;
    Ok(())
}

/// The links' secret is set, or made once and kept in the database, so that links last and all processes agree.
async fn links(env: &Env, db: &Db) -> anyhow::Result<Links> {
    let secret = match env.var("TAPEDECK_LINK_SECRET") {
        Some(secret) => secret.to_owned(),
        None => {
            #[expect(clippy::disallowed_methods, reason = "a secret: nobody may choose it")]
            let fresh = hex::encode(rand::random::<[u8; 32]>());
            db::settings::get_or_insert(db, "link-secret", &fresh).await.context("cannot read the link secret")?
        }
    };
    let base = env.var("WEBHOOK_BASE_URL").is_some().then(|| env.base_url("WEBHOOK_BASE_URL", "")).transpose()?;
    Ok(Links::new(base, secret.into()))
}

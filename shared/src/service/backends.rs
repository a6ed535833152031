//! Which backends the settings choose: Postgres or SQLite, RabbitMQ or memory, S3 or a directory.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{Role, lock::DirectoryLock};
use crate::{
    clock::Clock,
    db::{self, Db},
    env::Env,
    private,
    queue::{SharedQueue, memory::MemoryQueue, rabbit::RabbitQueue},
    recordings,
};

/// A process that starts waits this long for its database.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses combinations that lose work, and warns of those that are rarely meant.
pub(super) fn check(env: &Env, role: Role) -> anyhow::Result<()> {
    let unset = |name: &str| env.var(name).is_none();
    if role == Role::Part {
        let missing: Vec<_> = ["DATABASE_URL", "AMQP_URL"].into_iter().filter(|name| unset(name)).collect();
        if !missing.is_empty() {
            bail!(
                "{} not set: several processes need a common database and broker; `tapedeck up` runs everything in one",
                missing.join(" and ")
            );
        }
    }
    let embedded = ["DATABASE_URL", "AMQP_URL", "S3_BUCKET"].map(unset);
    if !role.is_beside() && embedded != [embedded[0]; 3] {
        tracing::warn!(
            database = if embedded[0] { "embedded" } else { "set" },
            broker = if embedded[1] { "embedded" } else { "set" },
            object_store = if embedded[2] { "embedded" } else { "set" },
            "some backends are set and others embedded: the embedded ones are for this process alone"
        );
    }
    Ok(())
}

/// The database, its schema up to date; and the ownership of the embedded directory.
pub(super) async fn database(env: &Env, role: Role, clock: &Clock) -> anyhow::Result<(Db, Option<Arc<DirectoryLock>>)> {
    let owner = match (env.var("DATABASE_URL"), role) {
        (None, Role::Whole) => Some(Arc::new(DirectoryLock::take(&directory(env)?)?)),
        _ => None,
    };
    if role == Role::Reader {
        let file = Path::new(env.var("TAPEDECK_DATA").unwrap_or(recordings::DATA)).join("tapedeck.db");
        if env.var("DATABASE_URL").is_none() && !file.exists() {
            bail!("there is no data here: no {}; set DATABASE_URL, or TAPEDECK_DATA", file.display());
        }
    }
    let db = open(env).await?;
    if matches!(db, Db::Sqlite(_)) {
        db.migrate().await.context("cannot bring the database up to date")?;
    } else {
        let patience = if role.is_beside() { Duration::ZERO } else { PATIENCE };
        match pending(&db, patience).await.context("the database is out of reach")? {
            0 => {}
            count => bail!("the database lacks {count} migrations of this version: run `tapedeck migrate` first"),
        }
    }
    if owner.is_some() {
        db::jobs::release_all(&db, clock.now()).await.context("cannot take over unfinished jobs")?;
    }
    Ok((db, owner))
}

/// A process and its database are often started at the same time: this waits for the database for a while.
async fn pending(db: &Db, patience: Duration) -> sqlx::Result<usize> {
    let deadline = Instant::now() + patience;
    loop {
        match db.pending_migrations().await {
            Err(error) if Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            answer => return answer,
        }
    }
}

/// Only opens the database.
pub(super) async fn open(env: &Env) -> anyhow::Result<Db> {
    let connections = env.parsed("DATABASE_CONNECTIONS", 16)?;
    match env.var("DATABASE_URL") {
        Some(url) => Db::open(url, connections).await.context("DATABASE_URL cannot be used"),
        None => {
            let file = directory(env)?.join("tapedeck.db");
            if let Err(error) = private::database(&file) {
                tracing::warn!(%error, "the database may be open to others on this machine");
            }
            Db::open(&format!("sqlite:{}", file.display()), connections).await.context("cannot open the database")
        }
    }
}

pub(super) fn queue(name: &str, env: &Env, role: Role) -> anyhow::Result<SharedQueue> {
    let Some(url) = env.secret("AMQP_URL").filter(|_| role != Role::Reader) else {
        return Ok(Arc::new(MemoryQueue::default()));
    };
    let prefix = env.var("AMQP_PREFIX").unwrap_or("tapedeck");
    Ok(Arc::new(RabbitQueue::connect(&url, name, prefix).context("AMQP_URL cannot be used")?))
}

fn directory(env: &Env) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(env.var("TAPEDECK_DATA").unwrap_or(recordings::DATA));
    private::directory(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

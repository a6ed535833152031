//! A scratch installation: databases, queues and a store that exist for one test.

use std::path::Path;

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, QueueDeleteOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    db::Db,
    domain::{QueueName, SinkId, Step},
    env::Env,
    providers::Providers,
    recordings::testing::{BUCKET, S3Server},
    sinks::Sinks,
};

/// Which backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// SQLite, memory, a directory.
    Embedded,
    /// Postgres, RabbitMQ, S3: the servers that `make test` starts.
    Production,
}

/// An installation for one test; gone when dropped.
pub struct Scratch {
    env: Env,
    directory: TempDir,
    database: Option<(String, String)>,
    amqp: Option<(String, String)>,
    _s3: Option<S3Server>,
}

impl Scratch {
    /// Makes one. Its schema is up to date.
    ///
    /// # Panics
    /// When the servers are not there: run the tests with `make test`.
    pub async fn new(shape: Shape) -> Self {
        let directory = tempfile::Builder::new().prefix("tapedeck-").tempdir().expect("a temporary directory");
        let path = directory.path().display().to_string();
        let env = Env::from_pairs([("TAPEDECK_DATA", path.as_str()), ("TAPEDECK_SPOOL", &path), ("METRICS_PORT", "0")]);
        let scratch = Self { env, directory, database: None, amqp: None, _s3: None };
        match shape {
            Shape::Embedded => scratch,
            Shape::Production => scratch.in_production().await,
        }
    }

    async fn in_production(mut self) -> Self {
        let process = Env::from_process().expect("a readable environment");
        let server =
            |name| process.var(name).unwrap_or_else(|| panic!("{name} is not set: run `make test`")).to_owned();
        let (server_url, amqp_url) = (server("TEST_DATABASE_URL"), server("TEST_AMQP_URL"));
        let name = format!("tapedeck_{}", Uuid::now_v7().simple());
        execute(&server_url, &format!("create database {name}")).await.expect("a database for this test");
        let mut url = url::Url::parse(&server_url).expect("TEST_DATABASE_URL is a URL");
        url.set_path(&name);
        let db = Db::open(url.as_str(), 2).await.expect("the database for this test");
        db.migrate().await.expect("the schema");
        db.close().await;
        let s3 = S3Server::start().await.expect("an S3 server");
        self.env = self.env.with([
            ("DATABASE_URL", url.as_str()),
            ("AMQP_URL", &amqp_url),
            ("AMQP_PREFIX", &name),
            ("S3_BUCKET", BUCKET),
        ]);
        self.env = self.env.and(&s3.env());
        self.database = Some((server_url, name.clone()));
        self.amqp = Some((amqp_url, name));
        self._s3 = Some(s3);
        self
    }

    /// Its settings.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// A directory of its own.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Its database, when only that is wanted.
    pub async fn db(&self) -> Db {
        let file = format!("sqlite:{}", self.path().join("tapedeck.db").display());
        let db = Db::open(self.env.var("DATABASE_URL").unwrap_or(&file), 8).await.expect("the database");
        db.migrate().await.expect("the schema");
        db
    }
}

impl Scratch {
    /// Deletes its queues, as a broker that lost its data does.
    pub async fn delete_queues(&self) {
        if let Some((url, prefix)) = &self.amqp {
            delete_queues(url, prefix).await.expect("the broker");
        }
    }

    /// Puts every letter of a queue's dead back on the queue, as an operator's shovel does.
    pub async fn shovel(&self, queue: &QueueName) {
        if let Some((url, prefix)) = &self.amqp {
            shovel(url, &format!("{prefix}.{queue}")).await.expect("the broker");
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (database, amqp) = (self.database.take(), self.amqp.take());
        if database.is_none() && amqp.is_none() {
            return;
        }
        // A test's own runtime may be gone or panicking; cleaning up needs one that is not.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Some((server, name)) = database {
                    let _ = execute(&server, &format!("drop database if exists {name} with (force)")).await;
                }
                if let Some((url, prefix)) = amqp {
                    let _ = delete_queues(&url, &prefix).await;
                }
            });
        });
        let _ = cleaning.join();
    }
}

/// Every queue that a test may have made: of each step, and of each sink's and provider's part of one.
fn queues() -> impl Iterator<Item = QueueName> {
    let sinks = Sinks::names().map(|name| (Step::Sync, Some(SinkId::new(name))));
    let polled = Providers::names().map(|name| (Step::Poll, Some(SinkId::new(name))));
    let all = Step::ALL.into_iter().map(|step| (step, None)).chain(sinks).chain(polled);
    all.map(|(step, part)| QueueName::of(step, part.as_ref()))
}

/// Deleting one that is not there is no error.
async fn delete_queues(url: &str, prefix: &str) -> lapin::Result<()> {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for queue in queues() {
        for name in [format!("{prefix}.{queue}"), format!("{prefix}.{queue}.dead")] {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
        }
    }
    connection.close(200, "done".into()).await
}

async fn shovel(url: &str, queue: &str) -> lapin::Result<()> {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let dead = format!("{queue}.dead");
    while let Some(letter) = channel.basic_get(dead.as_str().into(), BasicGetOptions::default()).await? {
        let (data, properties) = (&letter.delivery.data, letter.delivery.properties.clone());
        let put = channel.basic_publish("".into(), queue.into(), BasicPublishOptions::default(), data, properties);
        put.await?;
        letter.delivery.ack(BasicAckOptions::default()).await?;
    }
    connection.close(200, "done".into()).await
}

async fn execute(server: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}

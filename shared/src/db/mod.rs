//! The database: Postgres in production, SQLite embedded; one SQL text for both.
//!
//! One file per table or question, plain functions over [`Db`] or [`Tx`]. The only seam is the match inside [`on!`]; time is
//! always passed in. To add a query: write it once, with `$1` placeholders, in the file of its table; the integration tests
//! run on both databases.

/// Runs `$body` with `$conn` bound to the connection of whichever database it is.
macro_rules! on {
    ($db:expr, $conn:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Postgres($conn) => $body,
            $crate::db::Db::Sqlite($conn) => $body,
        }
    };
}

/// The same inside a transaction.
macro_rules! within {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Postgres(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::db::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
        }
    };
}

pub mod budgets;
pub mod calls;
pub mod console;
pub mod deliveries;
pub mod dials;
pub mod events;
pub mod feedback;
pub mod jobs;
pub mod letters;
pub mod locks;
pub mod mirror;
pub mod outage;
pub mod pieces;
pub mod recordings;
pub mod reports;
pub mod settings;
pub mod settle;
pub mod spending;
pub mod transcripts;

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection, PgPool, Postgres, QueryBuilder, Sqlite, SqlitePool, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use uuid::Uuid;

pub use sqlx::Error;

/// The schema, for both databases.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Batches make statements of many lengths; this many prepared texts are kept per connection.
const STATEMENTS: usize = 256;

/// What every session in Postgres is started with. A host that vanishes in the middle of a transaction must not hold up the
/// others for the two hours after which Linux misses it, nor must they wait for its rows for ever.
const SESSION: [(&str, &str); 6] = [
    // A plan made while a table was small is kept until it is analyzed; reading the whole table must not be in it.
    ("enable_seqscan", "off"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// A pool of connections.
#[derive(Debug, Clone)]
pub enum Db {
    /// Production.
    Postgres(PgPool),
    /// Embedded.
    Sqlite(SqlitePool),
}

/// A transaction that may write.
#[derive(Debug)]
pub enum Tx {
    /// Production.
    Postgres(Transaction<'static, Postgres>),
    /// Embedded.
    Sqlite(Transaction<'static, Sqlite>),
}

impl Db {
    /// Opens `postgres://…` or `sqlite:path`. Connects lazily to Postgres, so that a process starts while it is away.
    ///
    /// # Errors
    /// When the URL is not one, or the SQLite file cannot be opened.
    pub async fn open(url: &str, max_connections: u32) -> sqlx::Result<Self> {
        if url.starts_with("sqlite:") {
            return Self::open_sqlite(url).await;
        }
        let options = PgConnectOptions::from_str(url)?
            .statement_cache_capacity(STATEMENTS)
            .application_name("tapedeck")
            .options(SESSION);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(outage::still_answers(connection)))
            .connect_lazy_with(options);
        Ok(Self::Postgres(pool))
    }

    async fn open_sqlite(url: &str) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An accepted webhook survives a power cut, not only a crash.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .foreign_keys(true)
            .statement_cache_capacity(STATEMENTS);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        Ok(Self::Sqlite(pool))
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// When the database is away, or holds a migration that this version does not know.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        match self {
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await?.detach();
                // Whoever migrates waits for another one who does, and for work under way.
                sqlx::query("set lock_timeout = 0").execute(&mut connection).await?;
                MIGRATOR.run(&mut connection).await?;
                Ok(connection.close().await?)
            }
            Self::Sqlite(pool) => MIGRATOR.run(pool).await,
        }
    }

    /// How many migrations of this version are not applied yet.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn pending_migrations(&self) -> sqlx::Result<usize> {
        let known = MIGRATOR.iter().count();
        let applied: sqlx::Result<(i64,)> =
            on!(self, c => sqlx::query_as("select count(*) from _sqlx_migrations").fetch_one(c).await);
        match applied {
            Ok((count,)) => Ok(known.saturating_sub(usize::try_from(count).unwrap_or(0))),
            Err(error) if no_such_table(&error) => Ok(known),
            Err(error) => Err(error),
        }
    }

    /// Answers when the database can be used.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ping(&self) -> sqlx::Result<()> {
        on!(self, c => sqlx::query("select 1").execute(c).await.map(drop))
    }

    /// Starts a transaction that may write; on SQLite it takes the write lock at once.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            Self::Sqlite(pool) => Tx::Sqlite(pool.begin_with("begin immediate").await?),
        })
    }

    /// Ends all connections.
    pub async fn close(&self) {
        on!(self, c => c.close().await);
    }

    /// Whether other processes may use it too.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// ` for update skip locked` where there is such a thing.
    fn skip_locked(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " for update skip locked",
            Self::Sqlite(_) => "",
        }
    }

    /// Closes a `select id …` whose rows are to be changed: two statements that want the same rows must not wait for each
    /// other, so everybody locks them in the order of their ids. SQLite has one writer anyway.
    fn lock_in_order(&self) -> &'static str {
        match self {
            Self::Postgres(_) => " order by id for no key update",
            Self::Sqlite(_) => "",
        }
    }
}

impl Tx {
    /// Makes it so.
    ///
    /// # Errors
    /// When the database cannot; then nothing of it happened, or (connection lost) it is unknown.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
    }

    /// Waits until no other transaction holds the lock of that number. SQLite has one writer anyway.
    async fn lock(&mut self, number: i64) -> sqlx::Result<()> {
        if let Self::Postgres(tx) = self {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(number).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

/// SQLite has no code of its own for it.
fn no_such_table(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}

/// A column that holds something this version cannot read.
fn unreadable(column: &str, source: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() }
}

/// Cuts rows into pieces whose lengths are powers of two, longest first: statements of many rows then come in few texts, each
/// prepared once per connection, instead of one for every length.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = 1 << rows.len().checked_ilog2()?.min(6);
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

/// A list of ids as a condition: one text whatever its length where the database has arrays.
trait PushIds {
    /// Appends ` = any(…)` or ` in (…)`.
    fn push_ids<I: Copy>(&mut self, ids: &[I]) -> &mut Self
    where
        Uuid: From<I>;
}

impl PushIds for QueryBuilder<Postgres> {
    fn push_ids<I: Copy>(&mut self, ids: &[I]) -> &mut Self
    where
        Uuid: From<I>,
    {
        self.push(" = any(").push_bind(ids.iter().map(|id| Uuid::from(*id)).collect::<Vec<_>>()).push(")")
    }
}

impl PushIds for QueryBuilder<Sqlite> {
    fn push_ids<I: Copy>(&mut self, ids: &[I]) -> &mut Self
    where
        Uuid: From<I>,
    {
        self.push(" in (");
        let mut list = self.separated(", ");
        for id in ids {
            list.push_bind(Uuid::from(*id));
        }
        self.push(")")
    }
}

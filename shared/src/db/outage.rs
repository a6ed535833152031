//! When the database is away: telling that from a refusal, and not waiting for ever for a connection that went silent (a
//! failover or a firewall may drop connections without telling either end).

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};

/// Longer than any statement that others wait for takes.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// A connection that is given back has this long to show that it still answers, while there is reason to doubt it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// After one connection went silent others that lay idle may be found so.
const DOUBT: Duration = Duration::from_secs(10 * 60);

static DOUBTED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether the database cannot answer at this moment (it is out of reach, shuts down, starts, is full, lost a deadlock), rather
/// than that it never will as it is asked. By SQLSTATE class, and SQLite's primary result codes.
pub fn is_away(error: &sqlx::Error) -> bool {
    let code = match error {
        sqlx::Error::Database(error) => error.code(),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => return true,
        _ => return false,
    };
    match code.as_deref() {
        Some(sqlite) if sqlite.len() < 5 && sqlite.bytes().all(|b| b.is_ascii_digit()) => {
            let primary = sqlite.parse::<u32>().map(|code| code & 0xff);
            // Busy, locked, out of memory, interrupted, I/O, full, cannot open.
            matches!(primary, Ok(5 | 6 | 7 | 9 | 10 | 13 | 14))
        }
        Some(state) => ["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| state.starts_with(class)),
        None => true,
    }
}

/// Waits that long for what asks the database, and no longer.
///
/// # Errors
/// [`sqlx::Error::PoolTimedOut`] when it was not answered. Whether what it asked for was done is unknown then.
pub async fn within<T>(patience: Duration, asked: impl Future<Output = T>) -> sqlx::Result<T> {
    let mut asked = pin!(asked);
    match tokio::time::timeout(patience, asked.as_mut()).await {
        Ok(answer) => Ok(answer),
        Err(_) => {
            // Before the connection is given back, which happens when `asked` is dropped.
            *DOUBTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            Err(sqlx::Error::PoolTimedOut)
        }
    }
}

/// Whether a connection that is given back may be used again. The pool asks it without a limit, and would lose its place for as
/// long as it is silent; asking twice would cost every statement, so it is done only while there is doubt.
pub(super) async fn still_answers(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let doubted = *DOUBTED.lock().unwrap_or_else(PoisonError::into_inner);
    if doubted.is_none_or(|since| since.elapsed() > DOUBT) {
        return Ok(true);
    }
    match tokio::time::timeout(ANSWERS_WITHIN, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

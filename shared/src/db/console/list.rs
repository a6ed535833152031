//! The list of calls, newest first, a page at a time.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Utc};
use sqlx::QueryBuilder;

use super::super::{Db, calls};
use crate::domain::{Call, CallId, CallStatus, Conclusion, Phone, ProviderId};

/// Which calls to list; all of it together.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Of one provider.
    pub provider: Option<ProviderId>,
    /// That came so far.
    pub status: Option<CallStatus>,
    /// With this number on the other side.
    pub phone: Option<Phone>,
    /// Whose first event came at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Whose first event came before this time.
    pub to: Option<DateTime<Utc>>,
    /// Our work on which ended so.
    pub conclusion: Option<Conclusion>,
    /// Those whose recording is stored, or those without one.
    pub recorded: Option<bool>,
    /// Only those with a job that failed for good.
    pub dead: bool,
    /// Behind this one.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: i64,
}

/// A place in the list: `<microseconds since 1970>-<call id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    at: DateTime<Utc>,
    id: CallId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.timestamp_micros(), self.id.0.simple())
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (micros, id) = text.split_once('-')?;
            let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            // PostgreSQL knows no time before 4713 BC.
            let at = Some(at).filter(|at| (0..=9999).contains(&at.year()))?;
            Some(Self { at, id: id.parse().ok()? })
        };
        parse().ok_or("not a cursor of ours")
    }
}

/// One line of the list.
#[derive(Debug, Clone)]
pub struct CallLine {
    /// The call.
    pub call: Call,
    /// Where its recording is in the store.
    pub object_key: Option<String>,
    /// How many of its jobs failed for good.
    pub dead_jobs: i64,
}

impl CallLine {
    /// Its place in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.call.created_at, id: self.call.id }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    call: calls::Row,
    object_key: Option<String>,
    dead_jobs: i64,
}

const LIST: &str = "select id, provider, account, facts, conclusion, created_at,
    coalesce((select r.object_key from recordings r where r.call_id = calls.id),
        (select min(r.object_key) from calls k join recordings r on r.call_id = k.id where k.merged_into = calls.id)) as object_key,
    (select count(*) from jobs j where j.call_id = calls.id and j.state = 'dead') as dead_jobs
    from calls where merged_into is null";

/// The calls that fit, newest first.
///
/// # Errors
/// When the database is away.
pub async fn calls(db: &Db, filter: &CallFilter) -> sqlx::Result<Vec<CallLine>> {
    let rows: Vec<Row> = on!(db, c => {
        let mut query = QueryBuilder::new(LIST);
        if let Some(provider) = &filter.provider {
            query.push(" and provider = ").push_bind(provider.as_str().to_owned());
        }
        if let Some(status) = filter.status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        if let Some(phone) = &filter.phone {
            query.push(" and external_phone = ").push_bind(phone.as_str().to_owned());
        }
        if let Some(from) = filter.from {
            query.push(" and created_at >= ").push_bind(from);
        }
        if let Some(to) = filter.to {
            query.push(" and created_at < ").push_bind(to);
        }
        if let Some(conclusion) = filter.conclusion {
            query.push(" and conclusion = ").push_bind(conclusion.as_str());
        }
        if let Some(recorded) = filter.recorded {
            query.push(if recorded { " and (" } else { " and not (" }).push(
                "exists (select 1 from recordings r where r.call_id = calls.id) or exists (select 1 from calls k
                join recordings r on r.call_id = k.id where k.merged_into = calls.id))",
            );
        }
        if filter.dead {
            query.push(" and id in (select call_id from jobs where state = 'dead')");
        }
        if let Some(Cursor { at, id }) = filter.after {
            query.push(" and (created_at, id) < (").push_bind(at).push(", ").push_bind(id.0).push(")");
        }
        query.push(" order by created_at desc, id desc limit ").push_bind(filter.limit);
        query.build_query_as().fetch_all(c).await
    })?;
    let line =
        |Row { call, object_key, dead_jobs }: Row| Ok(CallLine { call: call.try_into()?, object_key, dead_jobs });
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_cursor_is_read_back_as_it_was_written() {
        let at = "2026-11-20T09:00:00.123456Z".parse().unwrap();
        let cursor = Cursor { at, id: CallId(Uuid::now_v7()) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "-", "12", "12-34", "x-018f", "9999999999999999999-018f"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}

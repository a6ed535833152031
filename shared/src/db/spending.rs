//! The ledger of paid requests, and what each day has cost.

use chrono::NaiveDate;
use sqlx::{FromRow, QueryBuilder};

use super::{Db, PushIds, calls::family, pieces};
use crate::domain::{CallId, Micros, Purchase, Spending};

/// A line to be written: a paid request, or only that less is owed for a day.
#[derive(Debug)]
pub struct Written {
    /// What was paid.
    pub row: Option<Spending>,
    /// The day whose total changes.
    pub day: String,
    /// By how much; less than was reserved, mostly.
    pub owed: Micros,
}

/// What a day, step and model came to.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Sum {
    /// UTC, `2026-11-20`.
    pub day: String,
    /// The step.
    pub step: String,
    /// The model.
    pub model: String,
    /// Paid requests.
    pub requests: i64,
    /// Seconds of audio.
    pub seconds: f64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Millionths of a US dollar, of the requests whose price is known.
    pub micros: Micros,
    /// Requests whose price is not known.
    pub unpriced: i64,
}

impl Sum {
    /// Millionths of a US dollar, where all prices are known.
    pub fn cost(&self) -> Option<Micros> {
        (self.unpriced == 0).then_some(self.micros)
    }
}

/// What several of them came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Paid requests.
    pub requests: i64,
    /// Millionths of a US dollar, of the requests whose price is known.
    pub micros: Micros,
    /// Requests whose price is not known.
    pub unpriced: i64,
}

impl Total {
    /// Of all of these.
    pub fn of(sums: &[Sum]) -> Self {
        sums.iter().fold(Self::default(), |total, sum| Self {
            requests: total.requests + sum.requests,
            micros: total.micros + sum.micros,
            unpriced: total.unpriced + sum.unpriced,
        })
    }
}

/// Sets money aside for that day, unless its total would pass the cap. The first request of a day has to fit, too.
///
/// # Errors
/// When the database is away.
pub async fn reserve(db: &Db, day: &str, micros: Micros, cap: Micros) -> sqlx::Result<bool> {
    if micros > cap {
        return Ok(false);
    }
    let sql = "insert into spent (day, micros) values ($1, $2)
        on conflict (day) do update set micros = spent.micros + $2 where spent.micros + $2 <= $3";
    let changed = on!(db, c => {
        sqlx::query(sql).bind(day).bind(micros).bind(cap).execute(c).await.map(|done| done.rows_affected())
    })?;
    Ok(changed > 0)
}

/// What a day has cost so far, reservations included.
///
/// # Errors
/// When the database is away.
pub async fn spent(db: &Db, day: &str) -> sqlx::Result<Micros> {
    let sql = "select micros from spent where day = $1";
    let micros: Option<Micros> = on!(db, c => sqlx::query_scalar(sql).bind(day).fetch_optional(c).await)?;
    Ok(micros.unwrap_or_default())
}

/// Writes lines of the ledger, in one commit.
///
/// # Errors
/// When the database is away.
pub async fn write(db: &Db, lines: &[Written]) -> sqlx::Result<()> {
    let rows: Vec<_> = lines.iter().filter_map(|line| line.row.as_ref()).collect();
    let mut days = std::collections::BTreeMap::<&str, Micros>::new();
    for line in lines {
        *days.entry(&line.day).or_default() += line.owed;
    }
    let mut tx = db.begin().await?;
    for rows in pieces(&rows) {
        let columns = "id, call_id, step, model, day, seconds, input_tokens, output_tokens, micros, paid_at";
        within!(&mut tx, c => {
            let mut query = QueryBuilder::new(format!("insert into spending ({columns}) "));
            query.push_values(rows, |mut row, spending| {
                let (seconds, input, output) = match spending.bought {
                    Purchase::Audio(seconds) => (Some(seconds), None, None),
                    Purchase::Tokens { input, output } => (None, Some(input), Some(output)),
                };
                row.push_bind(spending.id).push_bind(spending.call_id.0).push_bind(spending.step.as_str());
                row.push_bind(&spending.model).push_bind(spending.day().to_string());
                row.push_bind(seconds).push_bind(input).push_bind(output).push_bind(spending.micros);
                row.push_bind(spending.paid_at);
            });
            query.build().execute(c).await.map(drop)
        })?;
    }
    let owe = "insert into spent (day, micros) values ($1, $2)
        on conflict (day) do update set micros = spent.micros + $2";
    for (day, owed) in days {
        within!(&mut tx, c => sqlx::query(owe).bind(day).bind(owed).execute(c).await.map(drop))?;
    }
    tx.commit().await
}

const SUM: &str = "count(*) as requests, coalesce(sum(seconds), 0.0) as seconds,
    cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens,
    cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens,
    cast(coalesce(sum(micros), 0) as bigint) as micros, count(*) - count(micros) as unpriced";

/// What was paid for one call and for those that were merged into it, by day, step and model.
///
/// # Errors
/// When the database is away.
pub async fn of(db: &Db, call: CallId) -> sqlx::Result<Vec<Sum>> {
    let family = family(db, call).await?;
    on!(db, c => {
        let mut query = QueryBuilder::new("select day, step, model, ");
        query.push(SUM).push(" from spending where call_id").push_ids(&family);
        query.push(" group by day, step, model order by day, step, model").build_query_as().fetch_all(c).await
    })
}

/// What was paid since that day, by day, step and model.
///
/// # Errors
/// When the database is away.
pub async fn since(db: &Db, day: NaiveDate) -> sqlx::Result<Vec<Sum>> {
    let sql = format!(
        "select day, step, model, {SUM} from spending where day >= $1 group by day, step, model order by day, step, model"
    );
    let sql = sqlx::AssertSqlSafe(sql);
    on!(db, c => sqlx::query_as(sql).bind(day.to_string()).fetch_all(c).await)
}

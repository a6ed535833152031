//! `GET /costs`: what speech and models cost.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use chrono::{Days, NaiveDate};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    db::spending::{self, Sum},
    service::{App, problem::Problem},
};

/// So many days before today, unless asked for more.
const DAYS: u64 = 30;

/// What may be asked.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    since: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let today = app.clock.now().date_naive();
    let since = match asked.since {
        None => today.checked_sub_days(Days::new(DAYS)).unwrap_or(today),
        Some(text) => text
            .parse::<NaiveDate>()
            .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "expected a day such as 2026-11-20").field("since"))?,
    };
    let sums = spending::since(&app.db, since).await?;
    Ok(Json(json!({"since": since, "costs": sums.iter().map(view).collect::<Vec<_>>()})))
}

/// A line of the ledger, summed up; `cost` in US dollars, absent where a price is not known.
pub(crate) fn view(sum: &Sum) -> Value {
    let mut view = json!({
        "day": sum.day, "step": sum.step, "model": sum.model, "requests": sum.requests, "cost": sum.dollars(),
    });
    if sum.seconds > 0.0 {
        view["seconds"] = sum.seconds.into();
    } else {
        view["input_tokens"] = sum.input_tokens.into();
        view["output_tokens"] = sum.output_tokens.into();
    }
    view
}

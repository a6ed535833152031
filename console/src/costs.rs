//! `GET /costs`: what speech and models cost.

use axum::{Json, extract::State, http::StatusCode};
use chrono::Days;
use serde::Deserialize;
use shared::{
    db::spending,
    service::{App, problem::Problem},
};
use utoipa::IntoParams;

use crate::{
    question::{Query, is_plausible},
    view::CostPage,
};

/// So many days before today, unless asked for more.
const DAYS: u64 = 30;

/// What may be asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// From this day on (UTC); a month ago where it is not given.
    #[param(value_type = Option<NaiveDate>, example = "2026-11-20")]
    since: Option<String>,
}

/// What speech and models cost, by day, step and model
#[utoipa::path(get, path = "/costs", tag = "costs", params(Asked), responses(
    (status = 200, description = "what was paid", body = CostPage),
    (status = 400, description = "a parameter makes no sense; `field` names it"),
))]
pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<CostPage>, Problem> {
    let today = app.clock.now().date_naive();
    let since =
        match asked.since {
            None => today.checked_sub_days(Days::new(DAYS)).unwrap_or(today),
            Some(text) => text.parse().ok().filter(is_plausible).ok_or_else(|| {
                Problem::new(StatusCode::BAD_REQUEST, "expected a day such as 2026-11-20").field("since")
            })?,
        };
    let sums = spending::since(&app.db, since).await?;
    Ok(Json(CostPage::new(since, sums)))
}

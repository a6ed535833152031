//! `GET /calls` and `GET /calls/{id}`.

use std::str::FromStr;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use shared::{
    db::console::{self, CallFilter},
    domain::{Phone, ProviderId},
    service::{App, problem::Problem},
};

use crate::view;

/// A page, unless asked for more or fewer.
const PAGE: i64 = 50;
/// The largest page.
const LARGEST: i64 = 500;

/// What may be asked of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    provider: Option<String>,
    status: Option<String>,
    phone: Option<String>,
    from: Option<String>,
    to: Option<String>,
    conclusion: Option<String>,
    dead: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<view::CallPage>, Problem> {
    let filter = asked.filter()?;
    let lines = console::calls(&app.db, &filter).await?;
    Ok(Json(view::CallPage::new(lines, filter.limit)))
}

pub(crate) async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<view::CallDetail>, Problem> {
    let call = find(&app, &id).await?;
    Ok(Json(view::CallDetail::load(&app, call).await?))
}

/// The call of that name: ours or the provider's.
pub(crate) async fn find(app: &App, id: &str) -> Result<shared::domain::Call, Problem> {
    let providers: Vec<_> = app.providers.iter().map(|provider| provider.id()).collect();
    let call = console::find(&app.db, &providers, id).await?;
    call.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such call"))
}

impl Asked {
    fn filter(self) -> Result<CallFilter, Problem> {
        Ok(CallFilter {
            provider: self.provider.map(ProviderId::from),
            status: named("status", self.status, "in-progress, completed, missed or failed")?,
            phone: self.phone.map(phone).transpose()?,
            from: self.from.map(|text| time("from", &text)).transpose()?,
            to: self.to.map(|text| time("to", &text)).transpose()?,
            conclusion: named(
                "conclusion",
                self.conclusion,
                "analyzed, not-recorded, no-speech, too-short or voicemail",
            )?,
            dead: parsed("dead", self.dead.as_deref(), false, "true or false")?,
            after: self.cursor.map(|text| text.parse().map_err(|why| bad("cursor", why))).transpose()?,
            limit: limit(self.limit.as_deref())?,
        })
    }
}

/// How many, `PAGE` by default.
pub(crate) fn limit(text: Option<&str>) -> Result<i64, Problem> {
    Ok(parsed("limit", text, PAGE, "a number")?.clamp(1, LARGEST))
}

fn parsed<T: FromStr>(field: &str, text: Option<&str>, default: T, expected: &str) -> Result<T, Problem> {
    text.map_or(Ok(default), |text| text.parse().map_err(|_| bad(field, &format!("expected {expected}"))))
}

/// One of the names that a type has in the database.
fn named<T: DeserializeOwned>(field: &str, text: Option<String>, expected: &str) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_value(text.into()).map(Some).map_err(|_| bad(field, &format!("expected {expected}")))
}

fn phone(text: String) -> Result<Phone, Problem> {
    // A `+` that was not encoded in the query arrives as a blank.
    Phone::parse(&text).ok_or_else(|| bad("phone", "not a phone number"))
}

/// A time, or the beginning of a day in UTC.
fn time(field: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = text.parse().or_else(|_| day());
    time.map_err(|_| bad(field, "expected a time like 2026-11-20T09:00:00Z or a day like 2026-11-20"))
}

fn bad(field: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail).field(field)
}

//! `GET /calls`, `GET /calls/{id}`, `GET /conversations/{id}` and `POST /calls/{id}/reanalyze`.

use std::str::FromStr;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    db::{
        self,
        console::{self, CallFilter},
    },
    domain::{Call, CallId, CallStatus, Conclusion, Phone, ProviderId},
    naming::{self, Named},
    reanalyze,
    service::{App, problem::Problem},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    question::{Name, Query, is_plausible},
    view,
};

/// A page, unless asked for more or fewer.
const PAGE: i64 = 50;
/// The largest page.
const LARGEST: i64 = 500;

/// What may be asked of the list; all of it together.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Of one provider.
    #[param(example = "cloudtalk")]
    provider: Option<String>,
    /// That came so far.
    #[param(value_type = Option<CallStatus>)]
    status: Option<String>,
    /// With this number on the other side; digits with the country code, punctuation does not matter.
    #[param(example = "+393501234567")]
    phone: Option<String>,
    /// First heard of at this time or later; a time, or the beginning of a day in UTC.
    #[param(example = "2026-11-20T09:00:00Z")]
    from: Option<String>,
    /// First heard of before this time.
    #[param(example = "2026-11-21")]
    to: Option<String>,
    /// Our work on which ended so.
    #[param(value_type = Option<Conclusion>)]
    conclusion: Option<String>,
    /// With a stored recording, or without one.
    #[param(value_type = Option<bool>)]
    recorded: Option<String>,
    /// `true`: only those with a job that failed for good.
    #[param(value_type = Option<bool>)]
    dead: Option<String>,
    /// `next_cursor` of the page before. Calls that come in meanwhile do not move the pages.
    cursor: Option<String>,
    /// At most so many.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// Calls, newest first, a page at a time
#[utoipa::path(get, path = "/calls", tag = "calls", params(Asked), responses(
    (status = 200, description = "a page", body = view::CallPage),
    (status = 400, description = "a parameter makes no sense; `field` names it"),
))]
pub(crate) async fn list(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<view::CallPage>, Problem> {
    let asked = asked.filter()?;
    let limit = usize::try_from(asked.limit).unwrap_or_default();
    let lines = console::calls(&app.db, &CallFilter { limit: asked.limit + 1, ..asked }).await?;
    Ok(Json(view::CallPage::load(&app, lines, limit).await))
}

/// All that is known of a call, and how far each step is
#[utoipa::path(get, path = "/calls/{id}", tag = "calls",
    params(("id" = String, Path, description = "the provider's id of the call (`cloudtalk:1042600731`, where several have it), or ours", example = "1042600731")),
    responses(
        (status = 200, description = "the call", body = view::CallDetail),
        (status = 404, description = "no such call"),
        (status = 409, description = "several calls have this name; `candidates` has one of each"),
    ))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name) -> Result<Json<view::CallDetail>, Problem> {
    let call = find(&app, &id).await?;
    Ok(Json(view::CallDetail::load(&app, call).await?))
}

/// What was said in a call
#[utoipa::path(get, path = "/conversations/{id}", tag = "calls",
    params(("id" = String, Path, description = "any name of the conversation: its provider's, the chat's, the call's, or ours",
        example = "conv_7301kx")),
    responses(
        (status = 200, description = "the conversation", body = view::Conversation),
        (status = 404, description = "no such conversation"),
        (status = 409, description = "several calls have this name; `candidates` has one of each"),
    ))]
pub(crate) async fn conversation(State(app): State<App>, Name(id): Name) -> Result<Json<view::Conversation>, Problem> {
    let call = find(&app, &id).await?;
    Ok(Json(view::Conversation::load(&app, call).await?))
}

/// Whose feedback is made anew.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reanalyzing {
    /// Our id of the call.
    reanalyzing: CallId,
}

/// Have feedback made anew
///
/// From the transcript that is there, with the workers' model, prompt and scorecard of now. The call keeps what it has until then.
#[utoipa::path(post, path = "/calls/{id}/reanalyze", tag = "calls",
    params(("id" = String, Path, description = "the provider's id of the call (`cloudtalk:1042600731`, where several have it), or ours", example = "1042600731")),
    responses(
        (status = 202, description = "its feedback is due", body = Reanalyzing),
        (status = 404, description = "no such call"),
        (status = 409, description = "the call has no transcript; or several calls have this name, and `candidates` has one of each"),
    ))]
pub(crate) async fn reanalyze(
    State(app): State<App>,
    Name(id): Name,
) -> Result<(StatusCode, Json<Reanalyzing>), Problem> {
    let call = find(&app, &id).await?;
    if db::transcripts::find(&app.db, call.id).await?.is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, "the call has no transcript to make feedback from"));
    }
    match reanalyze::reanalyze(&app.db, &app.queue, &app.clock, &[call.id]).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(Reanalyzing { reanalyzing: call.id }))),
        Err(error) => {
            tracing::error!("{error:#}");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database is out of reach").retry_after(5))
        }
    }
}

/// The call of that name.
pub(crate) async fn find(app: &App, name: &str) -> Result<Call, Problem> {
    match naming::find(&app.db, name).await? {
        Named::One(call) => Ok(*call),
        Named::Nobody => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such call")),
        Named::Several(candidates) => {
            let detail = "several calls have this name; `candidates` has one of each";
            Err(Problem::new(StatusCode::CONFLICT, detail).candidates(candidates))
        }
    }
}

/// Reads a query string: with what is accepted, the database can be asked.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(uri: &axum::http::Uri) {
    let Ok(asked) = crate::question::read::<Asked>(uri) else { return };
    let Ok(filter) = asked.filter() else { return };
    assert!((1..=LARGEST).contains(&filter.limit), "{}", filter.limit);
    assert!([filter.from, filter.to].iter().flatten().all(is_plausible), "{:?} {:?}", filter.from, filter.to);
    assert!(filter.provider.is_none_or(|provider| !provider.as_str().contains('\0')));
    if let Some(cursor) = filter.after {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
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
                "analyzed, not-recorded, recording-missing, no-speech, too-short, voicemail or not-analyzed",
            )?,
            recorded: self.recorded.map(|text| parsed("recorded", Some(&text), false, "true or false")).transpose()?,
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
    let time: Option<DateTime<Utc>> = text.parse().or_else(|_| day()).ok();
    time.filter(is_plausible)
        .ok_or_else(|| bad(field, "expected a time like 2026-11-20T09:00:00Z or a day like 2026-11-20"))
}

fn bad(field: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail).field(field)
}

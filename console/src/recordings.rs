//! `POST /api/chats/poll-recordings`: looks at once, and says for each call without a recording what came of it.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use shared::{
    db::{
        self,
        console::{Unrecorded, unrecorded},
    },
    domain::{Call, CallId, Event, EventId, EventKind, NewEvent, NewJob, Step, Wake},
    providers::{Polling, Provider},
    service::{App, problem::Problem},
};
use utoipa::ToSchema;

/// Calls that are older are not looked at.
const AGE: TimeDelta = TimeDelta::days(7);
/// Calls that are looked at: the newest.
const LIMIT: i64 = 200;
/// Calls that are looked at at once.
const AT_ONCE: usize = 8;
/// What was found is waited for so long.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks whether it is there.
const LOOK: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Polled {
    /// Recordings that were stored meanwhile.
    processed: usize,
    details: Vec<Detail>,
}

/// What came of one call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolledCall)]
struct Detail {
    /// The name that the call was started with; ours where it has none.
    #[schema(example = "lead-77")]
    chat_id: String,
    /// Our id of the call.
    call_id: CallId,
    #[schema(example = "CA00000000000000000000000000000001")]
    call_sid: String,
    status: Status,
    /// Whether it is worth while to wait for it.
    #[serde(skip)]
    is_complete: bool,
}

/// What a carrier has of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A recording that it is making.
    Coming,
    /// A recording.
    Complete,
    /// It could not be asked.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolledStatus)]
enum Status {
    /// The carrier has none.
    NoRecordings,
    /// The carrier could not be asked.
    TwilioError,
    /// There is one; it is being fetched, or not complete yet.
    Pending,
    /// It is stored.
    Uploaded,
}

/// Look at once for recordings that are missing
///
/// Asks the carrier about each call of the last week without a recording, 200 at most and the newest first, and waits up to 15
/// seconds for what it finds.
#[utoipa::path(post, path = "/api/chats/poll-recordings", tag = "calls", responses(
    (status = 200, description = "what came of it", body = Polled),
))]
pub(crate) async fn poll(State(app): State<App>) -> Result<Json<Polled>, Problem> {
    let calls = unrecorded(&app.db, app.clock.now() - AGE, LIMIT).await?;
    let looks = stream::iter(calls).map(|call| detail(&app, call)).buffered(AT_ONCE);
    let mut details: Vec<Detail> = looks.try_collect().await?;
    rounds(&app).await?;
    wait(&app, &mut details).await?;
    let processed = details.iter().filter(|detail| detail.status == Status::Uploaded).count();
    Ok(Json(Polled { processed, details }))
}

async fn detail(app: &App, unrecorded: Unrecorded) -> Result<Detail, Problem> {
    let Unrecorded { call: call_id, call_sid } = unrecorded;
    let call = db::calls::find(&app.db, call_id).await?;
    let found = match &call {
        Some(call) => look(app, call).await?,
        None => Found::Nothing,
    };
    let status = match found {
        Found::Nothing => Status::NoRecordings,
        Found::Coming | Found::Complete => Status::Pending,
        Found::Unknown => Status::TwilioError,
    };
    let named = call.as_ref().and_then(|call| call.facts.key("chat_id"));
    let chat_id = named.map_or_else(|| call_id.to_string(), str::to_owned);
    Ok(Detail { chat_id, call_id, call_sid, status, is_complete: found == Found::Complete })
}

/// Asks whoever may have carried the call, until one has a recording of it.
async fn look(app: &App, call: &Call) -> Result<Found, Problem> {
    let mut best = Found::Nothing;
    for carrier in carriers(app, call) {
        let found = match carrier.lookup(call).await {
            Ok(said) => learn(app, call, carrier.as_ref(), said).await?,
            Err(error) => {
                tracing::warn!(call.id = %call.id, reason = %error.reason, error = format!("{:#}", error.source), "cannot look for a recording");
                Found::Unknown
            }
        };
        match found {
            Found::Coming | Found::Complete => return Ok(found),
            Found::Unknown => best = found,
            Found::Nothing => {}
        }
    }
    Ok(best)
}

/// The call's own provider where it carries calls, else all that do: which of them it was nobody may have said yet.
fn carriers<'a>(app: &'a App, call: &Call) -> Vec<&'a Arc<dyn Provider>> {
    let own = app.providers.get(&call.provider).filter(|provider| provider.is_carrier());
    let all = || app.providers.iter().filter(|provider| provider.is_carrier()).collect();
    own.map_or_else(all, |own| vec![own])
}

/// Keeps what the carrier says.
async fn learn(app: &App, call: &Call, carrier: &dyn Provider, said: Vec<NewEvent>) -> Result<Found, Problem> {
    let now = app.clock.now();
    let (complete, rest): (Vec<_>, Vec<_>) =
        said.into_iter().partition(|event| event.kind == EventKind::RecordingAvailable);
    let known = call.facts.recording_announced || !complete.is_empty();
    let coming = rest.iter().any(|event| is_coming(carrier, event, now));
    db::events::learn(&app.db, rest, None, now).await?;
    let new = db::events::learn(&app.db, complete, None, now).await?;
    if known && new == 0 {
        // What is new is tied to its call first; then it makes the same due.
        add(app, NewJob::step(Step::Fetch, call.id, Wake::Yes)).await?;
    }
    Ok(match (known, coming) {
        (true, _) => Found::Complete,
        (false, true) => Found::Coming,
        (false, false) => Found::Nothing,
    })
}

/// Whether it tells of a recording that is not complete yet.
fn is_coming(carrier: &dyn Provider, new: &NewEvent, now: DateTime<Utc>) -> bool {
    let NewEvent { provider, account, kind, dedupe_key, body } = new.clone();
    let event = Event { id: EventId::new(), provider, account, kind, dedupe_key, body, received_at: now };
    let facts = carrier.facts(&event).unwrap_or_default();
    facts.key("recording_sid").is_some() && facts.recorded.is_none()
}

/// Has the providers asked for what we have never heard of, too.
async fn rounds(app: &App) -> Result<(), Problem> {
    for provider in app.providers.iter().filter(|provider| matches!(provider.polling(), Polling::Every(_))) {
        add(app, NewJob::poll(&provider.id())).await?;
    }
    Ok(())
}

async fn add(app: &App, job: NewJob) -> sqlx::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    db::jobs::add(&mut tx, &[(job, None)], now, now).await?;
    tx.commit().await
}

/// Until everything that was found is stored, within reason.
async fn wait(app: &App, details: &mut [Detail]) -> Result<(), Problem> {
    let looks = PATIENCE.as_millis() / LOOK.as_millis();
    let expected = |detail: &Detail| detail.is_complete && detail.status == Status::Pending;
    for _ in 0..looks {
        for detail in details.iter_mut().filter(|detail| expected(detail)) {
            if db::recordings::find(&app.db, detail.call_id).await?.is_some() {
                detail.status = Status::Uploaded;
            }
        }
        if !details.iter().any(expected) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

//! `POST /api/chats/poll-recordings`: looks at once, and says for each call without a recording what came of it.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use chrono::TimeDelta;
use serde::Serialize;
use shared::{
    db::{
        self,
        console::{Unrecorded, unrecorded},
    },
    domain::{Call, CallId, EventKind, NewJob, Step, Wake},
    providers::{Polling, Provider},
    service::{App, problem::Problem},
};
use utoipa::ToSchema;

/// Calls that are older are not looked at.
const AGE: TimeDelta = TimeDelta::days(7);
/// Calls that are looked at.
const LIMIT: i64 = 50;
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
    /// Our id of the call.
    chat_id: CallId,
    #[schema(example = "CA00000000000000000000000000000001")]
    call_sid: String,
    status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PolledStatus)]
enum Status {
    /// The provider has none.
    NoRecordings,
    /// The provider could not be asked.
    TwilioError,
    /// There is one; it is being fetched.
    Pending,
    /// It is stored.
    Uploaded,
}

/// Look at once for recordings that are missing
///
/// Asks the carrier about each call of the last week without a recording, and waits up to 15 seconds for what it finds.
#[utoipa::path(post, path = "/api/chats/poll-recordings", tag = "calls", responses(
    (status = 200, description = "what came of it", body = Polled),
))]
pub(crate) async fn poll(State(app): State<App>) -> Result<Json<Polled>, Problem> {
    let now = app.clock.now();
    let mut details = Vec::new();
    for Unrecorded { call, call_sid } in unrecorded(&app.db, now - AGE, LIMIT).await? {
        let status = match db::calls::find(&app.db, call).await? {
            Some(call) => look(&app, &call).await?,
            None => Status::NoRecordings,
        };
        details.push(Detail { chat_id: call, call_sid, status });
    }
    rounds(&app).await?;
    wait(&app, &mut details).await?;
    let processed = details.iter().filter(|detail| detail.status == Status::Uploaded).count();
    Ok(Json(Polled { processed, details }))
}

/// Asks the provider that has the recordings of the call.
async fn look(app: &App, call: &Call) -> Result<Status, Problem> {
    let Some(provider) = carrier(app, call) else { return Ok(Status::NoRecordings) };
    let said = match provider.lookup(call).await {
        Ok(said) => said,
        Err(error) => {
            tracing::warn!(call.id = %call.id, reason = %error.reason, error = format!("{:#}", error.source), "cannot look for a recording");
            return Ok(Status::TwilioError);
        }
    };
    let found = call.facts.recording_announced || said.iter().any(|event| event.kind == EventKind::RecordingAvailable);
    db::events::learn(&app.db, said, None, app.clock.now()).await?;
    if found && provider.id() == call.provider {
        add(app, NewJob::step(Step::Fetch, call.id, Wake::Yes)).await?;
    }
    Ok(if found { Status::Pending } else { Status::NoRecordings })
}

/// The call's own provider where it can be asked for recordings, else the one that can.
fn carrier<'a>(app: &'a App, call: &Call) -> Option<&'a Arc<dyn Provider>> {
    let own = app.providers.get(&call.provider).into_iter();
    own.chain(app.providers.iter()).find(|provider| provider.polling() != Polling::No)
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
    for _ in 0..looks {
        for detail in details.iter_mut().filter(|detail| detail.status == Status::Pending) {
            if db::recordings::find(&app.db, detail.chat_id).await?.is_some() {
                detail.status = Status::Uploaded;
            }
        }
        if !details.iter().any(|detail| detail.status == Status::Pending) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

//! Calls with ElevenLabs' agents: `POST /api/calls` starts one or makes one known that was started elsewhere, also where there
//! is only its carrier, `POST /elevenlabs/conversation/{id}/process` fetches one.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    budgets::Wait,
    db::{
        self,
        events::{Incoming, Recorded},
    },
    domain::{Call, CallId, EventId, NewEvent, NewJob, Phone, ProviderId, Step, Wake},
    http::{ClientError, ErrorKind},
    providers::{
        StartedCall,
        elevenlabs::{self, Api, Order},
        is_chat_id,
    },
    service::{App, problem::Problem},
    sources::Unusable,
    tying,
};
use utoipa::ToSchema;

use crate::question::{Body, Name};

const NAME: ProviderId = ProviderId::new("elevenlabs");
/// Used where an order does not say which.
const AGENT: &str = "ELEVENLABS_AGENT_ID";
const NUMBER: &str = "ELEVENLABS_AGENT_PHONE_NUMBER_ID";

/// What the routes work with.
#[derive(Clone)]
pub(crate) struct Desk {
    app: App,
    api: Option<Api>,
}

/// With `to_number` alone a call is started; with `call_sid` or `conversation_id` one that was started elsewhere is made known.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallOrder, example = json!({"to_number": "+393501234567", "chat_id": "lead-77", "dynamic_variables": {"name": "Mario"}}))]
pub(crate) struct Asked {
    to_number: Option<String>,
    /// `ELEVENLABS_AGENT_ID` where it is not given.
    agent_id: Option<String>,
    /// `ELEVENLABS_AGENT_PHONE_NUMBER_ID` where it is not given.
    agent_phone_number_id: Option<String>,
    /// A name for the call, which comes back with its webhooks; made up where it is not given.
    chat_id: Option<String>,
    /// Texts, numbers and switches that the agent is given.
    #[serde(default)]
    #[schema(value_type = Object)]
    dynamic_variables: Map<String, Value>,
    call_sid: Option<String>,
    conversation_id: Option<String>,
    /// Has the carrier record a call that was started elsewhere, by its `call_sid`.
    #[serde(default)]
    record: bool,
}

/// The call, by all its names.
#[derive(Serialize, ToSchema)]
#[schema(as = KnownCall)]
pub(crate) struct Known {
    /// `started` here, or `registered`: started elsewhere.
    #[schema(example = "started")]
    status: &'static str,
    call_id: CallId,
    chat_id: Option<String>,
    conversation_id: Option<String>,
    call_sid: Option<String>,
}

/// What came of a conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = ProcessedConversation)]
pub(crate) struct Processed {
    /// `accepted`, or `duplicate`: known already.
    #[schema(example = "accepted")]
    status: &'static str,
    call_id: CallId,
    conversation_id: String,
}

impl Desk {
    /// Settings that cannot be used were refused at the start.
    pub(crate) fn new(app: &App) -> Self {
        let api = Api::from_env(&app.env, &app.outside).ok().flatten();
        Self { app: app.clone(), api }
    }

    fn api(&self) -> Result<&Api, Problem> {
        let unset = || Problem::new(StatusCode::NOT_IMPLEMENTED, "ELEVENLABS_API_KEY is not set");
        self.api.as_ref().filter(|_| self.app.providers.get(&NAME).is_some()).ok_or_else(unset)
    }
}

/// Start a call with an ElevenLabs agent, or make one known
#[utoipa::path(post, path = "/api/calls", tag = "agents", request_body = Asked, responses(
    (status = 201, description = "the call is known", body = Known),
    (status = 400, description = "not JSON of that form"),
    (status = 422, description = "understood but unusable; `field` names what"),
    (status = 501, description = "ElevenLabs is not set up, nor a carrier for a call that was started elsewhere; or none that can record"),
    (status = 502, description = "ElevenLabs refused or did not answer; `detail` says whether the call may ring all the same"),
))]
pub(crate) async fn call(State(desk): State<Desk>, Body(body): Body) -> Result<(StatusCode, Json<Known>), Problem> {
    let asked: Asked = serde_json::from_slice(&body).map_err(|_| {
        let expected = "expected {to_number, chat_id, …} or {call_sid or conversation_id, chat_id, …} as JSON";
        Problem::new(StatusCode::BAD_REQUEST, expected)
    })?;
    // What links a call to its chat must not be lost once it rings.
    if asked.chat_id.as_ref().is_some_and(|chat| !is_chat_id(chat)) {
        return Err(unusable(
            "chat_id",
            "1 to 128 characters, none of them a control character, and no blanks around them",
        ));
    }
    let elsewhere = asked.call_sid.is_some() || asked.conversation_id.is_some();
    let (call, started, status) = if elsewhere {
        let (call, started) = register(&desk.app, asked).await?;
        (call, started, "registered")
    } else {
        let (call, started) = start(&desk, asked).await?;
        (call, started, "started")
    };
    let StartedCall { conversation_id, call_sid, chat_id, .. } = started;
    Ok((StatusCode::CREATED, Json(Known { status, call_id: call.id, chat_id, conversation_id, call_sid })))
}

async fn start(desk: &Desk, asked: Asked) -> Result<(Call, StartedCall), Problem> {
    let (api, order) = (desk.api()?, asked.order(&desk.app)?);
    // Nobody is rung up whose call cannot be written down.
    desk.app.db.ping().await?;
    let started = api.call(&order).await.map_err(unstarted)?;
    let event = elevenlabs::started(&started, desk.app.clock.now()).map_err(|_| unwritten())?;
    let (call, _) = known(&desk.app, event).await.map_err(|_| unwritten())?;
    Ok((call, started))
}

async fn register(app: &App, asked: Asked) -> Result<(Call, StartedCall), Problem> {
    let record = asked.record;
    if record && asked.call_sid.is_none() {
        return Err(unusable("call_sid", "missing: what is recorded is the telephone call"));
    }
    if record && !app.providers.iter().any(|provider| provider.records_live()) {
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "nobody is set up who can record a live call"));
    }
    let started = asked.registered()?;
    let (call, _) = known(app, registered(app, &started)?).await?;
    if record {
        due(app, NewJob::step(Step::Record, call.id, Wake::No)).await?;
    }
    Ok((call, started))
}

/// The event of the agents' provider or, where that is not set up, of the carrier whose call it may be.
fn registered(app: &App, started: &StartedCall) -> Result<NewEvent, Problem> {
    let carriers = app.providers.iter().filter(|provider| provider.is_carrier());
    let mut refused = None;
    for provider in app.providers.get(&NAME).into_iter().chain(carriers) {
        match provider.registered(started, app.clock.now()) {
            Ok(event) => return Ok(event),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(match refused {
        Some(Unusable::Field { field, detail }) => unusable(&field, &detail),
        Some(_) => unusable("call_sid", "not an id"),
        None => Problem::new(StatusCode::NOT_IMPLEMENTED, "neither ElevenLabs nor a carrier of calls is set up"),
    })
}

/// Fetch one conversation, as if its webhook came now
#[utoipa::path(post, path = "/elevenlabs/conversation/{id}/process", tag = "agents",
    params(("id" = String, Path, description = "ElevenLabs' conversation id", example = "conv_7301kx")),
    responses(
        (status = 200, description = "recorded; what is missing of its recording is fetched", body = Processed),
        (status = 404, description = "ElevenLabs does not know it"),
        (status = 409, description = "it is not over, or still being processed there"),
        (status = 501, description = "ElevenLabs is not set up"),
        (status = 502, description = "ElevenLabs refused or did not answer"),
    ))]
pub(crate) async fn process(State(desk): State<Desk>, Name(id): Name) -> Result<Json<Processed>, Problem> {
    let conversation = desk.api()?.conversation(&id).await.map_err(unanswered)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "ElevenLabs does not know this conversation");
    let conversation = conversation.ok_or_else(unknown)?;
    let unfinished = || Problem::new(StatusCode::CONFLICT, "the conversation is not over, or is still being processed");
    let event = elevenlabs::event_of(&conversation).ok_or_else(unfinished)?;
    let (call, recorded) = known(&desk.app, event).await?;
    let missing = db::recordings::find(&desk.app.db, call.id).await?.is_none();
    if recorded == Recorded::Duplicate && missing && conversation["has_audio"] != false {
        due(&desk.app, NewJob::step(Step::Fetch, call.id, Wake::Yes)).await?;
    }
    let status = if recorded == Recorded::New { "accepted" } else { "duplicate" };
    Ok(Json(Processed { status, call_id: call.id, conversation_id: id }))
}

impl Asked {
    fn phone(&self) -> Result<Option<Phone>, Problem> {
        let read = |text: &String| Phone::parse(text).ok_or_else(|| unusable("to_number", "not a phone number"));
        self.to_number.as_ref().map(read).transpose()
    }

    fn registered(self) -> Result<StartedCall, Problem> {
        let called_number = self.phone()?;
        let Self { call_sid, conversation_id, chat_id, agent_id, .. } = self;
        Ok(StartedCall { conversation_id, call_sid, chat_id, called_number, agent_id })
    }

    fn order(self, app: &App) -> Result<Order, Problem> {
        let to = self.phone()?.ok_or_else(|| unusable("to_number", "missing"))?;
        let set = |name: &str| app.env.var(name).map(str::to_owned);
        let reserved = |(name, value): (&String, &Value)| {
            name.starts_with("system__") || !(value.is_string() || value.is_number() || value.is_boolean())
        };
        if self.dynamic_variables.iter().any(reserved) {
            let detail = "values are texts, numbers and switches; names do not begin with system__";
            return Err(unusable("dynamic_variables", detail));
        }
        let missing = |field: &'static str, name: &str| unusable(field, &format!("missing, and {name} is not set"));
        Ok(Order {
            agent_id: self.agent_id.or_else(|| set(AGENT)).ok_or_else(|| missing("agent_id", AGENT))?,
            agent_phone_number_id: self
                .agent_phone_number_id
                .or_else(|| set(NUMBER))
                .ok_or_else(|| missing("agent_phone_number_id", NUMBER))?,
            to,
            chat_id: self.chat_id.unwrap_or_else(|| EventId::new().to_string()),
            variables: self.dynamic_variables,
        })
    }
}

/// Records an event and ties it to its call at once, so that the answer can name it. Its intake finds all done.
async fn known(app: &App, new: NewEvent) -> Result<(Call, Recorded), Problem> {
    let off = || Problem::new(StatusCode::NOT_IMPLEMENTED, format!("{} is not set up", new.provider));
    let provider = app.providers.get(&new.provider).ok_or_else(off)?;
    let (id, now) = (EventId::new(), app.clock.now());
    let (account, key) = (new.account.clone(), new.dedupe_key.clone());
    let incoming = Incoming { id, event: new, traceparent: None };
    let recorded = db::events::record(&app.db, &[incoming], now, now).await?.first().copied();
    let recorded = recorded.unwrap_or(Recorded::Duplicate);
    let event = db::events::find_by_dedupe_key(&app.db, &provider.id(), &account, &key).await?;
    let event = event.ok_or(sqlx::Error::RowNotFound)?;
    let facts = provider.facts(&event).map_err(|_| unusable("conversation_id", "not a conversation's"))?;
    Ok((tying::tie(&app.db, &app.providers, &event, &facts, now).await?, recorded))
}

async fn due(app: &App, job: NewJob) -> sqlx::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    db::jobs::add(&mut tx, &[(job, None)], now, now).await?;
    tx.commit().await
}

fn unusable(field: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).field(field)
}

/// An order must not be repeated lightly: what became of it is not always known.
fn unstarted(error: ClientError) -> Problem {
    match error.kind {
        ErrorKind::Unreachable | ErrorKind::Broken => {
            let detail = format!("{error}; whether the call was started is not known");
            Problem::new(StatusCode::BAD_GATEWAY, detail)
        }
        _ => unanswered(error),
    }
}

/// Somebody's phone rings: whoever ordered that must not be told to try again.
fn unwritten() -> Problem {
    let detail = "the call was started, but could not be written down; its webhooks make it known";
    Problem::new(StatusCode::BAD_GATEWAY, detail)
}

fn unanswered(error: ClientError) -> Problem {
    match error.kind {
        ErrorKind::HeldBack(Wait { time: after, .. }) | ErrorKind::RateLimited { after } => {
            let seconds = u32::try_from(after.as_secs()).unwrap_or(u32::MAX).max(1);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(seconds)
        }
        _ => Problem::new(StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

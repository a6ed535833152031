//! Calls up people the moment they become contacts, through an agent who is there.
//!
//! CloudTalk gives a call that it is asked for no name, and would start it again (facts: telephony §1.4). So it is written
//! down who is called before it is asked ([`db::dials`]): whatever is lost in between, nobody is called twice.
//!
//! - `hours`: when people may be called.

mod hours;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

pub use hours::Hours;

use crate::{
    clock::Clock,
    db::{self, Db, dials::Reserved},
    domain::{Event, EventKind, NewJob, Phone, StepError, VerdictExt},
    env::{Env, EnvError},
    fresh::Fresh,
    http::{ClientError, ErrorKind, Outside},
    mirror::{Change, Side, Who},
    providers::cloudtalk::{Agent, Api, Dialled},
    sources::{Unusable, fields::Fields},
};

const SWITCH: &str = "DIAL_NEW_CONTACTS";
const PATIENCE: &str = "DIAL_PATIENCE_MINUTES";
const AGENTS: &str = "DIAL_AGENTS";

/// Between two looks at who is there: a look is one of the 60 requests per minute that CloudTalk allows.
const LOOK: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(120));

/// What agents do is known for so long: newcomers who come together share a look. One who was taken meanwhile is passed over.
const FRESH: Duration = Duration::from_secs(5);

/// Whoever was made a contact longer before the event is not new: workflows can be pointed at any route.
const NEW: TimeDelta = TimeDelta::hours(1);
/// When they were made one.
const CREATED: &[&str] = &["dateadded", "datecreated", "createdat", "contactdateadded", "contactdatecreated"];

/// What our own contacts have as their source in the CRM.
const CREATED_BY_US: &str = "Tapedeck";

/// Whether new contacts are called up.
#[derive(Debug, Clone, Copy)]
pub struct Dials(bool);

impl Dials {
    /// As `DIAL_NEW_CONTACTS` says.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn from_env(env: &Env) -> Result<Self, EnvError> {
        env.flag(SWITCH, false).map(Self)
    }

    /// What is due when a contact is new: calling them, if that is switched on.
    pub fn due(self, event: &Event) -> Option<NewJob> {
        let new = event.kind == EventKind::NewContact && event.provider.as_str() == Side::GoHighLevel.as_str();
        (self.0 && new).then(|| NewJob::dial(event.id))
    }
}

/// Somebody to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// The CRM's id of the contact.
    pub contact: String,
    /// Their number.
    pub phone: Phone,
    /// When they became one.
    pub since: DateTime<Utc>,
}

impl Newcomer {
    /// Whom an event is about; `Err` says why they are not to be called. Times without a zone are of this one.
    ///
    /// # Errors
    /// [`Unusable`], when the body cannot be understood after all.
    pub fn of(event: &Event, zone: Tz) -> Result<Result<Self, &'static str>, Unusable> {
        let fields = Fields::parse(&event.body)?;
        let Some(Who { id, phone, .. }) = Change::of(event)?.map(|change| change.who) else {
            return Ok(Err("not-about-a-contact"));
        };
        if fields.flag(&["dnd"]) == Some(true) {
            return Ok(Err("do-not-disturb"));
        }
        // Who became a contact because they had a call, or came from CloudTalk, is no news to the agents.
        if fields.text(&["source", "contactsource"]).as_deref() == Some(CREATED_BY_US) {
            return Ok(Err("created-by-us"));
        }
        if fields.time_in(CREATED, &zone).is_some_and(|created| created < event.received_at - NEW) {
            return Ok(Err("not-new"));
        }
        let Some(phone) = phone else { return Ok(Err("no-number")) };
        let contact = id.unwrap_or_else(|| phone.as_str().to_owned());
        Ok(Ok(Self { contact, phone, since: event.received_at }))
    }
}

/// How it went, when it went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An agent's phone rings.
    Rings,
    /// They are not called, for this reason.
    Not(&'static str),
}

/// Calls people up. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    api: Api,
    db: Db,
    clock: Clock,
    hours: Hours,
    patience: TimeDelta,
    known: Arc<Fresh<Vec<Agent>>>,
    /// Ids and e-mail addresses of those who may be rung; all where empty.
    agents: Vec<String>,
}

impl Dialer {
    /// `None` unless `DIAL_NEW_CONTACTS` is on.
    ///
    /// # Errors
    /// When it is on without CloudTalk's API, or a setting cannot be used.
    pub fn from_env(env: &Env, outside: &Outside, db: &Db) -> anyhow::Result<Option<Self>> {
        if !env.flag(SWITCH, false)? {
            return Ok(None);
        }
        let api = Api::from_env(env, outside)?.with_context(|| format!("{SWITCH}=on needs CLOUDTALK_API_KEY_ID"))?;
        let minutes: u32 = env.parsed(PATIENCE, 15)?;
        let (hours, agents) = (Hours::from_env(env)?, env.list(AGENTS));
        let (db, clock, patience) = (db.clone(), outside.clock.clone(), TimeDelta::minutes(minutes.into()));
        let known = Arc::new(Fresh::new(FRESH));
        Ok(Some(Self { api, db, clock, hours, patience, known, agents }))
    }

    /// The zone in which people live whom it calls.
    pub fn zone(&self) -> Tz {
        self.hours.zone()
    }

    /// Calls them, through whom of the agents that are free was not rung for the longest time.
    ///
    /// # Errors
    /// Snooze outside of the hours and while nobody is free; others with their verdict.
    pub async fn call(&self, newcomer: &Newcomer) -> Result<Answer, StepError> {
        let now = self.clock.now();
        let opening = self.hours.next(newcomer.since);
        if now > opening + self.patience {
            return Ok(Answer::Not("nobody-online"));
        }
        let next = self.hours.next(now);
        if next > now {
            let wait = (next - now).to_std().unwrap_or_default();
            return Err(StepError::snooze("quiet-hours", wait, anyhow!("people are not called at this hour")));
        }
        let agents = self.known.get(now, self.api.agents()).await?;
        let mut free: Vec<String> =
            agents.into_iter().filter(|agent| self.may_ring(agent)).map(|agent| agent.id).collect();
        loop {
            let Newcomer { contact, phone, .. } = newcomer;
            let agent = match db::dials::reserve(&self.db, contact, phone, &free, now).await.or_ours()? {
                None => return Err(self.nobody(opening, now)),
                Some(Reserved::Called) => return Ok(Answer::Not("called-already")),
                Some(Reserved::Perhaps) => return Ok(Answer::Not("perhaps-called-already")),
                Some(Reserved::By(agent)) => agent,
            };
            if self.ring(newcomer, &agent).await? {
                return Ok(Answer::Rings);
            }
            free.retain(|other| *other != agent);
        }
    }

    /// Whether the agent's phone rings; if it does not, it certainly did not.
    async fn ring(&self, newcomer: &Newcomer, agent: &str) -> Result<bool, StepError> {
        match self.api.dial(agent, &newcomer.phone).await {
            Ok(Dialled::Rings) => {
                db::dials::rang(&self.db, &newcomer.contact).await.or_ours()?;
                tracing::info!(agent, "a new contact is called");
                Ok(true)
            }
            Ok(Dialled::NotOnline | Dialled::Busy) => {
                db::dials::release(&self.db, &newcomer.contact).await.or_ours()?;
                Ok(false)
            }
            Err(error) if was_not_done(&error) => {
                db::dials::release(&self.db, &newcomer.contact).await.or_ours()?;
                Err(error.into())
            }
            Err(error) => {
                let error = anyhow!(error).context("nobody knows whether it rang; it is not tried again");
                Err(StepError::fail("dial-unknown", error))
            }
        }
    }

    fn may_ring(&self, agent: &Agent) -> bool {
        let email = agent.email.as_deref().unwrap_or_default();
        let named = |name: &String| *name == agent.id || name.eq_ignore_ascii_case(email);
        agent.is_free() && (self.agents.is_empty() || self.agents.iter().any(named))
    }

    fn nobody(&self, opening: DateTime<Utc>, now: DateTime<Utc>) -> StepError {
        let age = (now - opening).to_std().unwrap_or_default();
        StepError::snooze("nobody-online", (age / 4).clamp(LOOK.0, LOOK.1), anyhow!("no agent is free"))
    }
}

/// Whether the request was certainly not carried out.
fn was_not_done(error: &ClientError) -> bool {
    !error.sent || matches!(error.kind, ErrorKind::RateLimited { .. } | ErrorKind::Refused)
}

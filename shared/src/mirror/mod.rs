//! Contacts, tags and notes that CloudTalk and GoHighLevel hold in common: a change on one side is carried to the other.
//!
//! An event only says where to look ([`Change`]); what is carried is read where it is held, and compared with what both sides
//! held when they were last compared ([`Link`]). So an event that comes late, twice, or because of our own write finds
//! nothing to carry. `pair` finds or makes the contact across and carries fields and tags; `notes` and `deals` what their
//! names say; `merge` decides, `taken` writes what is not refused, `texts` words it.
//!
//! To mirror another field: its place in `person::Seen`, its line in `merge`, its part in both books. To mirror another
//! system: a [`Side`], its `Book`, and its reading of events in [`Change::of`].

mod book;
mod change;
mod cloudtalk;
mod deals;
mod gohighlevel;
mod merge;
mod notes;
mod pair;
mod person;
mod taken;
mod texts;

use std::time::Duration;

use anyhow::anyhow;

use self::{book::Book, deals::Pipelines, gohighlevel::Location};
pub use self::{
    change::{Change, Deal, Side, What, Who},
    deals::Told,
    person::{Both, Link, Seen},
};
use crate::{
    clock::Clock,
    db::Db,
    domain::{Event, EventKind, StepError, VerdictExt},
    env::{Env, EnvError},
    http::Outside,
    locks::{Held, Locks},
    providers::cloudtalk::Api as CloudTalk,
    sinks::gohighlevel::{self as crm, Api as GoHighLevel},
};

const MIRROR: &str = "MIRROR";
/// Whoever finds a person in somebody else's hands comes back so much later.
const BUSY: Duration = Duration::from_secs(1);

/// The time that carrying one change may take.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Carries changes between the two.
pub struct Mirror {
    db: Db,
    clock: Clock,
    locks: Locks,
    cloudtalk: CloudTalk,
    gohighlevel: Location,
    pipelines: Pipelines,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Something was written.
    Written,
    /// There was nothing to write, for this reason.
    Nothing(&'static str),
}

impl Mirror {
    /// `None` unless `MIRROR=on`.
    ///
    /// # Errors
    /// When it is on and one of the two sides has no credentials, or a setting cannot be used. Names the variable.
    pub fn from_env(env: &Env, outside: &Outside, db: &Db) -> anyhow::Result<Option<Self>> {
        if !env.flag(MIRROR, false)? {
            return Ok(None);
        }
        let missing = |name: &str| EnvError::Missing(format!("{name}, which {MIRROR}=on needs,"));
        let cloudtalk = CloudTalk::from_env(env, outside)?.ok_or_else(|| missing("CLOUDTALK_API_KEY_ID"))?;
        let api = GoHighLevel::from_env(env, outside)?.ok_or_else(|| missing("GHL_API_KEY"))?;
        Ok(Some(Self {
            db: db.clone(),
            clock: outside.clock.clone(),
            locks: outside.locks.clone(),
            cloudtalk,
            gohighlevel: Location { api, creates: crm::creates_contacts(env)? },
            pipelines: Pipelines::default(),
        }))
    }

    /// Carries what a recorded event tells of. `again`: an earlier try may have left traces.
    ///
    /// # Errors
    /// With the verdict that the sides' answers call for; snooze while somebody else is at work on the same person.
    pub async fn carry(&self, event: &Event, again: bool) -> Result<Carried, StepError> {
        let Some(change) = Change::of(event).or_fail("event-unusable")? else {
            return Ok(Carried::Nothing("not-about-a-contact"));
        };
        if change.side == Side::GoHighLevel && event.account != self.gohighlevel.api.location {
            return Ok(Carried::Nothing("other-location"));
        }
        if let What::Note { text: Some(text), .. } = &change.what
            && texts::is_ours(text)
        {
            return Ok(Carried::Nothing("echo"));
        }
        let held = self.locks.hold();
        let carried = tokio::select! {
            carried = self.carry_held(&held, &change, &event.kind, again) => carried,
            () = held.lost() => Err(StepError::retry("lock-lost", anyhow!("somebody else may be at work on the same person"))),
        };
        held.release().await;
        carried
    }

    async fn carry_held(
        &self,
        held: &Held,
        change: &Change,
        kind: &EventKind,
        again: bool,
    ) -> Result<Carried, StepError> {
        let pair = match self.pair(held, change, *kind == EventKind::ContactUpdated).await? {
            Ok(pair) => pair,
            Err(why) => return Ok(Carried::Nothing(why)),
        };
        let carried = match &change.what {
            What::Contact => Carried::Nothing("echo"),
            What::Note { id, text } => self.note(&pair, id.as_deref(), text.as_deref(), again).await?,
            What::Deal(deal) => self.deal(held, &pair, deal, again).await?,
        };
        Ok(if pair.wrote { Carried::Written } else { carried })
    }

    fn book(&self, side: Side) -> &dyn Book {
        match side {
            Side::CloudTalk => &self.cloudtalk,
            Side::GoHighLevel => &self.gohighlevel,
        }
    }
}

/// Takes names for oneself.
async fn take(held: &Held, names: &[String]) -> Result<(), StepError> {
    if held.take(names).await.or_ours()? {
        return Ok(());
    }
    Err(StepError::snooze("contact-busy", BUSY, anyhow!("another change of the same person is under way")))
}

//! Ties an event to its call, and folds what all events of that call say.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    db::{self, Db},
    domain::{Call, CallFacts, Event},
    providers::Provider,
};

/// Somebody else may tie an event of the same call at the same moment; then the call is found on the next try.
const TRIES: usize = 3;

/// The call of this event, which says these `facts`, as it is now known. Doing it twice changes nothing.
///
/// # Errors
/// When the database is away.
pub async fn tie(
    db: &Db,
    provider: &Arc<dyn Provider>,
    event: &Event,
    facts: &CallFacts,
    now: DateTime<Utc>,
) -> sqlx::Result<Call> {
    let mut tries = 0;
    loop {
        tries += 1;
        match once(db, provider, event, facts, now).await {
            Err(sqlx::Error::Database(_) | sqlx::Error::Protocol(_)) if tries < TRIES => {}
            tied => return tied,
        }
    }
}

async fn once(
    db: &Db,
    provider: &Arc<dyn Provider>,
    event: &Event,
    facts: &CallFacts,
    now: DateTime<Utc>,
) -> sqlx::Result<Call> {
    let mut tx = db.begin().await?;
    let (id, events) = db::calls::tie(&mut tx, event, facts, now).await?;
    // The events of the call that cannot be read any more (an older version took them) say nothing.
    let said = events.iter().filter_map(|e| Some((&e.kind, e.dedupe_key.as_str(), provider.facts(e).ok()?)));
    let folded = CallFacts::fold(said);
    db::calls::save_facts(&mut tx, id, &folded, now).await?;
    tx.commit().await?;
    let conclusion = db::calls::find(db, id).await?.and_then(|call| call.conclusion);
    Ok(Call {
        id,
        provider: event.provider.clone(),
        account: event.account.clone(),
        facts: folded,
        conclusion,
        created_at: event.received_at,
    })
}

//! Ties an event to its call, and folds what all events of that call say. Two providers may speak of one call: one that held
//! the conversation, and one that carried it (docs/adr/0010).

use chrono::{DateTime, Utc};

use crate::{
    db::{self, Db},
    domain::{Call, CallFacts, Event, ProviderId},
    providers::Providers,
};

/// Somebody else may tie an event of the same call at the same moment; then the call is found on the next try.
const TRIES: usize = 3;

/// The call of this event, which says these `facts`, as it is now known. Doing it twice changes nothing.
///
/// # Errors
/// When the database is away.
pub async fn tie(
    db: &Db,
    providers: &Providers,
    event: &Event,
    facts: &CallFacts,
    now: DateTime<Utc>,
) -> sqlx::Result<Call> {
    let mut tries = 0;
    loop {
        tries += 1;
        match once(db, providers, event, facts, now).await {
            Err(sqlx::Error::Database(_) | sqlx::Error::Protocol(_)) if tries < TRIES => {}
            tied => return tied,
        }
    }
}

async fn once(
    db: &Db,
    providers: &Providers,
    event: &Event,
    facts: &CallFacts,
    now: DateTime<Utc>,
) -> sqlx::Result<Call> {
    let mut tx = db.begin().await?;
    let (id, events) = db::calls::tie(&mut tx, event, facts, now).await?;
    let (provider, account) = owner(providers, &events).unwrap_or((&event.provider, &event.account));
    let (own, others): (Vec<_>, Vec<_>) = events.iter().partition(|event| &event.provider == provider);
    // Whoever's call it is would ask for another's id in vain.
    let carried = CallFacts { provider_call_id: None, ..fold(providers, others) };
    let folded = fold(providers, own).over(carried);
    db::calls::save_facts(&mut tx, id, &folded, now).await?;
    db::calls::save_owner(&mut tx, id, provider, account).await?;
    tx.commit().await?;
    let conclusion = db::calls::find(db, id).await?.and_then(|call| call.conclusion);
    Ok(Call {
        id,
        provider: provider.clone(),
        account: account.to_owned(),
        facts: folded,
        conclusion,
        created_at: event.received_at,
    })
}

/// Whose call it is, of all who speak of it: theirs who held the conversation, rather than theirs who carried it. It does
/// not matter who spoke first.
fn owner<'e>(providers: &Providers, events: &'e [Event]) -> Option<(&'e ProviderId, &'e str)> {
    let carried = |event: &Event| providers.get(&event.provider).is_none_or(|provider| provider.is_carrier());
    let first = events.iter().min_by_key(|event| (carried(event), event.provider.as_str(), event.account.as_str()));
    first.map(|event| (&event.provider, event.account.as_str()))
}

/// Events that cannot be read any more (an older version took them, or their provider is gone) say nothing.
fn fold<'e>(providers: &Providers, events: impl IntoIterator<Item = &'e Event>) -> CallFacts {
    let said = |event: &'e Event| {
        let facts = providers.get(&event.provider)?.facts(event).ok()?;
        Some((&event.kind, event.dedupe_key.as_str(), facts))
    };
    CallFacts::fold(events.into_iter().filter_map(said))
}

//! What people call a call: by our id, or by any name under which a provider knows it. Where several calls have a name,
//! `provider:name` says which.

use crate::{
    db::{self, Db},
    domain::{Call, CallId},
    providers::Providers,
};

/// What a name stands for.
#[derive(Debug)]
pub enum Named {
    /// No call has it.
    Nobody,
    /// One call has it.
    One(Box<Call>),
    /// Several calls have it: names that only one of them has.
    Several(Vec<String>),
}

/// The call, or calls, of that name.
///
/// # Errors
/// When the database is away.
pub async fn find(db: &Db, name: &str) -> sqlx::Result<Named> {
    if let Ok(id) = name.parse::<CallId>()
        && let Some(call) = db::calls::find(db, id).await?
    {
        return Ok(Named::One(Box::new(call)));
    }
    let known: Vec<&str> = Providers::names().collect();
    let mut found = db::console::named(db, &known, name).await?;
    let qualified = name.split_once(':').filter(|(provider, _)| known.contains(provider));
    if let Some((provider, rest)) = qualified {
        found.extend(db::console::named(db, &[provider], rest).await?);
    }
    let mut calls: Vec<(String, Call)> = Vec::new();
    for (provider, id) in found {
        let call = db::calls::find(db, id).await?;
        calls.extend(
            call.filter(|call| calls.iter().all(|(_, known)| known.id != call.id)).map(|call| (provider, call)),
        );
    }
    if calls.len() > 1 {
        let alone = |provider: &str| calls.iter().filter(|(other, _)| other == provider).count() == 1;
        let unique = |(provider, call): &(String, Call)| match qualified.is_none() && alone(provider) {
            true => format!("{provider}:{name}"),
            false => call.id.to_string(),
        };
        return Ok(Named::Several(calls.iter().map(unique).collect()));
    }
    Ok(calls.pop().map_or(Named::Nobody, |(_, call)| Named::One(Box::new(call))))
}

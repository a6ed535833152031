//! What operators write.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};

use super::bodies::outside;
use crate::{
    campaigns::Campaigns,
    dial::Hours,
    domain::{Redact, Scorecard},
    env::Env,
    http::Outside,
    providers::Providers,
    sinks::Sinks,
    speech::Speech,
};

static OUTSIDE: LazyLock<Outside> = LazyLock::new(outside);

/// The first byte says which setting, the rest is its value: it is used, or refused, and a secret is not repeated.
pub fn setting(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text).into_owned();
    let with = |name: &str| {
        let needed = [("OPENAI_API_KEY", "k"), ("CLOUDTALK_API_KEY", "id:secret"), ("TARGET_SECRET", "")];
        Env::from_pairs(needed).with([(name, text.as_str())])
    };
    match which % 9 {
        0 => scorecard(&text),
        1 => drop(Campaigns::from_env(&with("CAMPAIGN_RULES"), &OUTSIDE)),
        2 => secret(&with("TARGET_SECRET").with([("TARGET_URL", "http://127.0.0.1:9")]), &text),
        3 => {
            let callmind = [("CALLMIND_BASE_URL", "http://127.0.0.1:9"), ("CALLMIND_TOKEN", "t")];
            drop(Sinks::from_env(&with("CALLMIND_AGENTS").with(callmind), &OUTSIDE));
        }
        4 => drop(Speech::from_env(&with("TRANSCRIBE_LIMITS"), &OUTSIDE)),
        5 => drop(Speech::from_env(&with("TRANSCRIBE_VOCABULARY"), &OUTSIDE)),
        6 => drop(text.parse::<Redact>()),
        7 => hours(&with("DIAL_HOURS").with([("DIAL_TIMEZONE", "Europe/Rome")])),
        _ => {
            let generic = [("GENERIC_WEBHOOK_SECRET", "s"), ("CLOUDTALK_WEBHOOK_SECRET", "s")];
            drop(Providers::from_env(&with("GENERIC_RECORDING_HOSTS").with(generic), &OUTSIDE));
        }
    }
}

/// A scorecard that is taken is within its own limits, and reads the same again.
fn scorecard(text: &str) {
    let Ok(card) = Scorecard::parse(text) else { return };
    assert_eq!(Scorecard::parse(text).as_ref(), Ok(&card));
    assert!((1..=30).contains(&card.criteria.len()) && !card.name.is_empty(), "{card:?}");
    assert!(card.criteria.iter().all(|criterion| (1..=10).contains(&criterion.scale) && criterion.weight > 0.0));
}

fn secret(env: &Env, text: &str) {
    if let Err(error) = Sinks::from_env(env, &OUTSIDE) {
        let said = format!("{error:#}");
        assert!(text.trim().len() < 16 || !said.contains(text.trim()), "a secret is repeated");
    }
}

/// Nobody is called before it is asked for, nor later than the day after the next.
fn hours(env: &Env) {
    let Ok(hours) = Hours::from_env(env) else { return };
    let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    for hour in 0..24 {
        let asked = at + TimeDelta::hours(hour);
        let next = hours.next(asked);
        assert!(asked <= next && next <= asked + TimeDelta::days(2), "{next}");
    }
}

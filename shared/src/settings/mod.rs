//! Which settings there are ([`known`]): what is set, in words that hold no secret, and names that are none of theirs.

mod known;
#[cfg(test)]
mod tests;

use std::fmt;

use known::{NOT_SHOWN, OF_COMPOSE, PUBLIC, SECRET};

use crate::{domain::Step, env::Env, providers::Providers};

/// Nobody else's variables begin so.
const OURS: [&str; 18] = [
    "CLOUDTALK_",
    "DIAL_",
    "CAMPAIGN_",
    "TWILIO_",
    "SIGNALWIRE_",
    "TELNYX_",
    "ELEVENLABS_",
    "GENERIC_",
    "TRANSCRIBE_",
    "FEEDBACK_",
    "GHL_",
    "MIRROR_",
    "CALLMIND_",
    "TARGET_",
    "TAPEDECK_",
    "AMQP_",
    "CHANNELS_",
    "CONCURRENCY_",
];
/// What a `.env` file may hold for others, who do not list their settings here: the AWS SDK, OpenTelemetry, Compose…
const OTHERS: [&str; 9] = ["AWS_", "OTEL_", "RUST_", "COMPOSE_", "LOCAL_", "DOCKER_", "SSL_", "TEST_", "TZ"];
/// A shorter name is soon like some other.
const LONG: usize = 8;

/// A variable that looks like a setting and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Its name.
    pub name: String,
    /// The setting that it is most like, where it is like one.
    pub meant: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no setting {}", self.name)?;
        self.meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
    }
}

/// What is set, a line for each setting: the value where it may be shown, of all others only that they are set.
pub fn lines(env: &Env) -> Vec<String> {
    let shown = |name: &str| Some(format!("{name} = {}", env.var(name)?));
    let public = PUBLIC.iter().filter_map(|name| shown(name));
    let secret = SECRET.iter().filter(|name| env.var(name).is_some()).map(|name| format!("{name} is set"));
    let families = of_families();
    public.chain(families.iter().filter_map(|name| shown(name))).chain(secret).collect()
}

/// Variables that are meant as settings and have no such effect: in the `.env` file, or with a name that begins as ours do or
/// is one slip away from one. Values are not looked at, but for the addresses that Kubernetes puts beside ours.
pub fn unknown(env: &Env) -> Vec<Unknown> {
    let families = of_families();
    let known: Vec<&str> = [PUBLIC, SECRET, NOT_SHOWN, OF_COMPOSE]
        .concat()
        .into_iter()
        .chain(families.iter().map(String::as_str))
        .collect();
    let strange = |name: &str, value: &str| {
        let ours = OURS.iter().any(|prefix| name.starts_with(prefix));
        let ours = ours && !is_service_link(name, value);
        let of_others = OTHERS.iter().any(|prefix| name.starts_with(prefix)) || name.ends_with("_PROXY");
        let filed = env.in_file(name) && !of_others;
        let slip = || !of_others && name.len() >= LONG && nearest(name, &known).is_some_and(|(_, far)| far <= 1);
        is_name(name) && !known.contains(&name) && (ours || filed || slip())
    };
    let strange = env.vars().filter(|(name, value)| strange(name, value)).map(|(name, _)| Unknown {
        name: name.to_owned(),
        meant: nearest(name, &known).filter(|(_, far)| *far <= name.len() / 3).map(|(known, _)| known.to_owned()),
    });
    let mut strange: Vec<_> = strange.collect();
    strange.sort_by(|one, other| one.name.cmp(&other.name));
    strange
}

/// Warns of each setting that there is not.
pub(crate) fn warn_of_unknown(env: &Env) {
    for unknown in unknown(env) {
        tracing::warn!("{unknown}");
    }
}

/// Those whose names end in a step or a provider. Their values may be shown.
fn of_families() -> Vec<String> {
    let steps = Step::ALL.iter().map(|step| ("CONCURRENCY_", step.as_str()));
    let providers = Providers::names().map(|name| ("CHANNELS_", name));
    providers.chain(steps).map(|(family, of)| format!("{family}{}", of.to_ascii_uppercase())).collect()
}

/// Half a line of a secret that was pasted into the file is no name, and not repeated.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 64 && name.contains('_') && name.chars().all(plain)
}

/// Kubernetes tells every container of the services beside it: `TAPEDECK_INGEST_SERVICE_HOST`, `…_PORT=tcp://…`, `…_PORT_3000_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_TCP")
        || name.contains("_UDP")
        || (name.ends_with("_PORT") && value.contains("://"))
}

/// The known name that is least changes away; one that was not written to its end is none away.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<(&'k str, usize)> {
    let far = |known: &str| if known.starts_with(name) { 0 } else { strsim::osa_distance(name, known) };
    known.iter().map(|known| (*known, far(known))).min_by_key(|(_, far)| *far)
}

//! Whose records calls are: Callmind's agent, user and organisation, by the provider's agent or by our number.

use std::collections::HashMap;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Call, Milestone, Phone},
    env::{Env, EnvError},
};

const INLINE: &str = "CALLMIND_AGENTS";
const FILE: &str = "CALLMIND_AGENTS_FILE";

/// Whose records these are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    agent_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<String>,
}

impl Owner {
    /// Callmind's agent.
    pub(super) fn agent_id(&self) -> &str {
        &self.agent_id
    }
}

/// One line of the mapping; what it leaves out is as the settings say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    agent_id: Option<String>,
    user_id: Option<String>,
    org_id: Option<String>,
}

/// The mapping, with the settings as default.
pub(super) struct Owners {
    default: Option<Owner>,
    mapped: HashMap<String, Owner>,
}

impl Owners {
    /// Reads `CALLMIND_AGENT_ID`, `CALLMIND_USER_ID`, `CALLMIND_ORG_ID`, and the mapping as JSON from `CALLMIND_AGENTS` or
    /// the file `CALLMIND_AGENTS_FILE`. With a mapping the agent may be left out: other agents' calls are not sent then.
    pub(super) fn from_env(env: &Env) -> anyhow::Result<Self> {
        let text = match (env.var(INLINE), env.var(FILE)) {
            (Some(_), Some(_)) => anyhow::bail!("{INLINE} and {FILE} are both set"),
            (Some(text), None) => Some((INLINE, text.to_owned())),
            (None, Some(path)) => {
                Some((FILE, std::fs::read_to_string(path).with_context(|| format!("cannot read {FILE}"))?))
            }
            (None, None) => None,
        };
        let settings = Entry {
            agent_id: env.var("CALLMIND_AGENT_ID").map(str::to_owned),
            user_id: env.var("CALLMIND_USER_ID").map(str::to_owned),
            org_id: env.var("CALLMIND_ORG_ID").map(str::to_owned),
        };
        let mapped = match text {
            Some((name, text)) => mapping(&text, &settings)
                .map_err(|why| EnvError::Invalid { name: name.to_owned(), why: why.to_string() })?,
            None => HashMap::new(),
        };
        if mapped.is_empty() && settings.agent_id.is_none() {
            return Err(EnvError::Missing("CALLMIND_AGENT_ID".to_owned()).into());
        }
        let Entry { agent_id, user_id, org_id } = settings;
        Ok(Self { default: agent_id.map(|agent_id| Owner { agent_id, user_id, org_id }), mapped })
    }

    /// Whose record a call that came this far is to be. None where nobody is configured for it; nor when it has but begun
    /// and the mapping does not know it: who takes it may become known later, when a record is not given to another.
    pub(super) fn of(&self, call: &Call, milestone: Milestone) -> Option<&Owner> {
        let found = names(call).find_map(|name| self.mapped.get(&name));
        let settled = self.mapped.is_empty() || milestone > Milestone::Started;
        found.or_else(|| self.default.as_ref().filter(|_| settled))
    }

    /// How many agents and numbers are mapped.
    pub(super) fn mapped(&self) -> usize {
        self.mapped.len()
    }
}

/// What a call can be found by, the most exact name first.
fn names(call: &Call) -> impl Iterator<Item = String> {
    let facts = &call.facts;
    let id = facts.agent.id.as_deref();
    let names = [
        id.map(|id| format!("{}:{id}", call.provider)),
        id.map(str::to_owned),
        facts.agent.email.clone(),
        facts.internal_phone.as_ref().map(ToString::to_string),
    ];
    names.into_iter().flatten().map(|name| normal(&name))
}

/// A number begins with `+`, which tells it from an id; case does not matter.
fn normal(name: &str) -> String {
    let number = name.trim().starts_with('+').then(|| Phone::parse(name)).flatten();
    number.map_or_else(|| name.trim().to_lowercase(), |number| number.to_string())
}

fn mapping(text: &str, settings: &Entry) -> anyhow::Result<HashMap<String, Owner>> {
    let entries: HashMap<String, Entry> = serde_json::from_str(text).map_err(|e| {
        anyhow::anyhow!(
            "expected JSON such as {{\"ann@example.com\": {{\"agentId\": \"agent_1\"}}}}; wrong at line {} column {}",
            e.line(),
            e.column()
        )
    })?;
    let owner = |(name, entry): (String, Entry)| {
        let agent_id = entry.agent_id.or_else(|| settings.agent_id.clone());
        let agent_id = agent_id.context("an entry has no agentId, and CALLMIND_AGENT_ID is not set")?;
        let user_id = entry.user_id.or_else(|| settings.user_id.clone());
        let org_id = entry.org_id.or_else(|| settings.org_id.clone());
        Ok((normal(&name), Owner { agent_id, user_id, org_id }))
    };
    entries.into_iter().map(owner).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;
    use crate::{domain::Agent, sinks::sample};

    const MAPPING: &str = r#"{
        "cloudtalk:4711": {"agentId": "by_provider_and_id"},
        "4711": {"agentId": "by_id"},
        "Ann@Example.com": {"agentId": "by_email", "userId": "user_ann", "orgId": "org_ann"},
        "+39 02 1234-5678": {"userId": "user_of_the_line"}
    }"#;

    fn owners(more: &[(&str, &str)]) -> anyhow::Result<Owners> {
        Owners::from_env(&Env::from_pairs(more.iter().copied()))
    }

    fn with_default(mapping: &str) -> Owners {
        owners(&[(INLINE, mapping), ("CALLMIND_AGENT_ID", "default"), ("CALLMIND_USER_ID", "user_default")]).unwrap()
    }

    fn call(id: Option<&str>, email: Option<&str>, number: Option<&str>) -> Call {
        let mut call = sample::ended().call;
        call.facts.agent = Agent { id: id.map(Into::into), email: email.map(Into::into), name: None };
        call.facts.internal_phone = number.and_then(Phone::parse);
        call
    }

    #[test]
    fn the_most_exact_name_decides() {
        let owners = with_default(MAPPING);
        let agent = |call: &Call| owners.of(call, Milestone::Ended).unwrap().agent_id.clone();
        assert_eq!(agent(&call(Some("4711"), Some("ann@example.com"), None)), "by_provider_and_id");
        let other = Call { provider: crate::domain::ProviderId::new("twilio"), ..call(Some("4711"), None, None) };
        assert_eq!(agent(&other), "by_id");
        assert_eq!(agent(&call(Some("4712"), Some("ANN@example.com"), None)), "by_email");
        assert_eq!(agent(&call(None, None, Some("390212345678"))), "default", "the line's entry names no agent");
        assert_eq!(agent(&call(Some("nobody"), None, None)), "default");
    }

    #[test]
    fn what_an_entry_leaves_out_is_as_the_settings_say() {
        let owners = with_default(MAPPING);
        let of = |call: &Call| owners.of(call, Milestone::Ended).unwrap().clone();
        let line = of(&call(None, None, Some("+390212345678")));
        assert_eq!((line.user_id.as_deref(), line.org_id), (Some("user_of_the_line"), None));
        let ann = of(&call(None, Some("ann@example.com"), None));
        assert_eq!((ann.user_id.as_deref(), ann.org_id.as_deref()), (Some("user_ann"), Some("org_ann")));
        assert_eq!(of(&call(Some("4711"), None, None)).user_id.as_deref(), Some("user_default"));
    }

    #[test]
    fn without_a_default_only_mapped_agents_have_records() {
        let owners = owners(&[(INLINE, r#"{"4711": {"agentId": "one"}}"#)]).unwrap();
        assert_eq!(owners.of(&call(Some("4711"), None, None), Milestone::Started).unwrap().agent_id(), "one");
        assert_eq!(owners.of(&call(Some("4712"), None, None), Milestone::Analyzed), None);
    }

    #[test]
    fn a_call_whose_agent_is_not_known_yet_waits_for_its_end() {
        let mut ringing = sample::started().call;
        ringing.facts.agent = Agent::default();
        assert_eq!(with_default(MAPPING).of(&ringing, Milestone::Started), None);
        assert!(with_default("{}").of(&ringing, Milestone::Started).is_some(), "nobody else can come");
        ringing.facts.agent.id = Some("4711".into());
        assert!(with_default(MAPPING).of(&ringing, Milestone::Started).is_some());
    }

    #[test]
    fn a_mapping_that_cannot_be_used_is_refused_at_start() {
        let no_agent = format!("{:#}", owners(&[(INLINE, r#"{"4711": {}}"#)]).err().unwrap());
        assert!(no_agent.contains("CALLMIND_AGENTS") && no_agent.contains("agentId"), "{no_agent}");
        let misspelt = owners(&[(INLINE, r#"{"+390212345678": {"agent": "secret"}}"#)]).err().unwrap();
        let misspelt = format!("{misspelt:#}");
        assert!(
            misspelt.contains("line 1") && !misspelt.contains("secret") && !misspelt.contains("3902"),
            "{misspelt}"
        );
        assert!(owners(&[(FILE, "/nowhere/agents.json")]).is_err());
        assert!(format!("{:#}", owners(&[]).err().unwrap()).contains("CALLMIND_AGENT_ID"));
    }
}

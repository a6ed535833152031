//! What is set, in words: values that may be shown, of all others only that they are set. A new setting is one more line in
//! one of the lists.

use shared::env::Env;

/// Their values may be shown.
const PUBLIC: &[&str] = &[
    "PORT",
    "CONSOLE_PORT",
    "METRICS_PORT",
    "HOST",
    "WEBHOOK_BASE_URL",
    "CORS_ORIGINS",
    "TAPEDECK_DATA",
    "TAPEDECK_SPOOL",
    "MAX_RECORDING_BYTES",
    "DATABASE_CONNECTIONS",
    "S3_BUCKET",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AMQP_PREFIX",
    "CLOUDTALK_BASE_URL",
    "CLOUDTALK_ACCOUNT",
    "CLOUDTALK_RECORDING_HOSTS",
    "CLOUDTALK_WEBHOOK_VERIFY",
    "CLOUDTALK_RATE_PER_MINUTE",
    "CLOUDTALK_ANALYTICS_BASE_URL",
    "CLOUDTALK_POLLING",
    "CLOUDTALK_POLL_INTERVAL_MINUTES",
    "DIAL_NEW_CONTACTS",
    "DIAL_HOURS",
    "DIAL_TIMEZONE",
    "DIAL_PATIENCE_MINUTES",
    "DIAL_AGENTS",
    "CAMPAIGN_RULES",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_BASE_URL",
    "TWILIO_WEBHOOK_VERIFY",
    "TWILIO_RECORDING_POLLING",
    "TWILIO_RECORDING_POLL_INTERVAL_MINUTES",
    "TWILIO_RECORDING_HOSTS",
    "SIGNALWIRE_PROJECT_ID",
    "SIGNALWIRE_BASE_URL",
    "SIGNALWIRE_WEBHOOK_VERIFY",
    "SIGNALWIRE_RECORDING_POLLING",
    "SIGNALWIRE_RECORDING_POLL_INTERVAL_MINUTES",
    "SIGNALWIRE_RECORDING_HOSTS",
    "TELNYX_ACCOUNT_SID",
    "TELNYX_PUBLIC_KEY",
    "TELNYX_BASE_URL",
    "TELNYX_WEBHOOK_VERIFY",
    "TELNYX_RECORDING_HOSTS",
    "ELEVENLABS_BASE_URL",
    "ELEVENLABS_WEBHOOK_VERIFY",
    "ELEVENLABS_POLLING",
    "ELEVENLABS_POLL_INTERVAL_MINUTES",
    "ELEVENLABS_AGENT_ID",
    "ELEVENLABS_AGENT_PHONE_NUMBER_ID",
    "MAX_AUDIO_BODY_BYTES",
    "GENERIC_SECRET_HEADER",
    "GENERIC_SIGNATURE_HEADER",
    "GENERIC_WEBHOOK_VERIFY",
    "GENERIC_FIELDS",
    "GENERIC_RECORDING_HOSTS",
    "OPENAI_BASE_URL",
    "TRANSCRIBE_BASE_URL",
    "TRANSCRIBE_MODEL",
    "TRANSCRIBE_MONO_MODEL",
    "TRANSCRIBE_LIMITS",
    "TRANSCRIBE_VOCABULARY",
    "TRANSCRIBE_VOCABULARY_FILE",
    "TRANSCRIBE_PROMPT",
    "TRANSCRIBE_LANGUAGE",
    "TRANSCRIBE_PATH",
    "TRANSCRIBE_PARALLEL",
    "TRANSCRIBE_TIMEOUT_SECONDS",
    "TRANSCRIBE_PRICE_PER_MINUTE",
    "TRANSCRIBE_UPLOAD",
    "REDACT",
    "FEEDBACK_BASE_URL",
    "FEEDBACK_MODEL",
    "FEEDBACK_REASONING_EFFORT",
    "FEEDBACK_LANGUAGE",
    "FEEDBACK_SCORECARD",
    "FEEDBACK_CONTEXT_TOKENS",
    "FEEDBACK_MAX_CHARS",
    "FEEDBACK_MAX_OUTPUT_TOKENS",
    "FEEDBACK_TIMEOUT_SECONDS",
    "FEEDBACK_PRICE_INPUT",
    "FEEDBACK_PRICE_OUTPUT",
    "DAILY_COST_CAP",
    "GHL_BASE_URL",
    "GHL_LOCATION_ID",
    "GHL_RATE_PER_10S",
    "GHL_CREATE_CONTACTS",
    "GHL_CREATE_FIELDS",
    "GHL_CALL_LOG",
    "GHL_CONVERSATION_PROVIDER_ID",
    "GHL_WEBHOOK_VERIFY",
    "MIRROR",
    "CALLMIND_BASE_URL",
    "CALLMIND_AGENT_ID",
    "CALLMIND_USER_ID",
    "CALLMIND_ORG_ID",
    "CALLMIND_MODE",
    "CALLMIND_AGENTS_FILE",
    "CALLMIND_TOKEN_FILE",
    "LEASE_SECONDS",
    "DRAIN_SECONDS",
    "RETRY_SCALE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_SERVICE_NAME",
];
/// Likewise, whatever their names end in: a provider, a step.
const PUBLIC_FAMILIES: &[&str] = &["CHANNELS_", "CONCURRENCY_"];
/// They hold credentials, or what is longer than a line.
const SECRET: &[&str] = &[
    "DATABASE_URL",
    "AMQP_URL",
    "API_TOKEN",
    "TAPEDECK_LINK_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CLOUDTALK_API_KEY_ID",
    "CLOUDTALK_API_SECRET",
    "CLOUDTALK_API_KEY",
    "CLOUDTALK_WEBHOOK_SECRET",
    "TWILIO_AUTH_TOKEN",
    "SIGNALWIRE_API_TOKEN",
    "SIGNALWIRE_SIGNING_KEY",
    "TELNYX_API_KEY",
    "ELEVENLABS_API_KEY",
    "ELEVENLABS_WEBHOOK_SECRET",
    "GENERIC_WEBHOOK_SECRET",
    "GENERIC_RECORDING_AUTHORIZATION",
    "OPENAI_API_KEY",
    "TRANSCRIBE_API_KEY",
    "FEEDBACK_API_KEY",
    "GHL_API_KEY",
    "GHL_CALL_LOG_URL",
    "GHL_WEBHOOK_SECRET",
    "GHL_WEBHOOK_PUBLIC_KEY",
    "CALLMIND_TOKEN",
    "CALLMIND_TOKEN_COMMAND",
    "CALLMIND_AGENTS",
    "TARGET_URL",
    "TARGET_SECRET",
];

/// What is set, a line for each setting.
pub(super) fn lines(env: &Env) -> Vec<String> {
    let public = PUBLIC.iter().filter_map(|name| Some(format!("{name} = {}", env.var(name)?)));
    let secret = SECRET.iter().filter(|name| env.var(name).is_some()).map(|name| format!("{name} is set"));
    let of_a_family = |name: &str| PUBLIC_FAMILIES.iter().any(|family| name.starts_with(family));
    let mut families: Vec<_> = env.vars().map(|(name, _)| name).filter(|name| of_a_family(name)).collect();
    families.sort_unstable();
    let families = families.into_iter().filter_map(|name| Some(format!("{name} = {}", env.var(name)?)));
    public.chain(families).chain(secret).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Of others than a process of ours: Compose, the sandbox. And what a typed command says differently than a service.
    const NOT_SHOWN: &[&str] = &[
        "POSTGRES_PASSWORD",
        "RABBITMQ_PASSWORD",
        "INGEST_PUBLISH",
        "CONSOLE_PUBLISH",
        "SANDBOX_LISTEN",
        "SANDBOX_PUBLIC_URL",
        "RUST_LOG",
        "LOG_FORMAT",
    ];

    fn listed() -> BTreeSet<&'static str> {
        let lines = include_str!("../../../../.env.example").lines();
        let names = lines.filter_map(|line| Some(line.trim_start_matches('#').split_once('=')?.0));
        let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        names.filter(is_name).collect()
    }

    #[test]
    fn every_setting_is_shown_once_or_left_out_on_purpose() {
        let known: Vec<_> = [PUBLIC, SECRET, NOT_SHOWN].concat();
        let families = |name: &&str| PUBLIC_FAMILIES.iter().any(|family| name.starts_with(family));
        let listed: BTreeSet<_> = listed().into_iter().filter(|name| !families(name)).collect();
        assert!(listed.len() > 100, "{listed:?}");
        assert_eq!(known.iter().copied().collect::<BTreeSet<_>>(), listed);
        assert_eq!(known.len(), listed.len(), "one of them is in two lists");
    }

    #[test]
    fn no_secret_is_shown() {
        let tells = ["_SECRET", "_TOKEN", "_KEY", "PASSWORD", "_AUTHORIZATION", "_COMMAND", "_SIGNING_KEY"];
        let secret = |name: &&&str| tells.iter().any(|end| name.ends_with(end)) && **name != "TELNYX_PUBLIC_KEY";
        assert_eq!(PUBLIC.iter().find(secret), None);
        let env = Env::from_pairs(SECRET.iter().map(|name| (*name, "hunter2")));
        let lines = lines(&env);
        assert_eq!(lines.len(), SECRET.len());
        assert!(!lines.concat().contains("hunter2"));
    }

    #[test]
    fn what_is_set_is_shown_whatever_provider_or_step_it_is_for() {
        let env = Env::from_pairs([("CHANNELS_SIGNALWIRE", "agent,caller"), ("REDACT", "card"), ("MIRROR", "")]);
        assert_eq!(lines(&env), ["REDACT = card", "CHANNELS_SIGNALWIRE = agent,caller"]);
    }
}

//! `doctor`: what is set, and whether it works.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use std::{process::ExitCode, time::Duration};

use shared::{
    env::Env,
    model::Model,
    service::{App, Role},
    speech::Speech,
};

/// Settings whose values may be shown; of all others only that they are set.
const PUBLIC: &[&str] = &[
    "PORT",
    "CONSOLE_PORT",
    "METRICS_PORT",
    "HOST",
    "WEBHOOK_BASE_URL",
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
    "CAMPAIGN_RULES",
    "CHANNELS_CLOUDTALK",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_BASE_URL",
    "TWILIO_WEBHOOK_VERIFY",
    "TWILIO_RECORDING_POLLING",
    "TWILIO_RECORDING_POLL_INTERVAL_MINUTES",
    "TWILIO_RECORDING_HOSTS",
    "CHANNELS_TWILIO",
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
    "TRANSCRIBE_VOCABULARY_FILE",
    "TRANSCRIBE_LANGUAGE",
    "TRANSCRIBE_PATH",
    "TRANSCRIBE_PARALLEL",
    "TRANSCRIBE_TIMEOUT_SECONDS",
    "TRANSCRIBE_PRICE_PER_MINUTE",
    "TRANSCRIBE_UPLOAD",
    "FEEDBACK_BASE_URL",
    "FEEDBACK_MODEL",
    "FEEDBACK_REASONING_EFFORT",
    "FEEDBACK_MAX_CHARS",
    "FEEDBACK_MAX_OUTPUT_TOKENS",
    "FEEDBACK_TIMEOUT_SECONDS",
    "GHL_BASE_URL",
    "GHL_LOCATION_ID",
    "GHL_RATE_PER_10S",
    "GHL_CREATE_CONTACTS",
    "GHL_CREATE_FIELDS",
    "CALLMIND_BASE_URL",
    "CALLMIND_AGENT_ID",
    "CALLMIND_USER_ID",
    "CALLMIND_ORG_ID",
    "CALLMIND_MODE",
    "CALLMIND_AGENTS_FILE",
    "CALLMIND_TOKEN_FILE",
    "CONCURRENCY_INTAKE",
    "CONCURRENCY_LOOKUP",
    "CONCURRENCY_RECORD",
    "CONCURRENCY_FETCH",
    "CONCURRENCY_TRANSCRIBE",
    "CONCURRENCY_ANALYZE",
    "CONCURRENCY_SYNC",
    "CONCURRENCY_DIAL",
    "LEASE_SECONDS",
    "DRAIN_SECONDS",
    "RETRY_SCALE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
/// Also shown, masked: what holds credentials.
const SECRET: &[&str] = &[
    "DATABASE_URL",
    "AMQP_URL",
    "API_TOKEN",
    "TAPEDECK_LINK_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
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
    "CALLMIND_TOKEN",
    "CALLMIND_TOKEN_COMMAND",
    "CALLMIND_AGENTS",
    "TARGET_URL",
    "TARGET_SECRET",
];
/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Prints what is set and tries it; fails when something does not work.
pub async fn run(env: Env) -> anyhow::Result<ExitCode> {
    settings(&env);
    println!("\nchecks");
    let app = match App::open("doctor", env, Role::Beside).await {
        Ok(app) => app,
        Err(error) => {
            println!("  FAILED  start: {error:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let backends = backends(&app).await;
    let vendors = vendors(&app).await;
    app.close().await;
    Ok(if backends && vendors { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(env: &Env) {
    println!("settings");
    for name in PUBLIC {
        if let Some(value) = env.var(name) {
            println!("  {name} = {value}");
        }
    }
    for name in SECRET {
        if env.var(name).is_some() {
            println!("  {name} is set");
        }
    }
}

async fn backends(app: &App) -> bool {
    let kind = |setting: &str, name: &str, embedded: &str| {
        (if app.env.var(setting).is_some() { name } else { embedded }).to_owned()
    };
    let database = async { Ok(app.db.ping().await.map(|()| kind("DATABASE_URL", "Postgres", "SQLite"))?) };
    let recordings = async { Ok(app.recordings.check().await.map(|()| kind("S3_BUCKET", "S3", "a directory"))?) };
    let database = report("database", check(database).await);
    let queue = report("queue", check(broker(app, kind("AMQP_URL", "RabbitMQ", "in process"))).await);
    let recordings = report("recordings", check(recordings).await);
    database && queue && recordings
}

async fn vendors(app: &App) -> bool {
    let mut sound = true;
    for provider in app.providers.iter() {
        sound &= report(provider.id().as_str(), check(provider.check()).await);
    }
    let speech = async {
        match Speech::from_env(&app.env, &app.outside)? {
            Some(speech) => speech.check().await,
            None => Ok("not set: calls are not transcribed".into()),
        }
    };
    sound &= report("speech", check(speech).await);
    let model = async {
        match Model::from_env(&app.env, &app.outside)? {
            Some(model) => model.check().await,
            None => Ok("not set: calls get no feedback".into()),
        }
    };
    sound &= report("model", check(model).await);
    for sink in app.sinks.iter() {
        sound &= report(sink.id().as_str(), check(sink.check()).await);
    }
    if app.providers.iter().next().is_none() {
        println!("  note    no provider is set: nothing will be taken (see CLOUDTALK_… in .env.example)");
    }
    if app.sinks.iter().next().is_none() {
        println!("  note    no sink is set: results stay here (see GHL_…, CALLMIND_… and TARGET_… in .env.example)");
    }
    sound
}

async fn broker(app: &App, kind: String) -> anyhow::Result<String> {
    app.queue.declare(&workers::pipeline::queues(app)).await?;
    Ok(kind)
}

async fn check(what: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<String> {
    tokio::time::timeout(PATIENCE, what)
        .await
        .unwrap_or_else(|_| anyhow::bail!("no answer in {} s", PATIENCE.as_secs()))
}

fn report(name: &str, result: anyhow::Result<String>) -> bool {
    match &result {
        Ok(text) => println!("  ok      {name}: {text}"),
        Err(error) => println!("  FAILED  {name}: {error:#}"),
    }
    result.is_ok()
}

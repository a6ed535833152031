//! `doctor`: what is set, and whether it works.

#![expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, ensure};
use console::Access;
use shared::{
    budgets::{Budgets, Why},
    domain::{ProviderId, Step},
    env::Env,
    model::Model,
    service::{App, Role, listen},
    settings,
    speech::Speech,
};
use workers::tuning::Tuning;

/// A check that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Prints what is set and tries it; fails when something does not work.
pub async fn run(env: Env) -> anyhow::Result<ExitCode> {
    println!("settings");
    for line in settings::lines(&env) {
        println!("  {line}");
    }
    for unknown in settings::unknown(&env) {
        println!("  WARNING {unknown}");
    }
    println!("\nchecks");
    let app = match App::open("doctor", env, Role::Trial).await {
        Ok(app) => app,
        Err(error) => {
            println!("  FAILED  start: {error:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let backends = backends(&app).await;
    let vendors = vendors(&app).await;
    let workers = report("workers", steps(&app));
    let listeners = report("listeners", listeners(&app.env));
    notes(&app);
    left_alone(&app).await;
    app.close().await;
    Ok(if backends && vendors && workers && listeners { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
    sound
}

/// Whether a worker would start. What the steps warn of has been said with the vendors that they ask.
fn steps(app: &App) -> anyhow::Result<String> {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
        let tuning = Tuning::from_env(&app.env)?;
        for step in Step::ALL {
            tuning.concurrency(step, 1)?;
            workers::pipeline::build(step, app).with_context(|| format!("step {}", step.as_str()))?;
        }
        Ok("every step has what it needs".to_owned())
    })
}

/// Whether ingest and the console would listen, as far as the settings go: whoever runs already has the ports.
fn listeners(env: &Env) -> anyhow::Result<String> {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || Access::from_env(env))?;
    let (public, private) = (listen::address(env, "PORT", 3000)?, listen::address(env, "CONSOLE_PORT", 3080)?);
    listen::address(env, "METRICS_PORT", 9090)?;
    ensure!(public.port() != private.port() || public.port() == 0, "PORT and CONSOLE_PORT are the same");
    Ok(format!("webhooks on {}, the console on {}", public.port(), private.port()))
}

fn notes(app: &App) {
    if app.providers.iter().next().is_none() {
        println!("  note    no provider is set: nothing will be taken (see CLOUDTALK_… in .env.example)");
    }
    if app.sinks.iter().next().is_none() {
        println!("  note    no sink is set: results stay here (see GHL_…, CALLMIND_… and TARGET_… in .env.example)");
    }
    if app.providers.get(&ProviderId::new("generic")).is_some() && app.env.var("GENERIC_RECORDING_HOSTS").is_none() {
        println!(
            "  warn    GENERIC_RECORDING_HOSTS is not set: no recording of the generic provider can be fetched; set it to the \
             hosts that its links lead to, such as media.example.com"
        );
    }
    if app.env.var("WEBHOOK_BASE_URL").is_none() {
        println!(
            "  note    WEBHOOK_BASE_URL is not set: sinks get no links to recordings, and those of the API do not last"
        );
    }
}

/// What workers make of it is another question than whether a vendor answers.
async fn left_alone(app: &App) {
    for held in Budgets::held(&app.db, &app.clock).await.unwrap_or_default() {
        let (vendor, until) = (held.vendor, held.until.format("%Y-%m-%d %H:%M:%S UTC"));
        let why = match held.why {
            Why::Circuit => "it kept failing, so its circuit is open",
            Why::Paused | Why::Budget => "it asked us to wait",
        };
        println!("  note    {vendor}: {why}: workers leave it alone until {until}");
    }
}

async fn broker(app: &App, kind: String) -> anyhow::Result<String> {
    // Not declared: a queue that has to be made is for whoever then knows what is missing in it.
    for queue in workers::pipeline::queues(app) {
        app.queue.depth(&queue).await?;
    }
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

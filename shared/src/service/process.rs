//! The life of a process: telemetry, runtime, signals, orderly end. Every binary starts here.

use std::{
    process::{ExitCode, Termination},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    env::Env,
    telemetry::{self, metrics},
};

const UPKEEP: Duration = Duration::from_secs(5);
/// Time for background tasks to end after the process' work is done.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// Runs `main` as the process named `service`. The token is cancelled by SIGTERM or SIGINT; the second signal ends the
/// process at once. An error is logged and becomes the exit code.
pub fn run<T: Termination>(
    service: &'static str,
    env: anyhow::Result<Env>,
    main: impl AsyncFnOnce(Env, CancellationToken) -> anyhow::Result<T>,
) -> ExitCode {
    let started = env.and_then(|env| Ok((telemetry::init(service, &env)?, env)));
    let (telemetry, env) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let code = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let ended = runtime.block_on(attended(env, main));
            runtime.shutdown_timeout(STRAGGLERS);
            ended
        }
        Err(error) => Err(error.into()),
    };
    let code = code.map_or_else(
        |error| {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        },
        Termination::report,
    );
    telemetry.flush();
    code
}

async fn attended<T>(
    env: Env,
    main: impl AsyncFnOnce(Env, CancellationToken) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    tokio::spawn(async {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            metrics::upkeep();
        }
    });
    main(env, stop).await
}

async fn signals(stop: CancellationToken) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("cannot listen for signals");
        return;
    };
    for first in [true, false] {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        if first {
            tracing::info!("stopping; a second signal ends it at once");
            stop.cancel();
        }
    }
    std::process::exit(130);
}

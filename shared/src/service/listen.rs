//! Serves a router on a listener: bounded connections, bounded patience with slow senders, orderly end.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connection::{self, Patience};
use crate::env::{Env, EnvError};

/// How long an idle connection is kept. Above the 60 seconds of common load balancers, so that it is them who close idle
/// connections.
const IDLE: Duration = Duration::from_secs(75);
/// The same while many connections are open: whoever does not come to the point makes room.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(5);
/// For a request's head, from its first byte on: it fits into a packet or two.
const HEAD: Duration = Duration::from_secs(10);
/// When it is time to stop, what is on its way at that moment may still arrive: some senders never repeat a webhook.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Connections at a time; more wait in the kernel's backlog.
const CONNECTIONS: usize = 4096;
const DRAIN: &str = "DRAIN_SECONDS";
const DRAIN_SECONDS: f64 = 25.0;

/// `HOST` (every address by default) and the port set by `name`, `default` where it is not set.
///
/// # Errors
/// When one of them is none.
pub fn address(env: &Env, name: &str, default: u16) -> Result<SocketAddr, EnvError> {
    let host: IpAddr = env.parsed("HOST", Ipv4Addr::UNSPECIFIED.into())?;
    Ok(SocketAddr::new(host, env.parsed(name, default)?))
}

/// Listens on [`address`]. Port 0 takes any free one.
///
/// # Errors
/// When the port is not a number, or taken.
pub async fn bind(env: &Env, name: &str, default: u16) -> anyhow::Result<TcpListener> {
    let address = address(env, name, default)?;
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}, see {name}"))
}

/// How long what runs may take once it is time to stop (`DRAIN_SECONDS`).
///
/// # Errors
/// When it is not a number of seconds.
pub fn drain(env: &Env) -> Result<Duration, EnvError> {
    Ok(Duration::from_secs_f64(env.number(DRAIN, DRAIN_SECONDS)?.clamp(0.0, 3600.0)))
}

/// Serves until `stop` is cancelled. Then it takes no new connections, lets requests in hand finish for four fifths of
/// [`drain`], and closes connections whose request is not complete.
pub async fn serve(listener: TcpListener, router: Router, env: &Env, stop: CancellationToken) {
    // What cannot be read has been refused at the start of the process.
    let drain = drain(env).unwrap_or(Duration::ZERO).mul_f64(0.8);
    let patience = Patience { idle: IDLE, head: HEAD, last_words: LAST_WORDS.min(drain), drain };
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some(stream) = accept(&listener, &stop).await {
        let Some(Ok(permit)) = stop.run_until_cancelled(room.clone().acquire_owned()).await else { break };
        let crowded = room.available_permits() < CONNECTIONS / 2;
        let patience = if crowded { Patience { idle: IDLE_IN_A_CROWD, ..patience } } else { patience };
        let connection = connection::serve(stream, router.clone(), patience, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection; `None` when it is time to stop.
async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<TcpStream> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => return Some(stream),
                Err(error) => {
                    // Out of file descriptors, most likely: the next accept would fail at once as well.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

//! Serves a router on a listener: bounded connections, bounded patience with slow senders, orderly end.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

use crate::env::Env;

/// Time for a request's headers to arrive, which is also how long an idle connection is kept. Above the 60 seconds of
/// common load balancers, so that it is them who close idle connections.
const HEADERS: Duration = Duration::from_secs(75);
/// The same while many connections are open: whoever does not come to the point makes room.
const HEADERS_IN_A_CROWD: Duration = Duration::from_secs(5);
/// Connections at a time; more wait in the kernel's backlog.
const CONNECTIONS: usize = 4096;
/// Time for requests under way to finish once the listener is closed.
const DRAIN: Duration = Duration::from_secs(20);

/// Listens on `HOST` (every address by default) and the port set by `name`, `default` where it is not set. Port 0 takes any
/// free one.
///
/// # Errors
/// When the port is not a number, or taken.
pub async fn bind(env: &Env, name: &str, default: u16) -> anyhow::Result<TcpListener> {
    let host: IpAddr = env.parsed("HOST", Ipv4Addr::UNSPECIFIED.into())?;
    let address = SocketAddr::new(host, env.parsed(name, default)?);
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}, see {name}"))
}

/// Serves until `stop` is cancelled, then takes no new connections and lets requests under way finish.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some(stream) = accept(&listener, &stop).await {
        let Some(Ok(permit)) = stop.run_until_cancelled(room.clone().acquire_owned()).await else { break };
        let headers = if room.available_permits() < CONNECTIONS / 2 { HEADERS_IN_A_CROWD } else { HEADERS };
        let connection = connect(stream, router.clone(), headers, &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still under way when the process ended");
    }
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

/// One connection, from its first request to its end.
fn connect(
    stream: TcpStream,
    router: Router,
    headers: Duration,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Without it small answers wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(headers);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).into_owned();
    let connection = graceful.watch(connection);
    async move {
        // A peer that hangs up is none of our business.
        let _ = connection.await;
    }
}

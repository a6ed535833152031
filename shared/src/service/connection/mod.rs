//! One connection: how far its request has come ([`stage`]), how long its peer is waited for, and its end.

mod stage;

use std::{pin::pin, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use stage::{Stage, Staged, Watched};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long peers are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the next request.
    pub(super) idle: Duration,
    /// From the first byte of a request's head to its last.
    pub(super) head: Duration,
    /// Once it is time to stop: for what is on its way at that moment.
    pub(super) last_words: Duration,
    /// The same for a request in hand and its answer; the longer of the two.
    pub(super) drain: Duration,
}

/// Serves one connection until its peer or our patience ends it. When `stop` is cancelled, a request in hand is finished, and a
/// connection without a complete one is closed.
pub(super) async fn serve(stream: TcpStream, router: Router, patience: Patience, stop: CancellationToken) {
    // Without it small answers wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let stage = Stage::default();
    let stream = TokioIo::new(Watched::new(stream, stage.clone(), patience.head));
    let service = TowerToHyperService::new(Staged::new(router, stage.clone()));
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.idle);
    let mut connection = pin!(builder.serve_connection(stream, service));
    // How a connection ends is its peer's business. What has come already is looked at before the end is.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    if timeout(patience.last_words, connection.as_mut()).await.is_ok() || stage.lacks_its_request() {
        return;
    }
    let left = patience.drain.saturating_sub(patience.last_words);
    if timeout(left, connection).await.is_err() {
        tracing::warn!("a request was still under way when the process ended");
    }
}

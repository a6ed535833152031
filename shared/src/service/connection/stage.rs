//! How far the request of a connection has come, as seen from the socket below and the handlers above.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::Response,
};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};
use tower::Service;

/// Nothing of a request has come; an answer may still be on its way out.
const QUIET: u8 = 0;
/// A part of a request's head has come.
const HEAD: u8 = 1;
/// Its handler waits for the rest of its body.
const BODY: u8 = 2;
/// It is complete, or answered already.
const IN_HAND: u8 = 3;

/// The stage of a connection, which has one request at a time. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<AtomicU8>);

impl Stage {
    /// Whether a request has begun that nobody can answer yet.
    pub(super) fn lacks_its_request(&self) -> bool {
        matches!(self.get(), HEAD | BODY)
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    /// Goes from one stage to the next; false when it was at another.
    fn step(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A socket whose peer has to come to the end of a head in time, once it has begun one.
pub(super) struct Watched<S> {
    socket: S,
    stage: Stage,
    head: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, stage: Stage, head: Duration) -> Self {
        Self { socket, stage, head, deadline: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buf);
        if buf.filled().len() > before && this.stage.step(QUIET, HEAD) {
            this.deadline = Some(Box::pin(tokio::time::sleep_until(Instant::now() + this.head)));
        }
        match (&read, &mut this.deadline) {
            (Poll::Pending, Some(deadline)) if this.stage.get() == HEAD => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// A router that says how far it is.
#[derive(Clone)]
pub(super) struct Staged {
    router: Router,
    stage: Stage,
}

impl Staged {
    pub(super) fn new(router: Router, stage: Stage) -> Self {
        Self { router, stage }
    }
}

impl<B> Service<axum::http::Request<B>> for Staged
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.router, cx)
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let stage = self.stage.clone();
        stage.set(if request.body().is_end_stream() { IN_HAND } else { BODY });
        let request = request.map(|body| Body::new(Passing { body, stage: stage.clone(), end: (BODY, IN_HAND) }));
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            stage.set(IN_HAND);
            Ok(answer.map(|body| Body::new(Passing { body, stage, end: (IN_HAND, QUIET) })))
        })
    }
}

/// A body whose end, or that nobody wants any more of it, is the end of a stage.
struct Passing<B> {
    body: B,
    stage: Stage,
    end: (u8, u8),
}

impl<B> Drop for Passing<B> {
    fn drop(&mut self) {
        self.stage.step(self.end.0, self.end.1);
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Passing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // An answer is out when its body is dropped; a request is in as soon as its body has ended.
        if self.end.0 == BODY && (frame.is_none() || self.body.is_end_stream()) {
            self.stage.step(BODY, IN_HAND);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

//! The listener: one HTTP/1.1 connection per task, faults applied before and after the routes.
//! Connections are dropped on purpose here, which a plain router cannot do.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{HeaderName, HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};
use tower::{Service, ServiceExt};

use crate::{
    callmind, cloudtalk, control, elevenlabs,
    faults::FaultKind,
    generic, ghl, openai, target, twilio,
    vendor::Vendor,
    world::{Shared, World},
};

const SIMULATED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-simulated-by"), HeaderValue::from_static("tapedeck-sandbox"));

/// Time for the first half of a cut-off body to leave the socket before the connection closes.
const FLUSH: Duration = Duration::from_millis(20);

/// Serves until the task is aborted; every open connection ends with it.
pub(crate) async fn serve(listener: TcpListener, world: Shared) {
    let front = Front { router: routes(&world), world };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: the next accept would fail at once as well.
                    tokio::time::sleep(FLUSH).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let service = TowerToHyperService::new(front.clone());
                connections.spawn(async move {
                    let server = Builder::new(TokioExecutor::new()).http1_only();
                    // Ends with an error for every fault that drops the connection.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn routes(world: &Shared) -> Router {
    Router::new()
        .merge(control::routes())
        .merge(cloudtalk::routes(world))
        .merge(twilio::routes(world))
        .merge(elevenlabs::routes())
        .merge(generic::routes())
        .merge(openai::routes(world))
        .merge(ghl::routes(world))
        .merge(callmind::routes(world))
        .merge(target::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "Nothing is simulated here. GET / lists what is.\n") })
        .with_state(world.clone())
}

/// The connection ends without an answer.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

#[derive(Clone)]
struct Front {
    world: Shared,
    router: Router,
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Dropped>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (world, router) = (self.world.clone(), self.router.clone());
        let request = request.map(Body::new);
        Box::pin(async move {
            let mut answer = answer(&world, router, request).await?;
            let (name, value) = SIMULATED;
            answer.headers_mut().insert(name, value);
            Ok(answer)
        })
    }
}

async fn answer(world: &World, router: Router, request: Request<Body>) -> Result<Response, Dropped> {
    let Some(vendor) = Vendor::of(request.uri().path()) else {
        return Ok(route(router, request).await);
    };
    let mut line = world.ledger.open(vendor, &request);
    let fault = world.faults.take(vendor, request.method().as_str(), request.uri().path());
    let answer = match fault {
        None => Ok(route(router, request).await),
        Some(fault) => {
            if let Some(line) = &mut line {
                line.fault(fault.name());
            }
            faulty(vendor, fault, router, request).await
        }
    };
    if let (Some(line), Ok(answer)) = (&mut line, &answer) {
        line.answered(answer.status().as_u16());
    }
    answer
}

async fn route(router: Router, request: Request<Body>) -> Response {
    router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
}

async fn faulty(vendor: Vendor, fault: FaultKind, router: Router, request: Request<Body>) -> Result<Response, Dropped> {
    match fault {
        FaultKind::Refuse => Err(Dropped),
        FaultKind::Reply { bent } => Ok(openai::bent(bent, route(router, request).await).await),
        FaultKind::ReplyLost => {
            route(router, request).await;
            Err(Dropped)
        }
        FaultKind::ReplyLate { ms } => {
            let answer = route(router, request).await;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(answer)
        }
        FaultKind::Hang { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(route(router, request).await)
        }
        FaultKind::CutOff => Ok(cut_off(route(router, request).await)),
        FaultKind::ContentType { value } => {
            let mut answer = route(router, request).await;
            let value = HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("text/html"));
            answer.headers_mut().insert(header::CONTENT_TYPE, value);
            Ok(answer)
        }
        FaultKind::Status { status, retry_after, body } => {
            drain(request).await;
            Ok(status_answer(vendor, status, retry_after, body))
        }
        FaultKind::Html200 => {
            drain(request).await;
            let page =
                "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>";
            Ok(axum::response::Html(page).into_response())
        }
        FaultKind::Empty200 => {
            drain(request).await;
            Ok(StatusCode::OK.into_response())
        }
    }
}

/// Reads the body to its end, so that the answer is not lost to a connection reset while the client still writes.
async fn drain(request: Request<Body>) {
    let mut body = request.into_body().into_data_stream();
    while let Some(Ok(_)) = body.next().await {}
}

fn status_answer(vendor: Vendor, status: u16, retry_after: Option<u64>, body: Option<serde_json::Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let own = match vendor {
        Vendor::Cloudtalk => cloudtalk::refusal(status),
        Vendor::Twilio => twilio::refusal(status),
        Vendor::Elevenlabs => elevenlabs::refusal(status),
        Vendor::Generic => generic::refusal(status),
        Vendor::Openai => openai::refusal(status),
        Vendor::Ghl => ghl::refusal(status),
        Vendor::Callmind => callmind::refusal(status),
        Vendor::Target => target::refusal(status),
    };
    let mut answer = match body {
        None => own,
        Some(serde_json::Value::String(text)) => (status, text).into_response(),
        Some(json) => (status, axum::Json(json)).into_response(),
    };
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

/// Announces the whole body, sends half of it and breaks the connection.
fn cut_off(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    // An empty body has no half; announcing more than is ever sent breaks it all the same.
    let whole = announced.or_else(|| body.size_hint().exact()).filter(|whole| *whole > 1).unwrap_or(64);
    head.headers.insert(header::CONTENT_LENGTH, whole.into());
    let half = body.into_data_stream().scan(whole / 2, |left, chunk| {
        let kept = chunk.ok().filter(|_| *left > 0).map(|mut chunk| {
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
            Ok(chunk)
        });
        futures::future::ready(kept)
    });
    let breaks = stream::once(async {
        tokio::time::sleep(FLUSH).await;
        Err(Dropped)
    });
    Response::from_parts(head, Body::from_stream(half.chain(breaks)))
}

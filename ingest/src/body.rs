//! Reads a request's body within bounds: its own size, the memory of the process, and time.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use shared::service::problem::Problem;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of all bodies that are being read or wait to be written.
const MEMORY: usize = 128 * 1024 * 1024;
/// Between two pieces of a body.
const IDLE: Duration = Duration::from_secs(10);
/// For a whole body.
const WHOLE: Duration = Duration::from_secs(60);

/// The memory for bodies, shared by all requests.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body, and the room that it takes for as long as this lives.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY)))
    }

    /// Reads a body of at most `max` bytes, however its length is announced.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body, max: usize) -> Result<Received, Problem> {
        if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded bodies are not accepted"));
        }
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        match timeout(WHOLE, self.pieces(body, announced.unwrap_or(0), max)).await {
            Ok(read) => read,
            Err(_) => Err(too_slow()),
        }
    }

    async fn pieces(&self, body: Body, expected: usize, max: usize) -> Result<Received, Problem> {
        let mut received = Received { bytes: Vec::with_capacity(expected), room: self.take(0)? };
        let mut pieces = body.into_data_stream();
        loop {
            let piece = match timeout(IDLE, pieces.next()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(_))) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
                Ok(None) => return Ok(received),
                Err(_) => return Err(too_slow()),
            };
            if received.bytes.len() + piece.len() > max {
                return Err(too_large(max));
            }
            received.room.merge(self.take(piece.len())?);
            received.bytes.extend_from_slice(&piece);
        }
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.0.clone().try_acquire_many_owned(bytes).map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being received at this moment").retry_after(5)
        })
    }
}

impl Received {
    /// The room alone, for as long as a copy of the bytes lives on.
    pub(crate) fn into_room(self) -> OwnedSemaphorePermit {
        self.room
    }
}

fn too_large(max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may hold {max} bytes"))
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
}

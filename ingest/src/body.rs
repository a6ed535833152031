//! Reads a request's body within bounds: its own size, the memory of the process, and time.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt;
use shared::service::problem::Problem;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of all bodies that are being read or wait to be written: thousands of the usual ones.
const MEMORY: usize = 32 * 1024 * 1024;
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

/// A body as it comes in: bounded, and never waited for long.
pub(crate) struct Pieces {
    stream: BodyDataStream,
    announced: usize,
    read: usize,
    max: usize,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::of(MEMORY)
    }

    /// Room for so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Reads a body of at most `max` bytes, however its length is announced.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body, max: usize) -> Result<Received, Problem> {
        let pieces = Pieces::open(headers, body, max)?;
        match timeout(WHOLE, self.all(pieces)).await {
            Ok(read) => read,
            Err(_) => Err(too_slow()),
        }
    }

    async fn all(&self, mut pieces: Pieces) -> Result<Received, Problem> {
        let mut received = self.received(pieces.announced)?;
        while let Some(piece) = pieces.next().await? {
            received.grow(self.take(piece.len())?);
            received.bytes.extend_from_slice(&piece);
        }
        Ok(received)
    }

    /// An empty body that takes no room yet.
    pub(crate) fn received(&self, expected: usize) -> Result<Received, Problem> {
        Ok(Received { bytes: Vec::with_capacity(expected), room: self.take(0)? })
    }

    pub(crate) fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.0.clone().try_acquire_many_owned(bytes).map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being received at this moment").retry_after(5)
        })
    }
}

impl Pieces {
    /// Looks at what is announced; reads nothing.
    pub(crate) fn open(headers: &HeaderMap, body: Body, max: usize) -> Result<Self, Problem> {
        if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded bodies are not accepted"));
        }
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        Ok(Self { stream: body.into_data_stream(), announced: announced.unwrap_or(0), read: 0, max })
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let piece = match timeout(IDLE, self.stream.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_))) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
            Ok(None) => return Ok(None),
            Err(_) => return Err(too_slow()),
        };
        self.read += piece.len();
        if self.read > self.max { Err(too_large(self.max)) } else { Ok(Some(piece)) }
    }
}

impl Received {
    /// Takes more room.
    pub(crate) fn grow(&mut self, room: OwnedSemaphorePermit) {
        self.room.merge(room);
    }

    /// The room alone, for as long as a copy of the bytes lives on.
    pub(crate) fn into_room(self) -> OwnedSemaphorePermit {
        self.room
    }
}

pub(crate) fn too_large(max: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may hold {max} bytes"))
}

pub(crate) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::IntoResponse;
    use futures::stream;

    use super::*;

    async fn status(room: &Room, body: Body) -> StatusCode {
        match room.read(&HeaderMap::new(), body, 1000).await {
            Ok(received) => panic!("{} bytes were taken", received.bytes.len()),
            Err(problem) => problem.into_response().status(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stalls_or_drips_is_told_that_it_is_too_slow() {
        let room = Room::new();
        let stalled = stream::pending::<Result<&str, Infallible>>();
        assert_eq!(status(&room, Body::from_stream(stalled)).await, StatusCode::REQUEST_TIMEOUT);
        let dripping = stream::unfold((), |()| async {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>("."), ()))
        });
        assert_eq!(status(&room, Body::from_stream(dripping)).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn bodies_take_only_the_memory_that_there_is() {
        let room = Room::of(150);
        let body = || Body::from(vec![b'x'; 100]);
        let held = room.read(&HeaderMap::new(), body(), 1000).await;
        assert_eq!(status(&room, body()).await, StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        assert!(room.read(&HeaderMap::new(), body(), 1000).await.is_ok());
    }
}

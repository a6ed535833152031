//! Webhooks that may hold a whole recording. A [`Sieve`] of the source takes the body apart while it comes in: the
//! recording goes to disk, the rest to memory, and neither counts before the source has vouched for all of it.
//!
//! A recording that cannot be kept (no audio, no room, a store that is away) does not hold up its event: the provider has it
//! too, and is asked for it later.

use std::{path::PathBuf, time::Duration};

use axum::{body::Body, http::HeaderMap};
use shared::{
    clock::Clock,
    domain::{NewEvent, Recording},
    private,
    recordings::{self, SharedRecordings, Spool, Spooled},
    service::{App, problem::Problem},
    sources::Sieve,
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::body::{Pieces, Received, Room, too_large, too_slow};

/// Bytes of all recordings that are on disk here at the same time.
const DISK: usize = 8 << 30;
/// For a whole body.
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// To bring a recording to the store, while the sender waits.
const STORE: Duration = Duration::from_secs(120);

/// Takes such bodies in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sifter {
    recordings: SharedRecordings,
    clock: Clock,
    spool: PathBuf,
    memory: Room,
    disk: Room,
}

/// A recording on disk, and the room that it takes there.
pub(crate) struct Audio {
    spooled: Spooled,
    _room: OwnedSemaphorePermit,
}

impl Sifter {
    /// `memory` is shared with all other requests.
    pub(crate) fn new(app: &App, memory: Room) -> Self {
        let spool = app.env.var("TAPEDECK_SPOOL").map_or_else(std::env::temp_dir, PathBuf::from);
        Self { recordings: app.recordings.clone(), clock: app.clock.clone(), spool, memory, disk: Room::of(DISK) }
    }

    /// Reads a body to its end. Of what is not the recording it takes at most `max_rest` bytes.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        max_rest: usize,
        sieve: &mut dyn Sieve,
    ) -> Result<(Received, Option<Audio>), Problem> {
        let max = usize::try_from(sieve.max_bytes()).unwrap_or(usize::MAX);
        let pieces = Pieces::open(headers, body, max)?;
        timeout(WHOLE, self.sift(pieces, max_rest, sieve)).await.unwrap_or_else(|_| Err(too_slow()))
    }

    async fn sift(
        &self,
        mut pieces: Pieces,
        max_rest: usize,
        sieve: &mut dyn Sieve,
    ) -> Result<(Received, Option<Audio>), Problem> {
        let mut received = self.memory.received(0)?;
        let mut room = self.disk.take(0)?;
        let (mut spool, mut audio, mut lost) = (None::<Spool>, Vec::new(), false);
        while let Some(piece) = pieces.next().await? {
            let before = received.bytes.len();
            sieve.take(&piece, &mut received.bytes, &mut audio);
            if received.bytes.len() > max_rest {
                return Err(too_large(max_rest));
            }
            received.grow(self.memory.take(received.bytes.len() - before)?);
            if !audio.is_empty() && !lost {
                room.merge(self.disk.take(audio.len())?);
                if let Err(error) = self.write(&mut spool, &audio).await {
                    tracing::warn!(%error, "a recording that came with a webhook cannot be written to disk");
                    (spool, lost) = (None, true);
                }
            }
            audio.clear();
        }
        let Some(spool) = spool.filter(|_| sieve.is_whole()) else { return Ok((received, None)) };
        let spooled = spool.finish().await.inspect_err(|error| tracing::warn!(%error, "a recording is not on disk"));
        Ok((received, spooled.ok().map(|spooled| Audio { spooled, _room: room })))
    }

    async fn write(&self, spool: &mut Option<Spool>, audio: &[u8]) -> std::io::Result<()> {
        let spool = match spool {
            Some(spool) => spool,
            None => {
                private::directory(&self.spool)?;
                spool.insert(Spool::new(&self.spool)?)
            }
        };
        spool.write(audio).await
    }

    /// Proves the recording of a verified event and brings it to the store. `None` when that does not work out.
    pub(crate) async fn keep(&self, event: &NewEvent, audio: Audio) -> Option<Recording> {
        match timeout(STORE, self.store(event, &audio.spooled)).await {
            Ok(Ok(recording)) => Some(recording),
            Ok(Err(error)) => {
                tracing::warn!("a recording that came with a webhook is not kept, the provider is asked: {error:#}");
                None
            }
            Err(_) => {
                tracing::warn!("a recording that came with a webhook is not kept, the provider is asked: no time");
                None
            }
        }
    }

    async fn store(&self, event: &NewEvent, spooled: &Spooled) -> anyhow::Result<Recording> {
        let probe = spooled.probe().await?;
        let now = self.clock.now();
        let recording = Recording {
            object_key: recordings::key_of_received(event, &spooled.sha256, probe.format, now),
            size_bytes: i64::try_from(spooled.bytes)?,
            sha256: spooled.sha256.clone(),
            duration_seconds: probe.duration_seconds,
            channels: probe.channels,
            sample_rate: probe.sample_rate,
            format: probe.format.to_owned(),
            stored_at: now,
        };
        let key = &recording.object_key;
        self.recordings.put(key, spooled.path(), recording.content_type()).await?;
        let kept = self.recordings.size(key).await?;
        anyhow::ensure!(kept == Some(spooled.bytes), "the object store holds {kept:?} of {} bytes", spooled.bytes);
        Ok(recording)
    }
}

//! The audio behind a call: given bytes, a file, or a WAV of any size that is made up while it is sent.

use std::{path::PathBuf, sync::OnceLock};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Where the bytes of a recording come from.
#[derive(Clone, Debug)]
pub enum RecordingFile {
    /// These bytes, whatever they are.
    Bytes(Bytes),
    /// A file, read anew for each request.
    Path(PathBuf),
    /// A valid WAV (PCM16, mono, 8 kHz, a quiet tone) of exactly this size, never held in memory.
    Generated {
        /// Size with the header, 46 bytes to 4 GiB.
        bytes: u64,
    },
}

/// A recording as CloudTalk offers it: the file, and when it can be had.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The audio.
    pub file: RecordingFile,
    /// So many requests are answered with 404 before it is there.
    pub not_ready_times: u32,
    /// Expired: 410 for good.
    pub gone: bool,
}

impl From<RecordingFile> for Recording {
    fn from(file: RecordingFile) -> Self {
        Self { file, not_ready_times: 0, gone: false }
    }
}

impl RecordingFile {
    /// Answered with 404 so many times first.
    #[must_use]
    pub fn not_ready(self, times: u32) -> Recording {
        Recording { not_ready_times: times, ..self.into() }
    }

    /// Expired: answered with 410.
    #[must_use]
    pub fn gone(self) -> Recording {
        Recording { gone: true, ..self.into() }
    }

    /// Its size; none for a file that cannot be read.
    pub(crate) async fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Path(path) => Some(tokio::fs::metadata(path).await.ok()?.len()),
            Self::Generated { bytes } => Some(*bytes),
        }
    }
}

/// Sends the file, or the part of it that `Range` asks for. None when there is no file.
pub(crate) async fn send(
    file: &RecordingFile,
    headers: &HeaderMap,
    kind: &'static str,
    ranges: bool,
) -> Option<Response> {
    let size = file.size().await?;
    let wanted = headers.get(header::RANGE).filter(|_| ranges).and_then(|range| range.to_str().ok());
    let (from, to, status) = match wanted.map(|range| part(range, size)) {
        None | Some(Part::Whole) => (0, size, StatusCode::OK),
        Some(Part::Some(from, to)) => (from, to, StatusCode::PARTIAL_CONTENT),
        Some(Part::Impossible) => {
            let all = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Some((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response());
        }
    };
    let body = body(file, from, to).await?;
    let mut answer = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    let head = answer.headers_mut();
    head.insert(header::CONTENT_LENGTH, (to - from).into());
    if ranges {
        head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{size}", to - 1))
    {
        head.insert(header::CONTENT_RANGE, range);
    }
    Some(answer)
}

enum Part {
    Whole,
    Some(u64, u64),
    Impossible,
}

/// One range as `from..to`; several ranges or another unit count as the whole, as RFC 9110 allows.
fn part(range: &str, size: u64) -> Part {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let (from, to) = match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(size)),
        (Ok(from), Err(_)) if to.trim().is_empty() => (from, size),
        (Err(_), Ok(last)) if from.trim().is_empty() => (size.saturating_sub(last), size),
        _ => return Part::Whole,
    };
    if from < to { Part::Some(from, to) } else { Part::Impossible }
}

async fn body(file: &RecordingFile, from: u64, to: u64) -> Option<Body> {
    match file {
        RecordingFile::Bytes(bytes) => {
            Some(Body::from(bytes.slice(usize::try_from(from).ok()?..usize::try_from(to).ok()?)))
        }
        RecordingFile::Path(path) => {
            let mut file = tokio::fs::File::open(path).await.ok()?;
            file.seek(std::io::SeekFrom::Start(from)).await.ok()?;
            Some(Body::from_stream(ReaderStream::with_capacity(file.take(to - from), 64 * 1024)))
        }
        RecordingFile::Generated { bytes } => {
            let whole = *bytes;
            Some(Body::from_stream(stream::unfold(from, move |at| async move {
                (at < to).then(|| {
                    let chunk = generated(whole, at, to);
                    let next = at + chunk.len() as u64;
                    (Ok::<_, std::convert::Infallible>(chunk), next)
                })
            })))
        }
    }
}

/// The size of the RIFF header before the samples.
const HEADER: u64 = 44;

/// The next bytes of a made-up WAV: what is left of its header, or a piece of the tone.
fn generated(whole: u64, at: u64, to: u64) -> Bytes {
    let left = usize::try_from(to - at).unwrap_or(usize::MAX);
    let mut chunk = if at < HEADER {
        Bytes::from(wav_header(whole)).slice(usize::try_from(at).unwrap_or(0)..)
    } else {
        let tone = tone();
        tone.slice(usize::try_from((at - HEADER) % tone.len() as u64).unwrap_or(0)..)
    };
    chunk.truncate(left);
    chunk
}

/// PCM16 mono 8 kHz. An odd size ends with one byte that belongs to no sample.
fn wav_header(whole: u64) -> Vec<u8> {
    let data = u32::try_from(whole.saturating_sub(HEADER)).unwrap_or(u32::MAX) & !1;
    let mut header = Vec::with_capacity(44);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    header.extend_from_slice(&8000_u32.to_le_bytes());
    header.extend_from_slice(&16000_u32.to_le_bytes());
    header.extend_from_slice(b"\x02\0\x10\0data");
    header.extend_from_slice(&data.to_le_bytes());
    header
}

/// Four seconds of 200 Hz, in whole periods, so that it can be repeated without a click.
fn tone() -> &'static Bytes {
    static TONE: OnceLock<Bytes> = OnceLock::new();
    TONE.get_or_init(|| {
        let sample = |at: u32| (f64::from(at) * std::f64::consts::TAU / 40.0).sin() * 3000.0;
        #[expect(clippy::cast_possible_truncation, reason = "within 3000 by construction")]
        (0..32_000).flat_map(|at| (sample(at) as i16).to_le_bytes()).collect()
    })
}

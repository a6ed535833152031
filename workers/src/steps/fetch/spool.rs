//! Brings bytes from outside to this machine's disk, counting, hashing and bounding them on the way.

use std::{io, path::Path};

use anyhow::anyhow;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use shared::{
    domain::{StepError, VerdictExt},
    http::Download,
};
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, BufWriter};

/// Bytes written to disk at a time.
const CHUNK: usize = 128 * 1024;

/// A complete download on disk. The file goes when this is dropped.
pub(super) struct Spooled {
    file: NamedTempFile,
    /// Size.
    pub(super) bytes: u64,
    /// Lower-case hex.
    pub(super) sha256: String,
}

impl Spooled {
    /// Takes the whole download, or leaves nothing behind.
    pub(super) async fn take(directory: &Path, download: Download, max_bytes: u64) -> Result<Self, StepError> {
        let too_large = || StepError::fail("recording-too-large", anyhow!("larger than {max_bytes} bytes"));
        if download.length.is_some_and(|announced| announced > max_bytes) {
            return Err(too_large());
        }
        let file = NamedTempFile::with_prefix_in("tapedeck-", directory).or_retry("spool-failed")?;
        let mut disk =
            BufWriter::with_capacity(CHUNK, tokio::fs::File::from_std(file.reopen().or_retry("spool-failed")?));
        let (mut digest, mut bytes, mut stream) = (Sha256::new(), 0_u64, download.stream);
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::FileTooLarge => return Err(too_large()),
                Err(e) => return Err(StepError::retry("truncated", e)),
            };
            bytes += chunk.len() as u64;
            if bytes > max_bytes {
                return Err(too_large());
            }
            digest.update(&chunk);
            disk.write_all(&chunk).await.or_retry("spool-failed")?;
        }
        disk.flush().await.or_retry("spool-failed")?;
        if let Some(announced) = download.length.filter(|announced| *announced != bytes) {
            let what = anyhow!("{bytes} of {announced} announced bytes came");
            return Err(StepError::retry("truncated", what));
        }
        Ok(Self { file, bytes, sha256: hex::encode(digest.finalize()) })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }
}

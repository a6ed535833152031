//! Brings bytes from outside to this machine's disk, bounded.

use std::{io, path::Path};

use anyhow::anyhow;
use futures::StreamExt;
use shared::{
    domain::{StepError, VerdictExt},
    http::Download,
    recordings::{Spool, Spooled},
};

/// Takes the whole download, or leaves nothing behind.
pub(super) async fn take(directory: &Path, download: Download, max_bytes: u64) -> Result<Spooled, StepError> {
    let too_large = || StepError::fail("recording-too-large", anyhow!("larger than {max_bytes} bytes"));
    if download.length.is_some_and(|announced| announced > max_bytes) {
        return Err(too_large());
    }
    let mut spool = Spool::new(directory).or_retry("spool-failed")?;
    let mut stream = download.stream;
    while let Some(chunk) = stream.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => return Err(too_large()),
            Err(e) => return Err(StepError::retry("truncated", e)),
        };
        if spool.bytes() + chunk.len() as u64 > max_bytes {
            return Err(too_large());
        }
        spool.write(&chunk).await.or_retry("spool-failed")?;
    }
    let bytes = spool.bytes();
    if let Some(announced) = download.length.filter(|announced| *announced != bytes) {
        let what = anyhow!("{bytes} of {announced} announced bytes came");
        return Err(StepError::retry("truncated", what));
    }
    spool.finish().await.or_retry("spool-failed")
}

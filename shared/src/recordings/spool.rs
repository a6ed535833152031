//! Bytes on their way to the store: a file on this machine's disk, counted and hashed while it is written.

use std::{
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::{AsyncWriteExt, BufWriter};

use crate::{
    audio::{self, NotAudio, Probe},
    env::Env,
    private,
};

/// Bytes written to disk at a time.
const CHUNK: usize = 128 * 1024;

/// A file that is being written. It goes when this is dropped.
pub struct Spool {
    file: NamedTempFile,
    disk: BufWriter<tokio::fs::File>,
    digest: Sha256,
    bytes: u64,
}

/// A complete file. It goes when this is dropped.
pub struct Spooled {
    file: NamedTempFile,
    /// Size.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// Where recordings lie on their way: `TAPEDECK_SPOOL`, or the system's own temporary directory.
///
/// # Errors
/// When the directory cannot be made.
pub fn directory(env: &Env) -> anyhow::Result<PathBuf> {
    let spool = env.var("TAPEDECK_SPOOL").map_or_else(std::env::temp_dir, PathBuf::from);
    private::directory(&spool).map_err(|e| anyhow::anyhow!("TAPEDECK_SPOOL cannot be used: {e}"))?;
    Ok(spool)
}

impl Spool {
    /// An empty file in this directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let file = NamedTempFile::with_prefix_in("tapedeck-", directory)?;
        let disk = BufWriter::with_capacity(CHUNK, tokio::fs::File::from_std(file.reopen()?));
        Ok(Self { file, disk, digest: Sha256::new(), bytes: 0 })
    }

    /// Appends.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.disk.write_all(bytes).await
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// No more bytes come.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub async fn finish(mut self) -> io::Result<Spooled> {
        self.disk.flush().await?;
        Ok(Spooled { file: self.file, bytes: self.bytes, sha256: hex::encode(self.digest.finalize()) })
    }
}

impl Spooled {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Proves that it is audio.
    ///
    /// # Errors
    /// [`NotAudio`].
    pub async fn probe(&self) -> Result<Probe, NotAudio> {
        let path = self.path().to_owned();
        let probing = tokio::task::spawn_blocking(move || audio::probe(&path)).await;
        probing.unwrap_or_else(|error| Err(NotAudio::Undecodable(error.to_string())))
    }
}

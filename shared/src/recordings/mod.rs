//! The object store for audio.
//!
//! Two backends: [`s3`] (any S3-compatible server) and [`directory`] (embedded); [`from_env`] chooses. Both pass
//! `conformance`; there is no third. Keys are ours (`recordings/<provider>/<yyyy>/<mm>/<call id>.<format>`), never taken
//! from outside.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod directory;
mod multipart;
pub mod s3;
mod s3_error;
mod spool;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use futures::{TryStreamExt, stream::BoxStream};
use sha2::{Digest, Sha256};
pub use spool::{Spool, Spooled, directory as spool_directory};

use crate::{
    domain::{NewEvent, StepError},
    env::{Env, EnvError},
};

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such object.
    #[error("no object {0}")]
    NotFound(String),
    /// The store is away or overloaded; the same call may succeed later.
    #[error("the object store is out of reach: {0}")]
    Unreachable(String),
    /// The store refused (credentials, bucket, permissions); a person must look.
    #[error("the object store refused: {0}")]
    Refused(String),
}

/// A store that refuses is tried again, too: what keeps it from working concerns every call, and somebody will mend it. So is
/// one that lacks what it was just asked to keep; where a recording itself is asked for, that is for the caller to tell.
impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable(_) | StoreError::NotFound(_) => Self::retry("store-unreachable", error),
            StoreError::Refused(_) => Self::retry("store-refuses", error),
        }
    }
}

/// A store of recordings. Memory stays flat whatever the size of the object.
#[async_trait]
pub trait Recordings: Send + Sync {
    /// Stores the file under `key`, replacing what was there; visible only when complete.
    async fn put(&self, key: &str, file: &Path, content_type: &str) -> Result<(), StoreError>;

    /// The bytes of an object, or of a part of it.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream, StoreError>;

    /// Size in bytes; `None` when there is no such object.
    async fn size(&self, key: &str) -> Result<Option<u64>, StoreError>;

    /// A short-lived URL that serves the object without further credentials; `None` where the store has no HTTP of its
    /// own (the caller streams [`Recordings::get`] instead).
    async fn presign(&self, key: &str, lifetime: Duration) -> Result<Option<String>, StoreError>;

    /// Removes an object; no error when it is gone already.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Writes, reads and deletes a probe object; for `doctor`.
    async fn check(&self) -> Result<(), StoreError>;
}

/// The backend in use.
pub type SharedRecordings = Arc<dyn Recordings>;

/// The embedded directory, unless `TAPEDECK_DATA` names another.
pub(crate) const DATA: &str = "tapedeck-data";
/// Largest recording that is taken, unless `MAX_RECORDING_BYTES` says otherwise: 4 GiB, more than two days of telephone WAV.
const MAX_BYTES: u64 = 4 << 30;

/// S3 when `S3_BUCKET` is set, else the embedded directory.
///
/// # Errors
/// When settings cannot be used, or the directory cannot be made.
pub async fn from_env(env: &Env) -> anyhow::Result<SharedRecordings> {
    match env.var("S3_BUCKET") {
        Some(bucket) => Ok(Arc::new(s3::S3::from_env(env, bucket).await?)),
        None => Ok(Arc::new(directory::Directory::open(env.var("TAPEDECK_DATA").unwrap_or(DATA))?)),
    }
}

/// The largest recording that is taken, in bytes (`MAX_RECORDING_BYTES`).
///
/// # Errors
/// [`EnvError::Invalid`].
pub fn max_bytes(env: &Env) -> Result<u64, EnvError> {
    env.parsed("MAX_RECORDING_BYTES", MAX_BYTES)
}

/// Where audio is kept that came with an event, before it is known of which call. The same event with the same audio has the
/// same place, and no other event has it.
pub fn key_of_received(event: &NewEvent, sha256: &str, format: &str, now: DateTime<Utc>) -> String {
    let name = Sha256::digest(format!("{}/{}/{sha256}", event.account, event.dedupe_key));
    let (provider, name) = (&event.provider, hex::encode(&name[..16]));
    format!("recordings/{provider}/{}/{:02}/{name}.{format}", now.year(), now.month())
}

/// Refuses keys that are not ours: a key is a relative path of plain names.
fn checked(key: &str) -> Result<&str, StoreError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = |name: &str| !name.is_empty() && !name.starts_with('.') && name.chars().all(plain);
    if key.len() <= 512 && key.split('/').all(good) {
        Ok(key)
    } else {
        Err(StoreError::Refused("not a key of ours".to_owned()))
    }
}

/// Writes, reads and deletes a small object.
async fn probe(store: &dyn Recordings) -> Result<(), StoreError> {
    let failed = |e: std::io::Error| StoreError::Unreachable(e.to_string());
    let key = format!("probes/{}", uuid::Uuid::now_v7());
    let file = tempfile::NamedTempFile::new().map_err(failed)?;
    std::fs::write(file.path(), &key).map_err(failed)?;
    store.put(&key, file.path(), "text/plain").await?;
    let read: Vec<Bytes> = store.get(&key, None).await?.try_collect().await.map_err(failed)?;
    store.delete(&key).await?;
    if read.concat() == key.as_bytes() {
        Ok(())
    } else {
        Err(StoreError::Refused("what was read is not what was written".to_owned()))
    }
}

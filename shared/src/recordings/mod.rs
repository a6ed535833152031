//! The object store for audio.
//!
//! Two backends: [`s3`] (any S3-compatible server) and [`directory`] (embedded). Both pass `conformance`.
//! Keys are ours (`recordings/<provider>/<yyyy>/<mm>/<call id>.<format>`), never taken from outside.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod directory;
pub mod s3;

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

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

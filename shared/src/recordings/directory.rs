//! Recordings in a directory of this machine: the embedded shape.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

use super::{ByteStream, Recordings, StoreError, checked};
use crate::private;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A directory that holds each object as a file of the same path.
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Makes the directory if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let root = root.into();
        private::directory(&root).map_err(|e| anyhow::anyhow!("cannot create {}: {e}", root.display()))?;
        Ok(Self { root })
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        Ok(self.root.join(checked(key)?))
    }
}

#[async_trait]
impl Recordings for Directory {
    async fn put(&self, key: &str, file: &Path, _content_type: &str) -> Result<(), StoreError> {
        let (target, source) = (self.path(key)?, file.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy_whole(&source, &target)).await;
        copied.map_err(io::Error::other).flatten().map_err(|e| classify(key, e))
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream, StoreError> {
        let open = async {
            let mut file = tokio::fs::File::open(self.path(key)?).await.map_err(|e| classify(key, e))?;
            let range = range.unwrap_or(0..u64::MAX);
            file.seek(SeekFrom::Start(range.start)).await.map_err(|e| classify(key, e))?;
            Ok(file.take(range.end.saturating_sub(range.start)))
        };
        Ok(ReaderStream::with_capacity(open.await?, CHUNK).boxed())
    }

    async fn size(&self, key: &str) -> Result<Option<u64>, StoreError> {
        match tokio::fs::metadata(self.path(key)?).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(classify(key, e)),
        }
    }

    async fn presign(&self, key: &str, _lifetime: Duration) -> Result<Option<String>, StoreError> {
        checked(key)?;
        Ok(None)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match tokio::fs::remove_file(self.path(key)?).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(classify(key, e)),
            _ => Ok(()),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        super::probe(self).await
    }
}

/// Copies beside the target and renames, so that nobody ever sees half a file, even after a power failure. Temporary files are
/// for their owner alone, and stay so.
fn copy_whole(source: &Path, target: &Path) -> io::Result<()> {
    let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
    private::directory(folder)?;
    let mut source = fs::File::open(source)?;
    let mut whole = NamedTempFile::with_prefix_in(".incoming-", folder)?;
    io::copy(&mut source, whole.as_file_mut())?;
    whole.as_file().sync_all()?;
    whole.persist(target).map_err(|e| e.error)?;
    fs::File::open(folder)?.sync_all()
}

fn classify(key: &str, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound(key.to_owned()),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::Refused(error.to_string()),
        _ => StoreError::Unreachable(error.to_string()),
    }
}

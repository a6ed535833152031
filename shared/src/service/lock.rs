//! One owner for the embedded directory: two processes that work on it would each miss the other's wake-ups.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use anyhow::{Context, bail};

use crate::private;

/// Held for as long as the process works on the directory; the system releases it also when the process is killed.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl DirectoryLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another process holds it.
    pub fn take(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("lock");
        let file = private::file(&path).with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "another process works on {}: stop it, or set TAPEDECK_DATA to another directory",
                directory.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock the data directory"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]
    use super::DirectoryLock;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let owner = DirectoryLock::take(directory.path()).unwrap();
        assert!(DirectoryLock::take(directory.path()).is_err());
        drop(owner);
        DirectoryLock::take(directory.path()).unwrap();
    }
}

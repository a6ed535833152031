//! Files and directories for their owner alone: what was said, and by whom, lies in them.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const DIRECTORY: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a directory, and those above it that are missing. One that is there is left as it is: it may be an operator's own.
///
/// # Errors
/// When it cannot be made.
pub fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(path)
}

/// Opens a file for writing, and makes it where it is missing.
///
/// # Errors
/// When it cannot be opened.
pub fn file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).mode(FILE).open(path)
}

/// Makes the file of an SQLite database where it is missing, and takes away what others may do with one that is there. What
/// SQLite lays beside it has the same mode.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn database(path: &Path) -> io::Result<()> {
    // One that is there must not be opened: closing it again would drop the locks that this process holds on it.
    match File::options().write(true).create_new(true).mode(FILE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    for path in [path.to_owned(), beside("-wal"), beside("-shm")] {
        match fs::metadata(&path) {
            Ok(known) if known.permissions().mode() & 0o077 != 0 => {
                fs::set_permissions(&path, Permissions::from_mode(FILE))?;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

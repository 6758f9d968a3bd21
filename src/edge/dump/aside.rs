//! A file that is written beside its place and moved there when it is whole.
//!
//! It is in the same directory, so that the move is one `rename`, and its name begins with a dot and ends in `.part`, so that no loader
//! takes it. (A file without a name, `O_TMPFILE`, would leave nothing even after SIGKILL; but it can be linked only to a name that is
//! free, never over the file of the last dump, and not every file system has it.) A lock says that its process lives: what is found
//! without one was left by a process that was killed, and is removed. A lock, unlike a process id, means the same in every
//! container that shares the directory.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Texts of queries hold what was asked of the databases: they are for the user that dumps them, whatever the umask lets through.
const MODE: u32 = 0o600;
/// More dumps into one place at once than anybody runs.
const MOST: u32 = 1_000;
const SUFFIX: &str = ".part";

/// The file aside. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    place: PathBuf,
    /// Whether the file has gone to its place, and `path` may be another's.
    moved: bool,
    /// A second handle, which keeps the lock for as long as the file has this name.
    _locked: File,
}

impl Aside {
    /// Makes the file for a place, and removes what others have left.
    pub(super) fn create(place: &Path) -> io::Result<(Self, File)> {
        let name = place.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let directory = directory_of(place);
        remove_left(directory, name);
        for number in 0..MOST {
            let path = directory.join(aside_name(name, Some(number)));
            let file = match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Another dump may have seen the file before it was locked, and removed it as left behind.
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_still(&path, &file) {
                let aside = Self { path, place: place.to_owned(), moved: false, _locked: file.try_clone()? };
                return Ok((aside, file));
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Moves the file to its place.
    pub(super) fn commit(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.place)?;
        self.moved = true;
        // So that the new name outlives the machine as well. Not every file system can; the file is in its place either way.
        let _ = File::open(directory_of(&self.place)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.moved {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn directory_of(place: &Path) -> &Path {
    place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `.NAME.NUMBER.part`, or how all of them begin.
fn aside_name(name: &OsStr, number: Option<u32>) -> OsString {
    let mut aside = OsString::from(".");
    aside.push(name);
    aside.push(".");
    if let Some(number) = number {
        aside.push(number.to_string());
        aside.push(SUFFIX);
    }
    aside
}

fn is_still(path: &Path, file: &File) -> bool {
    let id = |there: fs::Metadata| (there.dev(), there.ino());
    fs::metadata(path).ok().map(id).is_some_and(|there| file.metadata().ok().map(id) == Some(there))
}

/// Removes the files of dumps into the same place that ended without a word. That none is left is a courtesy: nothing depends on it.
fn remove_left(directory: &Path, name: &OsStr) {
    let prefix = aside_name(name, None);
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let number = entry.file_name();
        let number = number.as_bytes().strip_prefix(prefix.as_bytes());
        let number = number.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        if number.is_none_or(|number| number.is_empty() || !number.iter().all(u8::is_ascii_digit)) {
            continue;
        }
        let path = entry.path();
        // Locked, and still of that name: nobody writes it, and nobody can begin to.
        if let Ok(file) = OpenOptions::new().write(true).open(&path)
            && file.try_lock().is_ok()
            && is_still(&path, &file)
        {
            let _ = fs::remove_file(&path);
        }
    }
}

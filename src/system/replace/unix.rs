//! Replacing files on Unix, where a rename also replaces a file that is open.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use super::access::Access;
use super::path::folder_of;

pub(super) fn create(options: &mut OpenOptions, path: &Path, access: Access) -> io::Result<File> {
    if access == Access::Secret {
        options.mode(0o600);
    }
    // Refuses a symbolic link, and does not block on a FIFO.
    options
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

pub(super) fn follow(file: &File, _: &Path, old: &Metadata, access: Access) -> io::Result<()> {
    let new = file.metadata()?;
    let same_owner = new.uid() == old.uid();
    match access {
        // A program that root runs must leave the file to its owner. If the owner cannot be set,
        // the secret is not written.
        Access::Secret if same_owner => Ok(()),
        Access::Secret => fchown(file, Some(old.uid()), Some(old.gid())),
        Access::Plain => {
            let owner = (!same_owner).then(|| old.uid());
            let is_kept = (same_owner && new.gid() == old.gid())
                || fchown(file, owner, Some(old.gid())).is_ok();
            file.set_permissions(Permissions::from_mode(mode(old.mode(), is_kept)))
        }
    }
}

/// Returns the permission bits of the new file. If its group differs, the group gets no more than
/// everyone else.
fn mode(old: u32, same_group: bool) -> u32 {
    if same_group {
        old & 0o777
    } else {
        old & 0o707 | (old & 0o007) << 3 & old
    }
}

pub(super) fn identity_at(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}

pub(super) fn replace(path: &Path, target: &Path) -> io::Result<()> {
    fs::rename(path, target)
}

/// A hard link never replaces a file. On a file system without hard links, another program may
/// create the target between the check and the rename; the rename then replaces it.
pub(super) fn join(path: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(path, target) {
        Ok(()) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if target.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(path, target),
    }
}

/// Writes the folder to the disk, so that the new name survives a power failure. Some file systems
/// cannot; the file itself is complete in any case.
pub(super) fn settle(target: &Path) {
    let _ = File::open(folder_of(target)).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_group_may_no_more_than_all() {
        assert_eq!(mode(0o100_664, true), 0o664);
        assert_eq!(mode(0o100_664, false), 0o644);
        assert_eq!(mode(0o104_660, false), 0o600);
        assert_eq!(mode(0o100_604, false), 0o604);
    }
}

//! Names are links to files here, and a rename puts one in the place of another whoever has it
//! open.

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
    // Never through a link, and without waiting for a FIFO's other end.
    options
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

pub(super) fn follow(file: &File, _: &Path, old: &Metadata, access: Access) -> io::Result<()> {
    let new = file.metadata()?;
    let same_owner = new.uid() == old.uid();
    match access {
        // A program run as root must not take the file away from its owner; and a secret must not
        // go to one who may not have it.
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

/// A group that is another may do no more than all others.
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

/// A link is never made over a file. Where there are no links, a moment is left in which somebody
/// else may create one.
pub(super) fn join(path: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(path, target) {
        Ok(()) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if target.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(path, target),
    }
}

/// Makes the new name last. Some file systems cannot; the file is complete all the same.
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

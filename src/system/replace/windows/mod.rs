//! Replacing files on Windows, where a file that is open can only be renamed or replaced if every
//! program that has it open shares deletion.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, DELETE, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_NOT_CONTENT_INDEXED,
    FILE_ATTRIBUTE_SYSTEM, FILE_BASIC_INFO, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FileBasicInfo,
    GetFileInformationByHandle, MoveFileExW, READ_CONTROL, SetFileInformationByHandle, WRITE_DAC,
};

use super::access::Access;
use super::held::{self, is_denied};
use super::path::{folder_of, real};
use acl::{Rights, done};

mod acl;

pub(crate) use acl::who_else_reads;

/// The attributes that a user sets.
const ATTRIBUTES: u32 =
    FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;

/// Opens the file so that no other program can open it for reading or writing.
pub(super) fn create(options: &mut OpenOptions, path: &Path, access: Access) -> io::Result<File> {
    let access_mode = GENERIC_READ | GENERIC_WRITE | READ_CONTROL;
    options
        .share_mode(FILE_SHARE_DELETE)
        .access_mode(access_mode | WRITE_DAC);
    let file = match options.open(path) {
        // Some network shares forbid changing an access control list.
        Err(error) if is_denied(&error) => options.access_mode(access_mode).open(path),
        opened => opened,
    }?;
    // Other users have no access to a user profile. Elsewhere the file system may have no access
    // control lists, so a failure is ignored.
    if access == Access::Secret && Rights::of(&file).is_ok_and(|rights| rights.others().is_some()) {
        let _ = acl::make_private(&file);
    }
    Ok(file)
}

pub(super) fn follow(file: &File, old: &Path, metadata: &Metadata, _: Access) -> io::Result<()> {
    follow_attributes(file, metadata)?;
    let Ok(rights) = OpenOptions::new()
        .access_mode(READ_CONTROL)
        .open(old)
        .and_then(|old| Rights::of(&old))
    else {
        return Ok(());
    };
    let followed = rights.give(file);
    if followed.is_err() && rights.others().is_none() && Rights::of(file)?.others().is_some() {
        return followed;
    }
    Ok(())
}

fn follow_attributes(file: &File, old: &Metadata) -> io::Result<()> {
    let attributes = old.file_attributes() & ATTRIBUTES;
    if attributes == 0 {
        return Ok(());
    }
    // Windows keeps the times that are zero here.
    let information = FILE_BASIC_INFO {
        FileAttributes: attributes,
        ..FILE_BASIC_INFO::default()
    };
    let size = size_of::<FILE_BASIC_INFO>() as u32;
    // SAFETY: the handle is open. The structure has that size and outlives the call.
    done(unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw const information).cast(),
            size,
        )
    })
}

/// Returns the volume and the index of the file at `path`.
pub(super) fn identity_at(path: &Path) -> io::Result<(u32, u64)> {
    // Without access to the content, the open succeeds even while another program does not share
    // it.
    identity(
        &OpenOptions::new()
            .access_mode(FILE_READ_ATTRIBUTES)
            .open(path)?,
    )
}

pub(super) fn identity(file: &File) -> io::Result<(u32, u64)> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open. `found` is valid for writes.
    done(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) })?;
    Ok((
        found.dwVolumeSerialNumber,
        u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow),
    ))
}

pub(super) fn replace(path: &Path, target: &Path) -> io::Result<()> {
    // A folder never goes away: fails without retries.
    if target.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    held::while_held(|| fs::rename(path, target)).map_err(|error| why_denied(error, target))
}

/// A rename over an open file fails with "access denied". Opening the target for deletion returns
/// the true cause.
fn why_denied(error: io::Error, target: &Path) -> io::Error {
    match OpenOptions::new().access_mode(DELETE).open(target) {
        Err(reason) if is_denied(&error) && !is_denied(&reason) => held::with_kind(reason),
        _ => error,
    }
}

pub(super) fn join(path: &Path, target: &Path) -> io::Result<()> {
    let (path, target) = (wide(path)?, wide(target)?);
    held::while_held(|| {
        // SAFETY: both paths end with a NUL.
        done(unsafe { MoveFileExW(path.as_ptr(), target.as_ptr(), 0) })
    })
}

/// Returns the path in the form that has no length limit, ending with a NUL.
fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let whole = match path.file_name() {
        Some(name) => real(folder_of(path))?.join(name),
        None => path.to_owned(),
    };
    Ok(whole.as_os_str().encode_wide().chain([0]).collect())
}

/// Syncs the file. After a power failure the journal of the file system restores the old name or
/// the new one; this makes it the new one.
pub(super) fn settle(target: &Path) {
    let _ = OpenOptions::new()
        .write(true)
        .open(target)
        .and_then(|file| file.sync_all());
}

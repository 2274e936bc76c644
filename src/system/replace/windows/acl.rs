//! Access control lists, which say who may read a file.

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{GENERIC_ALL, GENERIC_READ, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, ACL_REVISION, AddAccessAllowedAce, CreateWellKnownSid,
    DACL_SECURITY_INFORMATION, GetAce, GetSecurityDescriptorControl, GetTokenInformation,
    INHERIT_ONLY_ACE, InitializeAcl, InitializeSecurityDescriptor, IsWellKnownSid,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SE_DACL_PROTECTED,
    SECURITY_DESCRIPTOR, SECURITY_MAX_SID_SIZE, SetKernelObjectSecurity, SetSecurityDescriptorDacl,
    TOKEN_QUERY, TOKEN_USER, TokenUser, UNPROTECTED_DACL_SECURITY_INFORMATION,
    WinAuthenticatedUserSid, WinBuiltinUsersSid, WinLocalSystemSid, WinWorldSid,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_ALL_ACCESS, FILE_READ_DATA, READ_CONTROL};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// `ACCESS_ALLOWED_ACE_TYPE`, the type of an entry that grants access.
const ALLOWED: u8 = 0;

/// `SECURITY_DESCRIPTOR_REVISION`.
const SECURITY_DESCRIPTOR_REVISION: u32 = 1;

/// Returns the name of a group beyond the owner that may read the file.
pub(crate) fn who_else_reads(path: &Path) -> Option<&'static str> {
    let file = OpenOptions::new()
        .access_mode(READ_CONTROL)
        .open(path)
        .ok()?;
    Rights::of(&file).ok()?.others()
}

/// The access control list of a file.
pub(super) struct Rights {
    descriptor: PSECURITY_DESCRIPTOR,
    /// Points into the descriptor; null if everyone has full access.
    list: *mut ACL,
}

impl Drop for Rights {
    fn drop(&mut self) {
        // SAFETY: `self` owns the descriptor, which the system allocated, or it is null.
        unsafe { LocalFree(self.descriptor) };
    }
}

impl Rights {
    const EMPTY: Self = Self {
        descriptor: ptr::null_mut(),
        list: ptr::null_mut(),
    };

    pub(super) fn of(file: &File) -> io::Result<Self> {
        let mut rights = Self::EMPTY;
        // SAFETY: the handle is open. The two places are valid for writes; the null ones are not
        // requested.
        let code = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut rights.list,
                ptr::null_mut(),
                &raw mut rights.descriptor,
            )
        };
        match code {
            0 => Ok(rights),
            code => Err(io::Error::from_raw_os_error(code as i32)),
        }
    }

    /// Sets this list, inherited entries included, on another file in the same folder.
    pub(super) fn give(&self, file: &File) -> io::Result<()> {
        let (mut control, mut revision) = (0, 0);
        // SAFETY: the descriptor is valid. Both places are valid for writes.
        done(unsafe {
            GetSecurityDescriptorControl(self.descriptor, &raw mut control, &raw mut revision)
        })?;
        let is_protected = control & SE_DACL_PROTECTED != 0;
        let kind = if is_protected {
            PROTECTED_DACL_SECURITY_INFORMATION
        } else {
            UNPROTECTED_DACL_SECURITY_INFORMATION
        };
        if self.list.is_null() {
            Ok(())
        } else {
            set(file, kind, self.descriptor)
        }
    }

    /// Returns the first well-known group of ordinary users that may read the file.
    pub(super) fn others(&self) -> Option<&'static str> {
        if self.list.is_null() {
            return Some("Everyone");
        }
        // SAFETY: the list is not null, and valid as long as the descriptor.
        let count = unsafe { (*self.list).AceCount };
        (0..u32::from(count)).find_map(|index| self.reader(index))
    }

    /// Returns the group that the entry at `index` allows to read.
    fn reader(&self, index: u32) -> Option<&'static str> {
        let mut entry: *mut c_void = ptr::null_mut();
        // SAFETY: the list is valid. `entry` is valid for writes.
        if unsafe { GetAce(self.list, index, &raw mut entry) } == 0 {
            return None;
        }
        // SAFETY: GetAce returned a valid entry, and every entry begins with a header.
        let header = unsafe { *entry.cast::<ACE_HEADER>() };
        if header.AceType != ALLOWED || u32::from(header.AceFlags) & INHERIT_ONLY_ACE != 0 {
            return None;
        }
        let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
        // SAFETY: an entry of this type has a mask, and a SID that begins at `SidStart`.
        let (mask, sid) = unsafe { ((*entry).Mask, (&raw mut (*entry).SidStart).cast::<c_void>()) };
        let groups = [
            (WinWorldSid, "Everyone"),
            (WinBuiltinUsersSid, "Users"),
            (WinAuthenticatedUserSid, "Authenticated Users"),
        ];
        // SAFETY: the SID is valid as long as the list.
        let is = |group| unsafe { IsWellKnownSid(sid, group) } != 0;
        let reads = mask & (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL) != 0;
        groups
            .into_iter()
            .find(|(group, _)| reads && is(*group))
            .map(|(_, name)| name)
    }
}

/// Grants access to the user of this process and to the system only.
pub(super) fn make_private(file: &File) -> io::Result<()> {
    // `u64` has the alignment that a list needs. There is room for two entries.
    let mut list = [0_u64; 32];
    let start = list.as_mut_ptr().cast::<ACL>();
    let mut descriptor = SECURITY_DESCRIPTOR::default();
    let whole = (&raw mut descriptor).cast::<c_void>();
    // SAFETY: the list has that size. The SIDs, the list and the descriptor are valid during the
    // calls.
    unsafe {
        done(InitializeAcl(
            start,
            size_of_val(&list) as u32,
            ACL_REVISION,
        ))?;
        let (user, mut system) = (user()?, system()?);
        let user = (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid;
        for sid in [user, system.as_mut_ptr().cast()] {
            done(AddAccessAllowedAce(
                start,
                ACL_REVISION,
                FILE_ALL_ACCESS,
                sid,
            ))?;
        }
        done(InitializeSecurityDescriptor(
            whole,
            SECURITY_DESCRIPTOR_REVISION,
        ))?;
        done(SetSecurityDescriptorDacl(whole, 1, start, 0))?;
    }
    set(file, PROTECTED_DACL_SECURITY_INFORMATION, whole)
}

fn set(file: &File, kind: u32, descriptor: PSECURITY_DESCRIPTOR) -> io::Result<()> {
    // SAFETY: the handle is open. The descriptor is valid.
    done(unsafe {
        SetKernelObjectSecurity(
            file.as_raw_handle(),
            DACL_SECURITY_INFORMATION | kind,
            descriptor,
        )
    })
}

/// Returns a `TOKEN_USER` and the SID that it points to, in a box because the SID must not move.
fn user() -> io::Result<Box<[u64; 32]>> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo handle is always valid. `token` is valid for writes.
    done(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the handle is open, and nothing else owns it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let (mut user, mut size) = (Box::new([0_u64; 32]), 0);
    // SAFETY: the token is open. The buffer is valid for writes of its size.
    done(unsafe {
        let room = size_of_val(&*user) as u32;
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            user.as_mut_ptr().cast(),
            room,
            &raw mut size,
        )
    })?;
    Ok(user)
}

fn system() -> io::Result<[u8; SECURITY_MAX_SID_SIZE as usize]> {
    let mut sid = [0; SECURITY_MAX_SID_SIZE as usize];
    let mut size = SECURITY_MAX_SID_SIZE;
    // SAFETY: the buffer is valid for writes of its size.
    done(unsafe {
        CreateWellKnownSid(
            WinLocalSystemSid,
            ptr::null_mut(),
            sid.as_mut_ptr().cast(),
            &raw mut size,
        )
    })?;
    Ok(sid)
}

pub(super) fn done(result: i32) -> io::Result<()> {
    if result == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::Authorization::ConvertStringSecurityDescriptorToSecurityDescriptorW;
    use windows_sys::Win32::Security::GetSecurityDescriptorDacl;

    use super::*;

    /// Parses a list in Windows' text notation (SDDL).
    fn rights(text: &str) -> Rights {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut rights = Rights::EMPTY;
        let (mut is_there, mut is_default) = (0, 0);
        // SAFETY: the text ends with a NUL. The places are valid for writes. The descriptor is
        // valid once the first call has succeeded.
        unsafe {
            let (place, revision) = (&raw mut rights.descriptor, SECURITY_DESCRIPTOR_REVISION);
            done(ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                revision,
                place,
                ptr::null_mut(),
            ))
            .unwrap();
            let (list, default) = (&raw mut rights.list, &raw mut is_default);
            done(GetSecurityDescriptorDacl(
                rights.descriptor,
                &raw mut is_there,
                list,
                default,
            ))
            .unwrap();
        }
        assert_ne!(is_there, 0);
        rights
    }

    #[test]
    fn groups_that_may_read_are_named() {
        for (text, who) in [
            ("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)", None),
            ("D:(A;;FA;;;SY)(A;;FR;;;WD)", Some("Everyone")),
            ("D:(A;;0x1200a9;;;BU)", Some("Users")),
            ("D:(A;;GR;;;AU)", Some("Authenticated Users")),
            ("D:(A;ID;GA;;;BU)", Some("Users")),
            // A denial, an entry that only files in a folder inherit, and one without reading.
            ("D:(D;;FR;;;WD)", None),
            ("D:(A;OICIIO;FR;;;WD)", None),
            ("D:(A;;0x2;;;WD)", None),
        ] {
            assert_eq!(rights(text).others(), who, "{text}");
        }
    }
}

//! The user's Credential Manager. Its functions ask nobody and answer at once, so that no limit is put on them.

use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_NO_SUCH_LOGON_SESSION, ERROR_NOT_FOUND, GetLastError};
use windows_sys::Win32::Security::Credentials::{
    CRED_PERSIST_LOCAL_MACHINE, CRED_TYPE_GENERIC, CREDENTIALW, CredDeleteW, CredFree, CredReadW, CredWriteW,
};
use zeroize::{Zeroize, Zeroizing};

use super::{KeyringProblem, Limits, SERVICE};
use crate::credentials::Environment;

pub(super) fn read(
    _: &Environment,
    account: &str,
    _: Limits<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringProblem> {
    let target = target(account);
    let mut credential: *mut CREDENTIALW = ptr::null_mut();
    // SAFETY: the target ends with a NUL, and `credential` is valid for writes.
    if unsafe { CredReadW(target.as_ptr(), CRED_TYPE_GENERIC, 0, &raw mut credential) } == 0 {
        return unless_missing().map(|()| None);
    }
    // SAFETY: after a success this is a credential of the system's until it is freed, once, below. Its blob, unless it
    // is empty, is of that size, and nothing else refers to it.
    unsafe {
        let size = usize::try_from((*credential).CredentialBlobSize).unwrap_or_default();
        let mut secret = Zeroizing::new(Vec::new());
        if size > 0 {
            let blob = std::slice::from_raw_parts_mut((*credential).CredentialBlob, size);
            secret = Zeroizing::new(blob.to_vec());
            blob.zeroize();
        }
        CredFree(credential.cast());
        Ok(Some(text_of(secret)))
    }
}

pub(super) fn write(
    _: &Environment,
    account: &str,
    mut secret: Zeroizing<String>,
    _: Limits<'_>,
) -> Result<(), KeyringProblem> {
    let mut target = target(account);
    let mut user = wide(account);
    // SAFETY: all zeros is a valid value of the structure.
    let mut credential: CREDENTIALW = unsafe { std::mem::zeroed() };
    credential.Type = CRED_TYPE_GENERIC;
    credential.TargetName = target.as_mut_ptr();
    credential.UserName = user.as_mut_ptr();
    credential.CredentialBlobSize =
        u32::try_from(secret.len()).map_err(|_| KeyringProblem::Refused("the key is too long".to_owned()))?;
    // SAFETY: the system only reads what is there, so that it stays UTF-8.
    credential.CredentialBlob = unsafe { secret.as_mut_vec() }.as_mut_ptr();
    credential.Persist = CRED_PERSIST_LOCAL_MACHINE;
    // SAFETY: the structure and all that it points to are valid, and the names end with a NUL.
    if unsafe { CredWriteW(&raw const credential, 0) } == 0 { Err(last_problem()) } else { Ok(()) }
}

pub(super) fn remove(_: &Environment, account: &str, _: Limits<'_>) -> Result<bool, KeyringProblem> {
    let target = target(account);
    // SAFETY: the target ends with a NUL.
    if unsafe { CredDeleteW(target.as_ptr(), CRED_TYPE_GENERIC, 0) } == 0 {
        return unless_missing().map(|()| false);
    }
    Ok(true)
}

/// The name of an entry.
fn target(account: &str) -> Vec<u16> {
    wide(&format!("{account}@{SERVICE}"))
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Other programs store UTF-16; every second byte of a key in it is zero.
fn text_of(secret: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let is_wide = secret.len().is_multiple_of(2) && secret.iter().skip(1).step_by(2).all(|byte| *byte == 0);
    if is_wide { Zeroizing::new(secret.iter().copied().step_by(2).collect()) } else { secret }
}

fn unless_missing() -> Result<(), KeyringProblem> {
    // SAFETY: has no requirements.
    if unsafe { GetLastError() } == ERROR_NOT_FOUND { Ok(()) } else { Err(last_problem()) }
}

fn last_problem() -> KeyringProblem {
    // SAFETY: has no requirements.
    match unsafe { GetLastError() } {
        ERROR_NO_SUCH_LOGON_SESSION => KeyringProblem::NoService,
        code => KeyringProblem::Refused(format!("Windows error {code}")),
    }
}

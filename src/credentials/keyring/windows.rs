//! The user's Credential Manager. Its functions never prompt and return at once, so the limits are
//! ignored.

use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_NO_SUCH_LOGON_SESSION, ERROR_NOT_FOUND, GetLastError};
use windows_sys::Win32::Security::Credentials::{
    CRED_PERSIST_LOCAL_MACHINE, CRED_TYPE_GENERIC, CREDENTIALW, CredDeleteW, CredFree, CredReadW,
    CredWriteW,
};
use zeroize::{Zeroize, Zeroizing};

use super::{KeyringProblem, Limits, SERVICE};
use crate::credentials::Environment;

pub(super) fn read(
    _: &Environment,
    account: &str,
    _: Limits<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringProblem> {
    for target in targets(account) {
        if let Some(entry) = Entry::read(&target)?
            && entry.is_of(account)
        {
            return Ok(Some(text_of(entry.secret())));
        }
    }
    Ok(None)
}

/// Stores under the short name, unless another account uses it.
pub(super) fn write(
    _: &Environment,
    account: &str,
    secret: Zeroizing<String>,
    _: Limits<'_>,
) -> Result<(), KeyringProblem> {
    let [short, long] = targets(account);
    match Entry::read(&short)? {
        Some(entry) if !entry.is_of(account) => put(long, account, &secret),
        _ => {
            put(short, account, &secret)?;
            // Otherwise the entry would stay, although nothing reads it any more.
            delete(&long).map(drop)
        }
    }
}

pub(super) fn remove(
    _: &Environment,
    account: &str,
    _: Limits<'_>,
) -> Result<bool, KeyringProblem> {
    let mut removed = false;
    for target in targets(account) {
        if Entry::read(&target)?.is_some_and(|entry| entry.is_of(account)) {
            removed |= delete(&target)?;
        }
    }
    Ok(removed)
}

/// Returns the short and the long name of an account's entry. Like Python's `keyring`, uses the
/// long name if another account has the short one.
fn targets(account: &str) -> [Vec<u16>; 2] {
    [wide(SERVICE), wide(&format!("{account}@{SERVICE}"))]
}

/// An entry that the system returned. Dropping it zeroizes the secret.
struct Entry(*mut CREDENTIALW);

impl Entry {
    fn read(target: &[u16]) -> Result<Option<Self>, KeyringProblem> {
        let mut credential: *mut CREDENTIALW = ptr::null_mut();
        // SAFETY: the target ends with a NUL. `credential` is valid for writes.
        if unsafe { CredReadW(target.as_ptr(), CRED_TYPE_GENERIC, 0, &raw mut credential) } == 0 {
            return unless_missing().map(|()| None);
        }
        Ok(Some(Self(credential)))
    }

    fn is_of(&self, account: &str) -> bool {
        // SAFETY: the credential is valid until it is freed.
        let user = unsafe { (*self.0).UserName };
        if user.is_null() {
            return false;
        }
        wide(account).iter().enumerate().all(|(at, unit)| {
            // SAFETY: the name ends with a NUL, and none of the units before `at` was the NUL,
            // since they equal those of `account`.
            unsafe { *user.add(at) == *unit }
        })
    }

    fn blob(&mut self) -> &mut [u8] {
        // SAFETY: the credential is valid until it is freed. A blob that is not empty has that
        // size, and nothing else refers to it.
        unsafe {
            match usize::try_from((*self.0).CredentialBlobSize) {
                Ok(size) if size > 0 => {
                    std::slice::from_raw_parts_mut((*self.0).CredentialBlob, size)
                }
                _ => &mut [],
            }
        }
    }

    fn secret(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.blob().to_vec())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.blob().zeroize();
        // SAFETY: the system allocated the credential, and this is the only place that frees it.
        unsafe { CredFree(self.0.cast()) };
    }
}

fn put(mut target: Vec<u16>, account: &str, secret: &str) -> Result<(), KeyringProblem> {
    let mut user = wide(account);
    // UTF-16, because other programs read an even number of bytes as UTF-16.
    let mut blob = Zeroizing::new(Vec::with_capacity(2 * secret.len()));
    blob.extend(secret.encode_utf16().flat_map(u16::to_le_bytes));
    let size = u32::try_from(blob.len())
        .map_err(|_| KeyringProblem::Failed("the key is too long".to_owned()))?;
    let credential = CREDENTIALW {
        Type: CRED_TYPE_GENERIC,
        TargetName: target.as_mut_ptr(),
        UserName: user.as_mut_ptr(),
        CredentialBlobSize: size,
        CredentialBlob: blob.as_mut_ptr(),
        Persist: CRED_PERSIST_LOCAL_MACHINE,
        ..CREDENTIALW::default()
    };
    // SAFETY: the structure and everything it points to are valid. The names end with a NUL.
    if unsafe { CredWriteW(&raw const credential, 0) } == 0 {
        Err(last_problem())
    } else {
        Ok(())
    }
}

fn delete(target: &[u16]) -> Result<bool, KeyringProblem> {
    // SAFETY: the target ends with a NUL.
    if unsafe { CredDeleteW(target.as_ptr(), CRED_TYPE_GENERIC, 0) } == 0 {
        return unless_missing().map(|()| false);
    }
    Ok(true)
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Returns the secret as UTF-8. Other programs store UTF-16, in which every second byte of a key is
/// zero.
fn text_of(secret: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let is_wide =
        secret.len().is_multiple_of(2) && secret.iter().skip(1).step_by(2).all(|byte| *byte == 0);
    if is_wide {
        Zeroizing::new(secret.iter().copied().step_by(2).collect())
    } else {
        secret
    }
}

fn unless_missing() -> Result<(), KeyringProblem> {
    // SAFETY: this function has no preconditions.
    if unsafe { GetLastError() } == ERROR_NOT_FOUND {
        Ok(())
    } else {
        Err(last_problem())
    }
}

fn last_problem() -> KeyringProblem {
    // SAFETY: this function has no preconditions.
    match unsafe { GetLastError() } {
        ERROR_NO_SUCH_LOGON_SESSION => KeyringProblem::NoService,
        code => KeyringProblem::Failed(format!("Windows error {code}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits<'_> = Limits {
        timeout: Duration::ZERO,
        cancelled: &|| false,
    };

    fn found(account: &str) -> Option<String> {
        let secret = read(&Environment::process(), account, LIMITS).unwrap()?;
        Some(String::from_utf8(secret.to_vec()).unwrap())
    }

    fn store(account: &str, secret: &str) {
        let secret = Zeroizing::new(secret.to_owned());
        write(&Environment::process(), account, secret, LIMITS).unwrap();
    }

    fn removed(account: &str) -> bool {
        remove(&Environment::process(), account, LIMITS).unwrap()
    }

    fn long(account: &str) -> Vec<u16> {
        wide(&format!("{account}@{SERVICE}"))
    }

    fn targets_that_exist(account: &str) -> [bool; 2] {
        targets(account).map(|target| Entry::read(&target).unwrap().is_some())
    }

    /// One test, because all accounts share the short name.
    #[test]
    fn entries_are_found_and_made_as_python_does() {
        for account in ["default", "team"] {
            removed(account);
        }
        assert_eq!(found("default"), None);
        // The first entry has the short name and belongs to one account.
        put(wide(SERVICE), "default", "fake-id:fake-secret-1").unwrap();
        assert_eq!(
            (found("default").as_deref(), found("team")),
            (Some("fake-id:fake-secret-1"), None)
        );
        // A second account does not replace it.
        store("team", "fake-id:fake-secret-2");
        assert_eq!(targets_that_exist("team"), [true, true]);
        assert_eq!(found("team").as_deref(), Some("fake-id:fake-secret-2"));
        store("default", "fake-id:fake-secret-3");
        assert_eq!(found("default").as_deref(), Some("fake-id:fake-secret-3"));
        assert!(removed("default") && !removed("default"));
        assert_eq!(
            (found("default"), found("team").as_deref()),
            (None, Some("fake-id:fake-secret-2"))
        );
        // Python moves the first entry to the long name.
        put(long("default"), "default", "fake-id:fake-secret-4").unwrap();
        put(wide(SERVICE), "other", "fake-id:fake-secret-5").unwrap();
        assert_eq!(found("default").as_deref(), Some("fake-id:fake-secret-4"));
        // The entry under the short name is neither read nor removed for another account.
        assert_eq!(found("othe"), None);
        assert!(removed("team") && removed("default") && !removed("default"));
        assert_eq!(found("other").as_deref(), Some("fake-id:fake-secret-5"));
        // An account uses only one of its two names.
        put(long("other"), "other", "fake-id:fake-secret-6").unwrap();
        store("other", "fake-id:fake-secret-7");
        assert_eq!(targets_that_exist("other"), [true, false]);
        assert!(removed("other"));
    }

    #[test]
    fn both_encodings_are_read() {
        let text = |bytes: &[u8]| text_of(Zeroizing::new(bytes.to_vec())).to_vec();
        assert_eq!(text(b"a\0:\0b\0"), b"a:b");
        assert_eq!(text(b"a:bc"), b"a:bc");
        assert_eq!(text(b"a:b"), b"a:b");
        assert_eq!(text(b""), b"");
    }
}

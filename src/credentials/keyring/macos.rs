//! The user's default Keychain.
//!
//! Its functions block while the user is prompted, and cannot be cancelled. Each call therefore
//! runs on a thread of its own. After the timeout that thread keeps running until the user answers
//! the prompt; a shutdown waits for it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use security_framework::base::Error;
use security_framework::passwords::{
    delete_generic_password, get_generic_password, set_generic_password,
};
use zeroize::Zeroizing;

use super::{KeyringProblem, Limits, SERVICE, TICK};
use crate::credentials::Environment;
use crate::runtime;

/// errSecItemNotFound
const NOT_FOUND: i32 = -25300;
/// errSecInteractionNotAllowed
const NO_DISPLAY: i32 = -25308;
/// errSecUserCanceled
const DISMISSED: i32 = -128;
/// errSecNoDefaultKeychain
const NO_KEYCHAIN: i32 = -25307;

pub(super) fn read(
    _: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringProblem> {
    let account = account.to_owned();
    let found = limited(limits, move || {
        get_generic_password(SERVICE, &account).map(Zeroizing::new)
    })?;
    unless_missing(found)
}

pub(super) fn write(
    _: &Environment,
    account: &str,
    secret: Zeroizing<String>,
    limits: Limits<'_>,
) -> Result<(), KeyringProblem> {
    let account = account.to_owned();
    limited(limits, move || {
        set_generic_password(SERVICE, &account, secret.as_bytes())
    })?
    .map_err(problem)
}

pub(super) fn remove(
    _: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<bool, KeyringProblem> {
    let account = account.to_owned();
    let removed = limited(limits, move || delete_generic_password(SERVICE, &account))?;
    Ok(unless_missing(removed)?.is_some())
}

/// Turns the error of a missing entry into `None`.
fn unless_missing<T>(outcome: Result<T, Error>) -> Result<Option<T>, KeyringProblem> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(problem(error)),
    }
}

fn problem(error: Error) -> KeyringProblem {
    match error.code() {
        NO_DISPLAY => KeyringProblem::Locked,
        DISMISSED => KeyringProblem::Dismissed,
        NO_KEYCHAIN => KeyringProblem::NoCollection,
        code => KeyringProblem::Failed(format!("OSStatus {code}")),
    }
}

/// Runs `call` until it returns, the timeout expires, or the caller cancels.
fn limited<T: Send + 'static>(
    limits: Limits<'_>,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, KeyringProblem> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let counted = runtime::counted();
    let run = move || {
        // Counts until the call returns, so that a shutdown waits for it even after the timeout.
        let _counted = counted;
        // Fails if the caller has stopped waiting.
        let _ = sender.send(call());
    };
    std::thread::Builder::new()
        .name("fal-keyring".to_owned())
        .spawn(run)
        .map_err(|error| KeyringProblem::Failed(error.kind().to_string()))?;
    let begun = Instant::now();
    loop {
        let left = limits.timeout.saturating_sub(begun.elapsed());
        match receiver.recv_timeout(TICK.min(left)) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(KeyringProblem::Failed("its client panicked".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if (limits.cancelled)() => {
                return Err(KeyringProblem::Cancelled);
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                return Err(KeyringProblem::TimedOut(limits.timeout));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

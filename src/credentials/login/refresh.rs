//! The renewal of a login, in two halves: before and after the HTTP request.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use url::form_urlencoded;
use zeroize::Zeroizing;

use super::error::LoginError;
use super::file::LoginFile;
use super::lock::{Locks, Wait};
use super::replacement::Replacement;
use super::response;
use super::token::AccessToken;
use crate::credentials::credential::Token;

/// The OAuth client id of the official CLI. It is public.
const CLIENT_ID: &str = "TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N";

/// How long [`Refresh::failed`] waits for new tokens of another program.
///
/// The official Python client renews a login without the lock, and takes the lock to store the
/// tokens. If fal refuses a token because that client has used it, the new tokens appear in the
/// file a moment later.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(50);

/// The outcome of [`LoginFile::begin`].
#[derive(Debug)]
pub enum Begun {
    /// The file holds a fresh access token. No request is needed.
    Fresh(AccessToken),
    /// A request is needed. Other threads and processes wait for its end.
    Refresh(Box<Refresh>),
}

impl LoginFile {
    /// Starts a renewal, unless the file holds a fresh access token.
    ///
    /// Takes the lock of the official clients and reads the file again. If several threads and
    /// processes find an expired token at the same time, one of them renews it, and the others get
    /// [`Begun::Fresh`]. `rejected` is an access token that fal has refused; it counts as expired.
    ///
    /// # Errors
    /// - Those of [`LoginFile::read`].
    /// - [`LoginError::LoggedOut`] if there is no login.
    /// - [`LoginError::NoLock`], [`LoginError::Locked`] and [`LoginError::Cancelled`] for the lock.
    /// - [`LoginError::NotWritable`] if the next refresh token could not be stored. The present
    ///   refresh token must not be used then.
    pub fn begin(
        &self,
        now: SystemTime,
        rejected: Option<&str>,
        wait: Wait<'_>,
    ) -> Result<Begun, LoginError> {
        let started = Instant::now();
        // Without a login, the folder must stay untouched: a lock would create a file.
        self.read()?.ok_or(LoginError::LoggedOut)?;
        let locks = Locks::acquire(&self.folder, wait);
        // Another process may have renewed the login or logged out while this one waited.
        let login = self.read()?.ok_or(LoginError::LoggedOut)?;
        let now = now + started.elapsed();
        if let Some(access) = login
            .access
            .filter(|access| access.is_fresh(now) && rejected != Some(access.expose()))
        {
            return Ok(Begun::Fresh(access));
        }
        let locks = locks?;
        let replacement =
            Replacement::prepare(&self.path()).map_err(|error| LoginError::NotWritable {
                path: self.location(),
                kind: error.kind(),
            })?;
        Ok(Begun::Refresh(Box::new(Refresh {
            login: self.clone(),
            refresh_token: login.refresh_token,
            replacement,
            locks,
        })))
    }
}

/// A renewal in progress. Holds the locks until it is dropped. `Debug` shows no token.
pub struct Refresh {
    login: LoginFile,
    refresh_token: Zeroizing<String>,
    replacement: Replacement,
    locks: Locks,
}

/// The outcome of a renewal.
#[derive(Debug)]
pub struct Renewed {
    /// The new access token.
    pub access: AccessToken,
    /// Why the new tokens were not stored, or `None` if they were. The access token is valid in
    /// either case.
    pub not_stored: Option<LoginError>,
}

impl Refresh {
    /// Returns the refresh token in the request body, which must not appear in logs and errors.
    pub(crate) fn sent(&self) -> Token {
        Token::of_any_form(self.refresh_token.clone())
    }

    /// Returns the body of the request.
    pub fn form(&self) -> Zeroizing<String> {
        // Encoding may triple the length. A string that grows leaves copies of the secret in
        // memory.
        let target = String::with_capacity(128 + 3 * self.refresh_token.len());
        let mut form = form_urlencoded::Serializer::new(target);
        form.append_pair("grant_type", "refresh_token");
        form.append_pair("client_id", CLIENT_ID);
        form.append_pair("refresh_token", &self.refresh_token);
        Zeroizing::new(form.finish())
    }

    /// Stores the tokens of a response with status 200. Keeps the old refresh token if the response
    /// has no new one.
    ///
    /// # Errors
    /// [`LoginError::BadAnswer`]. The file is unchanged.
    pub fn complete(self, body: &[u8], now: SystemTime) -> Result<Renewed, LoginError> {
        let tokens = response::tokens(body, now)?;
        let next = tokens
            .refresh_token
            .as_ref()
            .unwrap_or(&self.refresh_token)
            .clone();
        let not_stored = self.store(&next, &tokens.access).err();
        Ok(Renewed {
            access: tokens.access,
            not_stored,
        })
    }

    fn store(self, refresh_token: &str, access: &AccessToken) -> Result<(), LoginError> {
        let path = self.login.location();
        // A program that ignores the lock may have logged out or in. Its change must stay.
        let stored = self.login.read()?;
        if stored.is_none_or(|stored| stored.refresh_token != self.refresh_token) {
            return Err(LoginError::ChangedMeanwhile { path });
        }
        let access = access.expose();
        let mut text = Zeroizing::new(String::with_capacity(
            refresh_token.len() + 1 + access.len(),
        ));
        for part in [refresh_token, "\n", access] {
            text.push_str(part);
        }
        self.replacement
            .commit(&text)
            .map_err(|error| LoginError::NotStored {
                path,
                kind: error.kind(),
            })
    }

    /// Reads a response with a status other than 200.
    ///
    /// Does not delete the file, although the official CLI does: a network failure or an outage is
    /// not a logout. If fal no longer accepts the refresh token, another program may have used it.
    /// Then this function releases the lock of the official clients, waits up to 3 s for new tokens
    /// in the file, and returns the new access token.
    ///
    /// # Errors
    /// [`LoginError::Refused`]. [`LoginError::needs_login`] tells whether a retry is pointless.
    pub fn failed(
        self,
        status: u16,
        body: &[u8],
        now: SystemTime,
        wait: Wait<'_>,
    ) -> Result<AccessToken, LoginError> {
        let error = response::refusal(status, body, &self.refresh_token);
        if !error.needs_login() {
            return Err(error);
        }
        let Self {
            login,
            refresh_token,
            mut locks,
            ..
        } = self;
        locks.release_official();
        let started = Instant::now();
        loop {
            // If the file cannot be read, the refusal is the better error.
            let stored = login
                .read()
                .ok()
                .flatten()
                .filter(|stored| stored.refresh_token != refresh_token);
            let fresh =
                stored.and_then(|stored| stored.access_token(now + started.elapsed()).cloned());
            if let Some(access) = fresh {
                return Ok(access);
            }
            let is_over = started.elapsed() >= PATIENCE.min(wait.limit);
            if is_over || wait.cancelled.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh")
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

//! A renewal between its two halves.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use url::form_urlencoded;
use zeroize::Zeroizing;

use super::answer;
use super::error::LoginError;
use super::file::LoginFile;
use super::lock::{Locks, Wait};
use super::replacement::Replacement;
use super::token::AccessToken;
use crate::credentials::credential::Token;

/// The public name of the official CLI, for which fal issues these tokens.
const CLIENT_ID: &str = "TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N";

/// The official Python client renews without the lock, and takes it to store the result. If fal
/// refuses a token because that client was faster, the result is in the file a moment later.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(50);

/// What became of [`LoginFile::begin`].
#[derive(Debug)]
pub enum Begun {
    /// The file holds a token that is fresh: no request is needed.
    Fresh(AccessToken),
    /// A request is needed, and everybody else waits for it.
    Refresh(Box<Refresh>),
}

impl LoginFile {
    /// Starts a renewal, or finds that none is needed.
    ///
    /// Takes the lock of the official clients, then looks at the file again: of all threads and
    /// processes that find an expired token at once, one renews it and the others get
    /// [`Begun::Fresh`]. `rejected` is an access token that fal refused: as long as the file holds
    /// it, it is not fresh.
    ///
    /// # Errors
    /// [`LoginError::LoggedOut`] without a login; those of [`LoginFile::read`];
    /// [`LoginError::Locked`] after the wait; [`LoginError::Cancelled`];
    /// [`LoginError::NotWritable`] if the next refresh token could not be stored, in which case
    /// this one must not be used up.
    pub fn begin(
        &self,
        now: SystemTime,
        rejected: Option<&str>,
        wait: Wait<'_>,
    ) -> Result<Begun, LoginError> {
        let started = Instant::now();
        // Without a login nothing is locked, so that nothing is created.
        self.read()?.ok_or(LoginError::LoggedOut)?;
        let locks = Locks::acquire(&self.folder, wait);
        // Others may have renewed it or logged out meanwhile.
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
        Ok(Begun::Refresh(Box::new(Refresh::new(
            self.clone(),
            login.refresh_token,
            replacement,
            locks,
        ))))
    }
}

/// A renewal that was begun. Holds the locks until it is dropped; `Debug` shows no token.
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
    /// Why the new tokens are not in the file, should they not be. This process can go on with the
    /// access token.
    pub not_stored: Option<LoginError>,
}

impl Refresh {
    pub(super) fn new(
        login: LoginFile,
        refresh_token: Zeroizing<String>,
        replacement: Replacement,
        locks: Locks,
    ) -> Self {
        Self {
            login,
            refresh_token,
            replacement,
            locks,
        }
    }

    /// The token that the body holds, so that it can be hidden where it comes back.
    pub(crate) fn sent(&self) -> Token {
        Token::of_any_form(self.refresh_token.clone())
    }

    /// The body of the request.
    pub fn form(&self) -> Zeroizing<String> {
        // Each byte of a token may take three; growing would leave copies of the secret behind.
        let target = String::with_capacity(128 + 3 * self.refresh_token.len());
        let mut form = form_urlencoded::Serializer::new(target);
        form.append_pair("grant_type", "refresh_token");
        form.append_pair("client_id", CLIENT_ID);
        form.append_pair("refresh_token", &self.refresh_token);
        Zeroizing::new(form.finish())
    }

    /// Stores the tokens of an answer with status 200. The old refresh token stays if the answer
    /// has none.
    ///
    /// # Errors
    /// [`LoginError::BadAnswer`]; the file is as it was.
    pub fn complete(self, body: &[u8], now: SystemTime) -> Result<Renewed, LoginError> {
        let tokens = answer::tokens(body, now)?;
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
        // A logout or another login that did not mind the lock is not undone.
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

    /// Reads an answer with another status than 200.
    ///
    /// The file is kept, unlike the official CLI's habit of deleting it: a bad moment of the
    /// network or of the service is no logout. If fal no longer knows the refresh token, another
    /// program may have used it meanwhile: then its access token is returned, for which up to 3 s
    /// are waited while the official clients may write.
    ///
    /// # Errors
    /// [`LoginError::Refused`] otherwise; [`LoginError::needs_login`] says whether trying again is
    /// pointless.
    pub fn failed(
        self,
        status: u16,
        body: &[u8],
        now: SystemTime,
        wait: Wait<'_>,
    ) -> Result<AccessToken, LoginError> {
        let error = answer::refusal(status, body, &self.refresh_token);
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
            // A file that cannot be read is no better news than the refusal.
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

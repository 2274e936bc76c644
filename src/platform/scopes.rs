//! What is known about the scopes of the keys that a client used: learned from answers, never guessed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::Operation;
use crate::credentials::Credential;
use crate::error::{Code, Error};
use crate::key::Scope;

/// By the public id of the key. A key's scope never changes.
#[derive(Debug, Default)]
pub(crate) struct Scopes(Mutex<HashMap<String, Scope>>);

impl Scopes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Scope>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scope of a key, as far as is known.
    pub(crate) fn known(&self, credential: &Credential) -> Option<Scope> {
        match credential {
            Credential::Key(key) => self.lock().get(key.id()).copied(),
            _ => None,
        }
    }

    pub(crate) fn learn(&self, credential: &Credential, scope: Scope) {
        if let Credential::Key(key) = credential {
            self.lock().insert(key.id().to_owned(), scope);
        }
    }

    /// Learns from an operation of the Platform API that needs the scope ADMIN. A success proves that the key has it. A 403 by fal
    /// proves that it has not (fal-protocol.md §2.5), unless the account may have lacked something else. A 401 proves nothing
    /// (§16.42).
    pub(crate) fn observe<T>(&self, (method, path): (&str, &str), credential: &Credential, outcome: &Result<T, Error>) {
        let operation = path.strip_prefix("/v1").and_then(|path| Operation::at(method, path));
        let Some(operation) = operation.filter(|operation| operation.scope == Some(Scope::Admin)) else { return };
        match outcome {
            Ok(_) => self.learn(credential, Scope::Admin),
            Err(error) if says_denied(error) && operation.needs.is_none() && self.known(credential).is_none() => {
                self.learn(credential, Scope::Api);
            }
            Err(_) => {}
        }
    }
}

fn says_denied(error: &Error) -> bool {
    error.code() == Code::Forbidden
        && error.http_status() == Some(403)
        && error.error_type() == Some("authorization_error")
}

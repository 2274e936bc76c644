//! The scopes of the keys that a client has used, learned from responses.

use arc_swap::ArcSwap;

use crate::credentials::Credential;
use crate::error::{Code, Error};
use crate::key::Scope;
use crate::openapi::Operation;

/// The most keys whose scope is remembered. The oldest are forgotten.
const MOST: usize = 32;

/// Scopes by the public id of the key. The scope of a key never changes. A forked child inherits
/// the scopes, because there is no lock.
#[derive(Debug, Default)]
pub(crate) struct Scopes(ArcSwap<Vec<(String, Scope)>>);

impl Scopes {
    /// Returns the scope of a key, if it is known.
    pub(crate) fn known(&self, credential: &Credential) -> Option<Scope> {
        let Credential::Key(key) = credential else {
            return None;
        };
        let scopes = self.0.load();
        let found = scopes.iter().find(|(id, _)| id == key.id());
        found.map(|(_, scope)| *scope)
    }

    pub(crate) fn learn(&self, credential: &Credential, scope: Scope) {
        if let Credential::Key(key) = credential
            && self.known(credential) != Some(scope)
        {
            self.0.rcu(|known| {
                let mut scopes = vec![(key.id().to_owned(), scope)];
                let others = known.iter().filter(|(id, _)| id != key.id());
                scopes.extend(others.take(MOST - 1).cloned());
                scopes
            });
        }
    }

    /// Learns from an operation of the Platform API that needs the scope ADMIN. A success proves
    /// that the key has the scope. A 403 from fal proves that the key does not have it
    /// (docs/protocol.md §2.5), unless the operation needs more than the scope. A 401 proves
    /// nothing (§16.42).
    pub(crate) fn observe<T>(
        &self,
        (method, path): (&str, &str),
        credential: &Credential,
        outcome: &Result<T, Error>,
    ) {
        let operation = path
            .strip_prefix("/v1")
            .and_then(|path| Operation::at(method, path));
        let Some(operation) = operation.filter(|operation| operation.scope == Some(Scope::Admin))
        else {
            return;
        };
        match outcome {
            Ok(_) => self.learn(credential, Scope::Admin),
            Err(error)
                if says_denied(error)
                    && operation.needs.is_none()
                    && self.known(credential).is_none() =>
            {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    #[test]
    fn what_is_known_stays_small_and_true() {
        let key = |n: usize| {
            Credential::Key(
                Key::parse(&format!("fake-{n}:fake-secret-of-scopes"))
                    .unwrap()
                    .0,
            )
        };
        let scopes = Scopes::default();
        (0..MOST + 10).for_each(|n| scopes.learn(&key(n), Scope::Api));
        scopes.learn(&key(MOST), Scope::Admin);
        assert_eq!(scopes.0.load().len(), MOST);
        assert_eq!(scopes.known(&key(0)), None);
        assert_eq!(
            (scopes.known(&key(MOST)), scopes.known(&key(MOST + 9))),
            (Some(Scope::Admin), Some(Scope::Api))
        );
    }
}

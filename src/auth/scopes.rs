//! What is known about the scopes of the keys that a client used: learned from answers, never
//! guessed.

use arc_swap::ArcSwap;

use crate::credentials::Credential;
use crate::error::{Code, Error};
use crate::key::Scope;
use crate::openapi::Operation;

/// Of so many keys, the last that were learned of.
const MOST: usize = 32;

/// By the public id of the key. A key's scope never changes. Without a lock, so a forked child
/// inherits what is known.
#[derive(Debug, Default)]
pub(crate) struct Scopes(ArcSwap<Vec<(String, Scope)>>);

impl Scopes {
    /// The scope of a key, as far as is known.
    pub(crate) fn known(&self, credential: &Credential) -> Option<Scope> {
        match credential {
            Credential::Key(key) => self
                .0
                .load()
                .iter()
                .find(|(id, _)| id == key.id())
                .map(|(_, scope)| *scope),
            _ => None,
        }
    }

    pub(crate) fn learn(&self, credential: &Credential, scope: Scope) {
        if let Credential::Key(key) = credential {
            if self.known(credential) == Some(scope) {
                return;
            }
            self.0.rcu(|known| {
                let others = known
                    .iter()
                    .filter(|(id, _)| id != key.id())
                    .take(MOST - 1)
                    .cloned();
                std::iter::once((key.id().to_owned(), scope))
                    .chain(others)
                    .collect::<Vec<_>>()
            });
        }
    }

    /// Learns from an operation of the Platform API that needs the scope ADMIN. A success proves
    /// that the key has it. A 403 by fal proves that it has not (docs/protocol.md §2.5), unless the
    /// account may have lacked something else. A 401 proves nothing (§16.42).
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

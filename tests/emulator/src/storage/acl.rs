//! The permissions to read a file (docs/protocol.md §9.6).

use serde::{Deserialize, Serialize};

/// The response to a reader. A later variant is more permissive, and `hide` ranks below `forbid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// 404.
    Hide,
    /// 403.
    Forbid,
    /// The file.
    Allow,
}

/// The decision for one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The nickname of the account.
    pub user: String,
    /// The decision.
    pub decision: Decision,
}

/// The permissions of a file for readers other than its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// The decision for accounts that no rule names.
    pub default: Decision,
    /// The decisions for single accounts.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

impl Default for Acl {
    fn default() -> Self {
        Self {
            default: Decision::Allow,
            rules: Vec::new(),
        }
    }
}

impl Acl {
    /// The decision for a request by these accounts: the most permissive of their rules.
    pub(crate) fn decide(&self, owner: Option<&str>, readers: &[String]) -> Decision {
        if readers.iter().any(|reader| owner == Some(reader)) {
            return Decision::Allow;
        }
        let named = self
            .rules
            .iter()
            .filter(|rule| readers.contains(&rule.user));
        named
            .map(|rule| rule.decision)
            .max()
            .unwrap_or(self.default)
    }

    /// Removes rules about unknown accounts, and turns a user id (`fake|nickname`) into its
    /// nickname.
    pub(crate) fn with_known(mut self, exists: impl Fn(&str) -> bool) -> Self {
        for rule in &mut self.rules {
            if let Some(nickname) = rule.user.strip_prefix("fake|") {
                rule.user = nickname.to_owned();
            }
        }
        self.rules
            .retain(|rule| !rule.user.is_empty() && exists(&rule.user));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_permissive_outcome_counts() {
        let rule = |user: &str, decision| Rule {
            user: user.into(),
            decision,
        };
        let acl = Acl {
            default: Decision::Forbid,
            rules: vec![
                rule("alice", Decision::Allow),
                rule("bob", Decision::Hide),
                rule("eve", Decision::Forbid),
            ],
        };
        for (readers, decision) in [
            (&[][..], Decision::Forbid),
            (&["nobody"], Decision::Forbid),
            (&["owner"], Decision::Allow),
            (&["alice"], Decision::Allow),
            (&["bob"], Decision::Hide),
            (&["bob", "eve"], Decision::Forbid),
            (&["bob", "eve", "alice"], Decision::Allow),
        ] {
            let readers: Vec<String> = readers.iter().map(|&reader| reader.into()).collect();
            assert_eq!(acl.decide(Some("owner"), &readers), decision, "{readers:?}");
        }
        assert_eq!(acl.decide(None, &["owner".into()]), Decision::Forbid);
    }

    #[test]
    fn unknown_accounts_are_dropped() {
        let text = r#"{"default":"hide","rules":[{"user":"fake|alice","decision":"allow"},{"user":"x","decision":"allow"}]}"#;
        let acl: Acl = serde_json::from_str(text).unwrap();
        let known = acl.with_known(|account| account == "alice");
        assert_eq!(
            known.rules,
            [Rule {
                user: "alice".into(),
                decision: Decision::Allow
            }]
        );
    }
}

//! What the sources leave open about the Platform API, and what an account has (docs/protocol.md
//! §14, §16.40, §16.41).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::DEFAULT_ACCOUNT;
use crate::prices::Discount;

/// What becomes of a parameter of the query that an operation does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownParameters {
    /// It does nothing.
    #[default]
    Ignored,
    /// 400.
    Refused,
}

/// How the pages of a list contradict themselves, or what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddPages {
    /// `has_more` is true, and there is no `next_cursor`.
    MoreWithoutCursor,
    /// `has_more` is false, and there is a `next_cursor`.
    CursorWithoutMore,
    /// A page holds half of what was asked for.
    Short,
}

/// An organization and its teams, which are accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// Whose ADMIN keys see the organization. One of the teams.
    pub root: String,
    /// Accounts, with the root.
    pub teams: Vec<String>,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            root: DEFAULT_ACCOUNT.into(),
            teams: vec![DEFAULT_ACCOUNT.into(), "acme-research".into()],
        }
    }
}

/// The Platform API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformSettings {
    /// What becomes of unknown parameters (§16.41).
    pub unknown_parameters: UnknownParameters,
    /// More requests of one key in a minute are 429; by default none is too many.
    pub requests_per_minute: Option<u32>,
    /// The same for all who come without a key; by default as `requests_per_minute`.
    pub anonymous_requests_per_minute: Option<u32>,
    /// Whether accounts may use what needs an enterprise contract: 403 otherwise.
    pub enterprise: bool,
    /// Whether accounts may have machines: 403 otherwise.
    pub compute: bool,
    /// The organization; with null nobody has one, and its operations are 403.
    pub organization: Option<Organization>,
    /// Percent off the list prices, by account.
    pub discounts: BTreeMap<String, Discount>,
    /// Endpoints that no key may call: 403.
    pub blocked_models: Vec<String>,
    /// How pages that are not the last are odd; by default they are as documented.
    pub odd_pages: Option<OddPages>,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            unknown_parameters: UnknownParameters::default(),
            requests_per_minute: None,
            anonymous_requests_per_minute: None,
            enterprise: true,
            compute: true,
            organization: Some(Organization::default()),
            discounts: BTreeMap::new(),
            blocked_models: Vec::new(),
            odd_pages: None,
        }
    }
}

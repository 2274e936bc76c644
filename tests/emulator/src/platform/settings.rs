//! The behaviours of the Platform API that the sources leave open, and the contracts of accounts
//! (docs/protocol.md §14, §16.40, §16.41).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::DEFAULT_ACCOUNT;
use crate::prices::Discount;

/// The treatment of a query parameter that an operation does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownParameters {
    /// It is ignored.
    #[default]
    Ignored,
    /// It is 400.
    Refused,
}

/// How a page of a list contradicts itself or the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddPages {
    /// `has_more` is true, and there is no `next_cursor`.
    MoreWithoutCursor,
    /// `has_more` is false, and there is a `next_cursor`.
    CursorWithoutMore,
    /// A page has half of the requested rows.
    Short,
}

/// An organization and its teams, which are accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// The team whose ADMIN keys see the organization. It must be one of `teams`.
    pub root: String,
    /// The accounts of the organization, including the root.
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

/// The settings of the Platform API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformSettings {
    /// The treatment of unknown parameters (§16.41).
    pub unknown_parameters: UnknownParameters,
    /// The requests per minute with one key; more are 429. `None`, the default, means no limit.
    pub requests_per_minute: Option<u32>,
    /// The limit for all requests without a key; `None`, the default, means that of
    /// `requests_per_minute`.
    pub anonymous_requests_per_minute: Option<u32>,
    /// Whether accounts have an enterprise contract. Without it, the operations that need one are
    /// 403.
    pub enterprise: bool,
    /// Whether accounts may have machines: 403 otherwise.
    pub compute: bool,
    /// The organization; with `None`, its operations are 403.
    pub organization: Option<Organization>,
    /// Percent off the list prices, by account.
    pub discounts: BTreeMap<String, Discount>,
    /// Endpoints that no key may call: 403.
    pub blocked_models: Vec<String>,
    /// The error of pages that are not the last; `None`, the default, means no error.
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

//! What all calls of one client share.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;

use super::backoff::Attempts;
use super::concurrency::ConcurrencyLimits;
use super::failover::Failover;
use super::http::Http;
use super::network::Network;
use crate::endpoint::Hosts;
use crate::log::Log;
use crate::secrets::Masks;

/// The settings and connection pools with which a client sends.
pub(crate) struct Transport {
    pub(crate) hosts: Hosts,
    pub(crate) log: Log,
    pub(crate) attempts: Attempts,
    /// How long a transfer may move no byte. `None`: no limit.
    pub(crate) stall: Option<Duration>,
    pub(crate) response_limit: usize,
    pub(crate) user_agent: HeaderValue,
    pub(crate) network: Network,
    pub(crate) masks: Arc<Masks>,
    pub(super) http: Http,
    pub(super) backups: Failover,
    pub(super) limits: ConcurrencyLimits,
}

impl Transport {
    pub(crate) fn new(
        hosts: Hosts,
        log: Log,
        attempts: Attempts,
        stall: Option<Duration>,
        response_limit: usize,
        user_agent: HeaderValue,
        network: Network,
    ) -> Self {
        Transport {
            hosts,
            log,
            attempts,
            stall,
            response_limit,
            user_agent,
            network,
            masks: Arc::default(),
            http: Http::default(),
            backups: Failover::default(),
            limits: ConcurrencyLimits::default(),
        }
    }
}

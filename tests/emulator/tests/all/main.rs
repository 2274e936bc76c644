//! The emulator over real sockets, through a client that shows the bytes on the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

mod access;
mod acl;
mod any_endpoint;
mod apps;
mod apps_files;
mod arrivals;
mod cassette_answers;
mod cassette_command;
mod cassette_secrets;
mod cassettes;
mod client;
mod command;
mod control;
mod dashboard;
mod events;
mod failures;
mod faults;
mod files;
mod gzip;
mod hosts;
mod http_sockets;
mod inspector;
mod journal;
mod large;
mod logins;
mod models;
mod multipart;
mod odd_answers;
mod openapi;
mod pictures;
mod platform;
mod platform_assets;
mod platform_history;
mod platform_operations;
mod platform_organization;
mod platform_serverless;
mod platform_usage;
mod platform_workflows;
mod proxy;
mod queue;
mod queue_events;
mod queue_limits;
mod queue_retries;
mod sessions;
mod socket;
mod sockets;
mod streams;
mod strict;
mod tls;
mod tokens;
mod tunnel;
mod uploads;
mod users;
mod webhooks;

//! The head of a request, read by hand.

use crate::size;

/// The endpoints of the queue.
pub(crate) const JOB: &str = "/bench/job";
pub(crate) const ENDLESS: &str = "/bench/endless";

/// What a request asks for.
pub(crate) enum Asked {
    /// A run: JSON of this size.
    Run(usize),
    /// A file of this size.
    File(usize),
    /// The URLs of an upload.
    Announcement,
    /// That a body was stored.
    Receipt,
    /// A job of the queue.
    Job {
        /// Whether a job of this endpoint never ends.
        is_endless: bool,
        /// The path below that of the endpoint.
        path: String,
        host: String,
    },
}

/// The head of a request.
pub(crate) struct Head {
    pub(crate) asked: Asked,
    /// The length of the body.
    pub(crate) length: usize,
    /// Whether the client sends the body only after a `100 Continue`.
    pub(crate) waits: bool,
}

impl Head {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let (mut length, mut waits, mut host) = (0, false, "");
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            } else if name.eq_ignore_ascii_case("expect") {
                waits = true;
            } else if name.eq_ignore_ascii_case("host") {
                host = value.trim();
            }
        }
        let path = path.split('?').next().unwrap_or_default();
        let is_endless = path.starts_with(ENDLESS);
        let below = path.strip_prefix(JOB).or(path.strip_prefix(ENDLESS));
        let asked = if let Some(below) = below {
            Asked::Job {
                is_endless,
                path: below.to_owned(),
                host: host.to_owned(),
            }
        } else if path.starts_with("/storage/upload/") {
            Asked::Announcement
        } else if path.starts_with("/stored/") {
            Asked::Receipt
        } else if method == "GET" {
            Asked::File(size(path))
        } else {
            Asked::Run(size(path))
        };
        Head {
            asked,
            length,
            waits,
        }
    }
}

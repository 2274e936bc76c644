//! The meaning of a status, for responses about which nothing more specific is known
//! (docs/protocol.md §12.4).

use crate::error::Code;
use crate::error::retry_rules::Situation;

/// What a range of status codes means.
#[derive(Debug)]
pub(super) struct Row {
    first: u16,
    last: u16,
    pub(super) code: Code,
    /// What happened to the request, if fal's gateway sent the response. It decides whether the
    /// request is sent again.
    pub(super) situation: Situation,
    /// Empty if the remedy of the code suffices.
    pub(super) remedy: &'static str,
    /// The section of docs/protocol.md, or the standard.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "documents the row; a test checks it")
    )]
    pub(super) source: &'static str,
}

const fn row(
    statuses: (u16, u16),
    code: Code,
    situation: Situation,
    remedy: &'static str,
    source: &'static str,
) -> Row {
    Row {
        first: statuses.0,
        last: statuses.1,
        code,
        situation,
        remedy,
        source,
    }
}

/// The first row that matches applies.
#[rustfmt::skip]
static STATUSES: &[Row] = &[
    row((300, 399), Code::Redirect, Situation::Refused, "", "§12.4"),
    row((401, 401), Code::Unauthenticated, Situation::Refused, "", "§2.5, §12.4"),
    row((402, 402), Code::AccountLocked, Situation::Refused, "", "HTTP"),
    row((403, 403), Code::Forbidden, Situation::Refused, "", "§2.5, §12.4"),
    row((404, 404), Code::NotFound, Situation::Refused, "", "§12.4"),
    row((405, 405), Code::InvalidInput, Situation::Refused, "Use the method that the endpoint defines; the header Allow names it.", "§3.2, §12.4"),
    row((407, 407), Code::Connect, Situation::Refused, PROXY, "HTTP"),
    row((408, 408), Code::ServiceUnavailable, Situation::TimedOut, "", "§13.1"),
    row((409, 409), Code::InvalidInput, Situation::Refused, "Use another name, or change the object that has this name already.", "§12.4"),
    row((410, 410), Code::NotFound, Situation::Refused, "Use the successor of the endpoint: the endpoint was retired.", "§12.4"),
    row((413, 413), Code::InvalidInput, Situation::Refused, "Upload large data and send its URL instead.", "HTTP"),
    row((429, 429), Code::RateLimited, Situation::TooMany, "", "§12.4"),
    row((451, 451), Code::Forbidden, Situation::Refused, "", "HTTP"),
    row((499, 499), Code::ServiceFailed, Situation::PlatformFailed, "", "§12.4"),
    row((400, 499), Code::InvalidInput, Situation::Refused, "", "§12.4"),
    row((503, 503), Code::ServiceUnavailable, Situation::Unavailable, "", "§12.4"),
    row((502, 504), Code::ServiceUnavailable, Situation::GaveUp, "", "§12.4"),
    // A content delivery network sends these if its origin server is unreachable or times out.
    row((520, 524), Code::ServiceFailed, Situation::GaveUp, "", "HTTP"),
    row((511, 511), Code::Protocol, Situation::Refused, PORTAL, "HTTP"),
    row((500, 599), Code::ServiceFailed, Situation::Failed, "", "§12.4"),
];

/// The remedy for a proxy that requires a login.
pub(crate) const PROXY: &str = "Put the name and password of your network's proxy into HTTPS_PROXY (http://name:password@host:port), or use a network without one.";

/// The remedy for a refusal by something in front of fal.
pub(super) const EDGE: &str = "Something in front of fal refused this machine: fal's edge, or a firewall, for example because of \
     a region, a VPN or a data centre. Try from another network; if that does not help, write to support@fal.ai. The key was probably \
     not checked.";

/// The remedy for a response that is not from fal.
pub(super) const PORTAL: &str = "Sign in to the network if it has a captive portal, or have the corporate proxy allow this host: something between this machine \
     and fal sent the response.";

static UNKNOWN: Row = row((0, 0), Code::Protocol, Situation::Refused, "", "HTTP");

/// Returns the row for a status.
pub(super) fn of(status: u16) -> &'static Row {
    STATUSES
        .iter()
        .find(|row| (row.first..=row.last).contains(&status))
        .unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_an_answer_has_a_code_and_a_source() {
        for status in 300..=599 {
            assert_ne!(of(status).source, "", "{status}");
            assert!(
                of(status).code != Code::Protocol || status == 511,
                "{status}"
            );
        }
        assert_eq!(of(999).code, Code::Protocol);
    }
}

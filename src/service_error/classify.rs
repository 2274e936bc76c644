//! The error of a response: its code, message and remedy, and whether the request is sent again.

use super::context::RequestContext;
use super::facts::Facts;
use super::html::foreign;
use super::platform::SEE_FIRST;
use super::retry_after::retry_after;
use super::status;
use super::table::{Again, Execution, Named};
use crate::error::retry_rules::{Decision, Rule, Situation, rule_of};
use crate::error::{Answer, Code, Error, FieldError, RefusalReason, clause_or};
use crate::limits::{QUOTED, shortened};

/// An error, and what the transport does next.
pub(crate) struct Classification {
    pub(crate) error: Error,
    /// Whether the request is sent again.
    pub(crate) again: bool,
    /// The rule that decided it.
    pub(crate) rule: &'static Rule,
}

/// Returns the error of a response.
pub(crate) fn classify(answer: Answer, asked: RequestContext<'_>) -> Classification {
    let facts = Facts::of(&answer, asked);
    let situation = facts.situation();
    let rule = rule_of(situation);
    let Decision {
        again,
        retryable,
        unknown,
    } = rule.decide(asked.idempotency, facts.hint);
    let error = Error::new(facts.code(), facts.message())
        .with_retryable(retryable)
        .with_outcome_unknown(unknown);
    let remedy = match situation {
        // After an unknown outcome, the caller has to look before a retry.
        Situation::Contradiction | Situation::GaveUp | Situation::Ingress
            if unknown && facts.foreign_page().is_none() =>
        {
            Some(SEE_FIRST.to_owned())
        }
        Situation::AppBusy if unknown && !facts.by_app() => Some(SEE_FIRST.to_owned()),
        _ => facts.remedy(),
    };
    let error = match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    };
    let error = error
        .with_retry_after(retry_after(answer.headers()))
        .with_lock_reason(facts.lock)
        .with_about(facts.about())
        .with_fields(facts.fields)
        .with_answer(answer.with_names(facts.error_type, facts.request_id));
    Classification { error, again, rule }
}

impl Facts<'_> {
    fn about(&self) -> Option<RefusalReason> {
        match self.status {
            401..=403 | 429 if self.by_app() => Some(RefusalReason::AppsOwn),
            _ if self.is_edge() => Some(RefusalReason::Edge),
            _ => self.said.map(|row| row.about),
        }
    }

    fn is_gateway_failure(&self) -> bool {
        matches!(self.status, 502..=504)
    }

    fn situation(&self) -> Situation {
        let by_status = match status::of(self.status).situation {
            // The request reaches no app, so a retry is harmless.
            Situation::Failed if self.asked.about_job => Situation::Unavailable,
            Situation::Unavailable | Situation::GaveUp if !self.from_gateway => Situation::Ingress,
            Situation::Failed if !self.from_gateway => Situation::NotTheGateway,
            known => known,
        };
        if self.start_deadline {
            return match self.by_gateway() {
                true => Situation::StartDeadline,
                false => Situation::Contradiction,
            };
        }
        let claim = self
            .named
            .into_iter()
            .chain(self.named_by_header)
            .find(|row| row.is_not_reached());
        match self.named.map(|row| (row.reached, row.again)) {
            _ if self.status == 401 && !self.is_credentials() => Situation::AppRefused,
            _ if self.status == 429 && !self.is_before_apps() => Situation::AppBusy,
            _ if matches!(self.status, 401 | 429) => by_status,
            _ if claim.is_some_and(|row| self.is_proven(row)) => Situation::NotReached,
            _ if claim.is_some() => Situation::Contradiction,
            Some((Execution::Unknown, Again::Yes)) => Situation::RunnerLost,
            Some((Execution::Unknown, _)) => Situation::PlatformFailed,
            Some((Execution::Answered, Again::Depends)) => Situation::Failed,
            Some((_, Again::No)) => Situation::Refused,
            // An error with an unknown type is not retried (§12.2).
            None if !self.fields.is_empty() => Situation::Refused,
            _ => by_status,
        }
    }

    fn code(&self) -> Code {
        let documented = self
            .named
            .map(|row| row.status)
            .filter(|status| *status != 0);
        match self.status {
            402 | 403 if self.lock.is_some() => Code::AccountLocked,
            402 if self.by_app() => Code::InvalidInput,
            _ if self.foreign_page().is_some()
                && !self.is_gateway_failure()
                && self.status != 407 =>
            {
                Code::Protocol
            }
            // The request was not admitted, so a name in the response does not count.
            300..=399 | 401 | 403 | 407 | 429 => status::of(self.status).code,
            _ => status::of(documented.unwrap_or(self.status)).code,
        }
    }

    /// Returns the remedy. `None`: the remedy of the code suffices.
    fn remedy(&self) -> Option<String> {
        const UNLISTED: &str = "Correct the input: the message quotes the service.";
        const APPS_OWN: &str = "The app itself sent this response, and may have run: a service that the app uses, or a rule of the app, refused \
            the request. Ask the owner of the app, with the request id, and check whether the app ran before you send the request again.";
        const LATE: &str =
            "Allow the request more time to start, or try when the endpoint is less busy.";
        if let Some(lock) = self.lock {
            return Some(lock.remedy().to_owned());
        }
        match self.about() {
            Some(RefusalReason::AppsOwn) => return Some(APPS_OWN.to_owned()),
            Some(RefusalReason::Edge) if self.foreign_page().is_some() => {
                return Some(format!("{} {}", status::EDGE, status::PORTAL));
            }
            Some(RefusalReason::Edge) => return Some(status::EDGE.to_owned()),
            _ => {}
        }
        if self.start_deadline {
            return Some(LATE.to_owned());
        }
        if self.foreign_page().is_some() && self.status != 407 {
            return Some(match self.is_gateway_failure() {
                true => format!("Try again later. {}", status::PORTAL),
                false => status::PORTAL.to_owned(),
            });
        }
        if let Some(said) = self.said {
            return Some(said.remedy.to_owned());
        }
        let named = self.named.filter(|row| !row.remedy.is_empty());
        if let Some(row) = named {
            return Some(format!("{}{}", row.remedy, self.limits(row)));
        }
        match status::of(self.status).remedy {
            // The remedy of the code mentions a list of fields.
            "" if self.code() == Code::InvalidInput && self.fields.is_empty() => {
                Some(UNLISTED.to_owned())
            }
            "" => None,
            remedy => Some(remedy.to_owned()),
        }
    }

    /// Returns the limits in the response, such as " (max_height 1024, max_width 1024)".
    fn limits(&self, row: &Named) -> String {
        const MOST: usize = 200;
        let context = self.fields.first().and_then(FieldError::context);
        let known = row
            .context
            .iter()
            .filter_map(|name| Some(format!("{name} {}", context?.get(name)?)));
        let known = known.collect::<Vec<_>>().join(", ");
        match known.is_empty() {
            true => known,
            false => format!(" ({})", known.chars().take(MOST).collect::<String>()),
        }
    }

    fn message(&self) -> String {
        if let Some(title) = self.foreign_page() {
            return foreign(self.asked.host, self.status, title);
        }
        let text = clause_or(self.text.as_deref(), "the response gives no reason");
        let source = match (self.status >= 500 || self.is_edge()) && !self.from_gateway {
            true => ", from in front of fal's gateway",
            false => "",
        };
        let who = match self.about() {
            Some(RefusalReason::AppsOwn) => "the app",
            _ => "fal",
        };
        let kind = self
            .error_type
            .as_deref()
            .map(|kind| format!(" ({})", shortened(kind, QUOTED)))
            .unwrap_or_default();
        format!("{who} answered {}{source}: {text}{kind}", self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Idempotency;
    use crate::service_error::api::API;
    use crate::service_error::context::Responder;
    use crate::service_error::model::MODEL;
    use crate::service_error::platform::PLATFORM;
    use bytes::Bytes;

    fn verdict_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Classification {
        let headers = headers
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .collect();
        let answer = Answer::clean(status, headers, Bytes::copy_from_slice(body.as_bytes()));
        classify(
            answer,
            RequestContext {
                host: "fal.run",
                service: true,
                idempotency: Idempotency::NonIdempotent,
                about_job: false,
                whose: Responder::App,
            },
        )
    }

    const ID: (&str, &str) = ("x-fal-request-id", "r-1");
    const FAILED: (&str, &str) = ("x-fal-error-type", "runner_scheduling_failure");

    #[test]
    fn only_what_was_not_taken_may_be_sent_again() {
        type Case<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, bool, bool);
        let cases: [Case<'_>; 12] = [
            (429, &[ID], "{}", true, false),
            (429, &[ID, ("x-fal-retryable", "false")], "{}", false, false),
            (
                503,
                &[ID, FAILED],
                r#"{"detail":"x","error_type":"runner_scheduling_failure"}"#,
                true,
                false,
            ),
            (
                503,
                &[ID],
                r#"{"detail":"x","error_type":"runner_scheduling_failure"}"#,
                false,
                true,
            ),
            (
                503,
                &[ID],
                r#"{"detail":"x","error_type":"runner_disconnected"}"#,
                false,
                true,
            ),
            (
                504,
                &[ID, ("x-fal-request-timeout-type", "user")],
                r#"{"error_type":"startup_timeout"}"#,
                false,
                false,
            ),
            (
                500,
                &[ID, ("x-fal-needs-retry", "1")],
                r#"{"detail":"x"}"#,
                false,
                false,
            ),
            (
                502,
                &[],
                "<html><title>502</title>nginx</html>",
                false,
                true,
            ),
            (502, &[ID], "{}", false, true),
            (503, &[ID], "{}", false, false),
            (422, &[ID], r#"{"detail":[]}"#, false, false),
            (408, &[], "", false, true),
        ];
        for (status, headers, body, not_taken, may_have_executed) in cases {
            let classify = verdict_of(status, headers, body);
            let got = (classify.again, classify.error.may_have_executed());
            assert_eq!(
                got,
                (not_taken, may_have_executed),
                "{status} {headers:?} {body}"
            );
        }
    }

    #[test]
    fn every_shape_of_body_gives_its_text() {
        for (status, body, code, text) in [
            (
                422,
                r#"{"detail":[{"loc":["body","seed"],"msg":"bad","type":"int_parsing"}]}"#,
                Code::InvalidInput,
                "body.seed: bad (int_parsing)",
            ),
            (
                400,
                r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#,
                Code::ServiceFailed,
                "down",
            ),
            (
                500,
                r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#,
                Code::ServiceFailed,
                "down",
            ),
            (
                403,
                r#"{"error":{"type":"authorization_error","message":"Access denied"}}"#,
                Code::Forbidden,
                "Access denied",
            ),
            (
                403,
                r#"{"detail":"User is locked. Reason: Exhausted balance."}"#,
                Code::AccountLocked,
                "Exhausted balance",
            ),
            (
                404,
                r#"{"status":"NOT_FOUND"}"#,
                Code::NotFound,
                "NOT_FOUND",
            ),
            (
                404,
                r#"{"error":"no such key"}"#,
                Code::NotFound,
                "no such key",
            ),
            (401, "Unauthorized", Code::Unauthenticated, "Unauthorized"),
            (
                502,
                "<html><title>Bad Gateway</title>",
                Code::ServiceUnavailable,
                "HTML page instead of JSON (Bad Gateway)",
            ),
            (500, "", Code::ServiceFailed, "gives no reason"),
            (307, "", Code::Redirect, "307"),
        ] {
            let error = verdict_of(status, &[ID], body).error;
            assert_eq!(error.code(), code, "{body}");
            assert!(error.message().contains(text), "{}", error.message());
        }
    }

    #[test]
    fn the_request_id_is_in_the_header_or_in_the_body() {
        let body = r#"{"error":{"type":"authorization_error","message":"Access denied","request_id":"r-2"}}"#;
        assert_eq!(verdict_of(403, &[], body).error.request_id(), Some("r-2"));
        assert_eq!(verdict_of(403, &[ID], body).error.request_id(), Some("r-1"));
        assert_eq!(verdict_of(403, &[], "{}").error.request_id(), None);
    }

    #[test]
    fn every_row_of_the_tables_has_one_name_and_a_source() {
        for table in [MODEL, PLATFORM, API] {
            for (place, row) in table.iter().enumerate() {
                assert!(row.source.starts_with('§'), "{row:?}");
                assert!(
                    table[place + 1..]
                        .iter()
                        .all(|other| other.name != row.name),
                    "{row:?}"
                );
            }
        }
        assert_eq!((MODEL.len(), PLATFORM.len(), API.len()), (31, 13, 6));
    }

    #[test]
    fn a_page_that_is_not_from_fal_is_named() {
        let page = "<!doctype html><title>Sign in to Wi-Fi</title>";
        let wifi = |status| verdict_of(status, &[("content-type", "text/html")], page).error;
        for status in [400, 401, 403, 404, 418, 500, 511] {
            let error = wifi(status);
            assert_eq!(error.code(), Code::Protocol, "{error}");
            assert!(
                error.message().contains("fal.run") && error.message().contains("Sign in to Wi-Fi"),
                "{error}"
            );
            assert!(
                error.remedy().contains("captive portal")
                    && error.remedy().contains("corporate proxy")
            );
        }
        assert_eq!(
            (wifi(503).code(), wifi(407).code()),
            (Code::ServiceUnavailable, Code::Connect)
        );
        assert!(
            wifi(503).message().contains("Sign in")
                && wifi(503).remedy().contains("captive portal")
        );
        assert!(wifi(407).remedy().contains("HTTPS_PROXY") && !wifi(407).may_have_executed());
        // The gateway forwards pages of apps. A page of nginx is from fal's ingress.
        assert_eq!(verdict_of(404, &[ID], page).error.code(), Code::NotFound);
        let nginx = verdict_of(413, &[], "<html><title>413</title>nginx").error;
        assert_eq!(nginx.code(), Code::InvalidInput);
        assert_eq!(wifi(302).code(), Code::Redirect);
    }
}

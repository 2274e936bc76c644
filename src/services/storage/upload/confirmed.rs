//! Errors in the body of a successful response. An object store may send the status 200 before it
//! has finished, and report in the body that it failed.

use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Answer, Code, Error, Idempotency, Result};
use crate::response::Response;
use crate::secrets::Secrets;
use crate::service_error::confirming;

/// Returns the response unless its body reports an error.
pub(crate) async fn confirmed(
    answer: Response,
    exchange: &Exchange,
    idempotency: Idempotency,
) -> Result<Response> {
    let secrets = exchange.task.secrets().clone();
    json::beside(answer.body().len(), move || {
        judged(answer, &secrets, idempotency)
    })
    .await?
}

fn judged(answer: Response, secrets: &Secrets, idempotency: Idempotency) -> Result<Response> {
    let answer = confirming(answer, "a confirmation", secrets, idempotency)?;
    let Some(said) = failure(answer.body()) else {
        return Ok(answer);
    };
    let message = format!(
        "the store responded with {} and an error: {}",
        answer.status(),
        secrets.quoted(said)
    );
    let (status, body) = (answer.status(), answer.body().clone());
    let answer = Answer::new(secrets, status, Default::default(), body);
    Err(Error::new(Code::ServiceFailed, message)
        .with_answer(answer)
        .with_outcome_unknown(idempotency.leaves_doubt()))
}

/// The error in a body, if it has one.
fn failure(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    // Object stores send XML.
    if text.trim_start().starts_with('<') {
        return text.contains("<Error>").then(|| text.into_owned());
    }
    let [error, detail, success] = json::members(body, ["error", "detail", "success"])?;
    let named = error.or(detail).filter(|said| !json::is_null(said));
    let failed = success.is_some_and(|success| success.get() == "false");
    named
        .map(|said| json::text(said).unwrap_or_else(|| said.get().to_owned()))
        .or_else(|| failed.then(|| text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_in_each_form() {
        for (body, said) in [
            (r#"{"detail": "no"}"#, "no"),
            (r#"{"error": {"message": "no"}}"#, r#"{"message": "no"}"#),
            (r#"{"success": false}"#, r#"{"success": false}"#),
            (
                "\n<Error><Code>X</Code></Error>",
                "\n<Error><Code>X</Code></Error>",
            ),
        ] {
            assert_eq!(failure(body.as_bytes()).as_deref(), Some(said));
        }
        for fine in [
            "",
            "[]",
            "done",
            "{}",
            r#"{"error": null, "etag": "x"}"#,
            "<Result/>",
            r#"{"success": true}"#,
        ] {
            assert_eq!(failure(fine.as_bytes()), None, "{fine}");
        }
    }
}

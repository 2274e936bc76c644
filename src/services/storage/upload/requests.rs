//! The requests of uploads.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::client::Exchange;
use crate::error::{Error, Idempotency, Result};
use crate::request::{FileInfo, Request, file_name};
use crate::response::Response;
use crate::services::storage::token::{FileToken, TokenCache};
use crate::transport::{Call, SMALL, Watch};

const FILE_NAME: HeaderName = HeaderName::from_static("x-fal-file-name");

impl FileInfo {
    pub(super) fn type_header(&self) -> Result<HeaderValue> {
        HeaderValue::from_str(&self.content_type)
            .map_err(|_| Error::invalid("the content type is malformed"))
    }

    /// The headers of an upload with a token (§9.3, §9.4).
    pub(super) fn direct_headers(&self) -> Result<HeaderMap> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, self.type_header()?);
        let name = HeaderValue::from_str(&file_name::in_header(&self.file_name))
            .map_err(|_| Error::invalid("the file name is malformed"))?;
        headers.insert(FILE_NAME, name);
        Ok(headers)
    }

    /// Announces the file. The response has the URL to send the file to (§9.1, §9.4).
    pub(super) async fn announce(&self, exchange: &Exchange, path: &str) -> Result<Response> {
        let url = exchange.hosts().rest_url(path)?;
        let mut request = Request::new(Method::POST.as_str(), url.as_str())?;
        request.set_json(json!({"content_type": self.content_type, "file_name": self.file_name}));
        let mut call = exchange.call(request)?;
        call.headers.extend(self.headers.clone());
        // A repeated announcement makes a second URL, which stays unused.
        (call.idempotency, call.most, call.watch) = (Idempotency::Safe, SMALL, Watch::Transfer);
        exchange.ask_for("a place for the file", &call).await
    }
}

/// Sends a request with the token of fal's file hosts. If they refuse the token, they have not
/// executed the request: it is sent once more with a new token.
pub(super) async fn send_with_token(
    exchange: &Exchange,
    make: impl Fn(&FileToken) -> Result<Call> + Send,
) -> Result<Response> {
    let cache = exchange.slot::<TokenCache>();
    let token = cache.token(exchange, None).await?;
    let call = make(&token)?;
    match exchange.send_call(&call).await {
        Err(error)
            if error.refuses_credential()
                && !error.may_have_executed()
                && !call.body.is_spent() =>
        {
            let token = cache.token(exchange, Some(&token)).await?;
            exchange.send_call(&make(&token)?).await
        }
        outcome => outcome,
    }
}

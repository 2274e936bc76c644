//! Files that can be fetched back from `v3.fal.media` and `v3b.fal.media`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::answer::Answer;
use crate::body::Payload;
use crate::picture::Picture;
use crate::server::Request;

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Drawn when it is fetched: a run costs neither time nor memory.
    Picture(Picture),
}

impl Content {
    pub(crate) async fn bytes(self) -> Result<Bytes, Answer> {
        let Self::Picture(picture) = self;
        // A large picture takes long enough to hold up every other connection.
        match tokio::task::spawn_blocking(move || picture.png()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            _ => Err(Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")),
        }
    }

    fn content_type(&self) -> HeaderValue {
        match self {
            Self::Picture(_) => HeaderValue::from_static("image/png"),
        }
    }
}

/// All stored files, by path.
pub(crate) struct Files {
    store: String,
    files: Mutex<HashMap<String, Content>>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { store: Uuid::new_v4().simple().to_string()[..8].to_owned(), files: Mutex::default() }
    }

    /// Stores a file and gives its address.
    pub(crate) fn store(&self, content: Content, extension: &str) -> String {
        let name = Uuid::new_v4().simple();
        let path = format!("/files/b/{}/{name}.{extension}", self.store);
        let url = format!("https://v3b.fal.media{path}");
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path, content);
        url
    }

    fn find(&self, path: &str) -> Option<Content> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}

/// GET and HEAD of a file; no credential is needed.
pub(crate) async fn handle(files: &Files, request: &Request) -> Answer {
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers.insert(ALLOW, allowed);
        return answer;
    }
    let Some(content) = files.find(&request.path) else {
        return Answer::detail(StatusCode::NOT_FOUND, "File not found");
    };
    let content_type = content.content_type();
    match content.bytes().await {
        Ok(bytes) => Answer::payload(StatusCode::OK, content_type, Payload::Bytes(bytes)),
        Err(failure) => failure,
    }
}

//! `/dashboard/requests` of the emulator itself: the requests as they arrive, for the one who
//! develops. It is not served under fal's names, where its own requests would arrive too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::row::{detail, row};
use super::{file, safe, wrong_method};
use crate::answer::Answer;
use crate::arrivals::{Arrival, Filter, Page, Tally};
use crate::body::Payload;
use crate::current::Current;
use crate::server::{Request, Service};
use crate::sse;
use crate::state::State;
use crate::storage;

const PAGE: &str = "/dashboard/requests";

/// Like that of the page of keys, with pictures and players for the files of models.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      media-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A file of a model does nothing but show itself.
const POLICY_OF_FILES: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// The rows of a page, unless the browser asks for fewer.
const ROWS: usize = 100;

/// The rows of an event. The browser reads the page anew if more have changed.
const MOST_CHANGES: usize = 200;

/// The pause between two events, so that a burst of requests costs little.
const PAUSE: Duration = Duration::from_millis(100);

/// The pause between two signs of life, by which the server notices that the browser has left.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Serves the page, its files and its requests; `None` for other paths.
pub(crate) async fn inspect(current: &Arc<Current>, request: &Request) -> Option<Answer> {
    let rest = request.path.strip_prefix(PAGE)?;
    if !matches!(rest.as_bytes().first(), None | Some(b'/' | b'.')) {
        return None;
    }
    if request.method != Method::GET {
        return Some(wrong_method("GET"));
    }
    let text = |kind, text| Ok(file(POLICY, kind, text));
    let answer = match rest {
        "" | "/" => text("text/html; charset=utf-8", include_str!("requests.html")),
        ".css" => text("text/css; charset=utf-8", include_str!("requests.css")),
        ".js" => text(
            "text/javascript; charset=utf-8",
            include_str!("requests.js"),
        ),
        ".json" => Asked::read(request).map(|asked| safe(asked.page(current))),
        "/events" => Asked::read(request).map(|asked| safe(asked.events(current))),
        _ => match rest.strip_prefix("/files/") {
            Some(url) => Ok(stored(current, request, url).await),
            None => Asked::read(request).map(|asked| safe(asked.one(current, rest))),
        },
    };
    Some(answer.unwrap_or_else(safe))
}

/// What the browser wants to see.
struct Asked {
    session: String,
    filter: Filter,
    page: Page,
}

impl Asked {
    fn read(request: &Request) -> Result<Self, Answer> {
        let mut asked = Self {
            session: String::new(),
            filter: Filter::default(),
            page: Page::newest(ROWS),
        };
        for (name, value) in request.query_pairs().filter(|(_, value)| !value.is_empty()) {
            let known = match &*name {
                "session" => {
                    asked.session = value.into_owned();
                    Ok(true)
                }
                _ => match asked.filter.take(&name, &value) {
                    Ok(false) => asked.page.take(&name, &value),
                    taken => taken,
                },
            };
            let problem = match known {
                Ok(true) => continue,
                Ok(false) => format!("{name}: unknown filter"),
                Err(problem) => problem,
            };
            return Err(Answer::detail(StatusCode::BAD_REQUEST, problem));
        }
        Ok(asked)
    }

    fn page(&self, current: &Current) -> Answer {
        let sessions: Vec<String> = current
            .sessions()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let mut body = json!({ "rows": [], "next": null, "matched": 0, "sessions": sessions });
        if let Some(state) = current.find(&self.session) {
            // Rows are made without the lock, since they look at the queue and the history.
            let (page, next, matched, tally) = state.arrivals.look(|arrivals, tally| {
                let (page, next) = self.page.of(arrivals, &self.filter);
                let matched = arrivals.iter().filter(|one| self.filter.shows(one)).count();
                let page: Vec<Arrival> = page.into_iter().cloned().collect();
                (page, next, matched, tally)
            });
            body["rows"] = page.iter().map(|arrival| row(&state, arrival)).collect();
            body["next"] = json!(next);
            body["matched"] = json!(matched);
            body["dropped"] = json!(tally.dropped);
            body["dropped_bodies"] = json!(tally.dropped_bodies);
        }
        Answer::json(StatusCode::OK, &body)
    }

    /// The request that a path like `/12.json` names.
    fn one(&self, current: &Current, path: &str) -> Answer {
        let ordinal = path
            .strip_prefix('/')
            .and_then(|path| path.strip_suffix(".json"))
            .and_then(|ordinal| ordinal.parse::<u64>().ok());
        let found = ordinal.zip(current.find(&self.session));
        let found = found.and_then(|(ordinal, state)| {
            let arrival = state.arrivals.look(|arrivals, _| {
                let index = arrivals.binary_search_by_key(&ordinal, |one| one.ordinal);
                Some(arrivals[index.ok()?].clone())
            });
            arrival.map(|arrival| detail(&state, &arrival))
        });
        match found {
            Some(detail) => Answer::json(StatusCode::OK, &detail),
            None => Answer::detail(StatusCode::NOT_FOUND, "No such request"),
        }
    }

    /// The rows that change from now on.
    fn events(self, current: &Arc<Current>) -> Answer {
        let (sender, receiver) = mpsc::channel(1);
        let watch = Watch {
            current: Arc::clone(current),
            asked: self,
            browser: sender,
        };
        tokio::spawn(watch.run());
        Answer::payload(
            StatusCode::OK,
            sse::content_type(),
            Payload::Stream(receiver),
        )
    }
}

/// The browser has left.
struct Left;

struct Watch {
    current: Arc<Current>,
    asked: Asked,
    browser: mpsc::Sender<Bytes>,
}

impl Watch {
    async fn run(self) {
        // Ends with the browser.
        let Err(Left) = self.watch().await;
    }

    async fn watch(&self) -> Result<std::convert::Infallible, Left> {
        self.send(": hello\n\n".into()).await?;
        loop {
            if let Some(state) = self.current.find(&self.asked.session) {
                self.watch_one(&state).await?;
                self.event("reset", &json!({})).await?;
            } else {
                self.pause(PAUSE).await?;
            }
        }
    }

    /// Reports what happens in a state, until another one takes its place.
    async fn watch_one(&self, state: &Arc<State>) -> Result<(), Left> {
        let mut changes = state.arrivals.changes();
        let mut seen = state.arrivals.look(|_, tally| tally);
        loop {
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| Left)?,
                () = self.browser.closed() => return Err(Left),
                () = tokio::time::sleep(SIGN_OF_LIFE) => self.send(": still here\n\n".into()).await?,
            }
            self.pause(PAUSE).await?;
            let now = self.current.find(&self.asked.session);
            if !now.is_some_and(|now| Arc::ptr_eq(&now, state)) {
                return Ok(());
            }
            changes.mark_unchanged();
            let (changed, tally) = self.changed(state, seen);
            if tally.clearings != seen.clearings || changed.len() > MOST_CHANGES {
                self.event("reset", &json!({})).await?;
            } else if !changed.is_empty() || tally.dropped != seen.dropped {
                let rows: Vec<Value> = changed.iter().map(|arrival| row(state, arrival)).collect();
                let dropped = json!({
                    "rows": rows, "dropped": tally.dropped, "dropped_bodies": tally.dropped_bodies,
                });
                self.event("rows", &dropped).await?;
            }
            seen = tally;
        }
    }

    fn changed(&self, state: &State, seen: Tally) -> (Vec<Arrival>, Tally) {
        state.arrivals.look(|arrivals, tally| {
            let newer = arrivals
                .iter()
                .filter(|one| one.revision > seen.revision && self.asked.filter.shows(one));
            (newer.take(MOST_CHANGES + 1).cloned().collect(), tally)
        })
    }

    async fn event(&self, name: &str, data: &Value) -> Result<(), Left> {
        self.send(format!("event: {name}\ndata: {data}\n\n").into())
            .await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Left> {
        self.browser.send(bytes).await.map_err(|_| Left)
    }

    async fn pause(&self, time: Duration) -> Result<(), Left> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.browser.closed() => Err(Left),
        }
    }
}

/// A picture, film or sound of the storage, named by its URL without the scheme. It is read as
/// anybody may read it.
async fn stored(current: &Current, request: &Request, url: &str) -> Answer {
    let not_found = || safe(Answer::detail(StatusCode::NOT_FOUND, "No such file"));
    let Some((host, path)) = url.split_once('/') else {
        return not_found();
    };
    let path = format!("/{path}");
    if Service::of(host, &path) != Service::Cdn {
        return not_found();
    }
    let mut headers = HeaderMap::new();
    for name in [RANGE, IF_RANGE] {
        if let Some(value) = request.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let wanted = Request {
        method: Method::GET,
        path,
        query: None,
        headers,
        body: Bytes::new(),
        upload: None,
    };
    let answer = storage::cdn(&current.state(), host, &wanted).await;
    let kind = answer.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !["image/", "video/", "audio/"]
        .iter()
        .any(|shown| kind.starts_with(shown))
    {
        return not_found();
    }
    safe(answer.header(
        "content-security-policy",
        HeaderValue::from_static(POLICY_OF_FILES),
    ))
}

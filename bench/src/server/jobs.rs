//! A queue with two endpoints. The jobs of one end after a fraction of a second, and their results
//! say when they ended and how many requests they took. Those of the other wait for ever.

use std::collections::HashMap;
use std::io::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::plain::json;
use crate::request::{ENDLESS, JOB};

/// How long a job takes. Jobs differ, so that no client's pauses fit all of them.
const LEAST: u64 = 200;
const STEPS: u64 = 100;

#[derive(Default)]
pub(crate) struct Jobs {
    /// How many jobs were submitted.
    number: AtomicU64,
    /// Those that end.
    ending: Mutex<HashMap<String, Job>>,
}

struct Job {
    ends: Instant,
    /// When a client could first know that the job ended, in seconds since 1970.
    ended: f64,
    /// The requests about it, the submission included.
    requests: u32,
}

impl Jobs {
    pub(crate) async fn answer(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        is_endless: bool,
        path: &str,
        host: &str,
    ) -> Result<()> {
        let mut parts = path.split('/').skip(2);
        let Some(id) = parts.next() else {
            let submitted = self.submit(is_endless, host);
            return stream.write_all(&json(&submitted)).await;
        };
        let ends = self.count(id);
        let is_done = ends.is_some_and(|ends| ends <= Instant::now());
        match (parts.next(), parts.next()) {
            (None, _) => stream.write_all(&json(&self.result(id))).await,
            (Some("status"), Some("stream")) => self.stream(stream, id, ends).await,
            (Some("status"), _) => stream.write_all(&status_response(id, is_done)).await,
            _ => stream.write_all(&json("{}")).await,
        }
    }

    fn submit(&self, is_endless: bool, host: &str) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = format!("11111111-0000-4000-8000-{number:012}");
        if !is_endless {
            let takes = Duration::from_millis(LEAST + number * 37 % STEPS);
            let job = Job {
                ends: Instant::now() + takes,
                ended: seconds(SystemTime::now() + takes),
                requests: 1,
            };
            self.ending.lock().expect("a lock").insert(id.clone(), job);
        }
        // A client that does not know the emulator asks this address, and by plain HTTP.
        let scheme = if host.starts_with("127.") {
            "http"
        } else {
            "https"
        };
        let endpoint = if is_endless { ENDLESS } else { JOB };
        let url = format!("{scheme}://{host}{endpoint}/requests/{id}");
        format!(
            r#"{{"status":"IN_QUEUE","request_id":"{id}","queue_position":0,"response_url":"{url}","status_url":"{url}/status","cancel_url":"{url}/cancel"}}"#
        )
    }

    /// Counts a request about a job. Returns when the job ends.
    fn count(&self, id: &str) -> Option<Instant> {
        let mut ending = self.ending.lock().expect("a lock");
        let job = ending.get_mut(id)?;
        job.requests += 1;
        Some(job.ends)
    }

    fn result(&self, id: &str) -> String {
        let ending = self.ending.lock().expect("a lock");
        let Some(job) = ending.get(id) else {
            return "{}".into();
        };
        let (ended, requests) = (job.ended, job.requests);
        format!(r#"{{"ended":{ended:.6},"requests":{requests}}}"#)
    }

    async fn stream(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        id: &str,
        ends: Option<Instant>,
    ) -> Result<()> {
        const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let first = [HEAD, &chunk(&event(id, false))].concat();
        stream.write_all(first.as_bytes()).await?;
        stream.flush().await?;
        let Some(ends) = ends else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(ends.into()).await;
        if let Some(job) = self.ending.lock().expect("a lock").get_mut(id) {
            job.ended = seconds(SystemTime::now());
        }
        let last = chunk(&event(id, true)) + "0\r\n\r\n";
        stream.write_all(last.as_bytes()).await
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .expect("a time after 1970")
        .as_secs_f64()
}

fn status(id: &str, is_done: bool) -> String {
    let state = if is_done {
        r#""COMPLETED","metrics":{"inference_time":0.2}"#
    } else {
        r#""IN_QUEUE","queue_position":0"#
    };
    format!(r#"{{"status":{state},"request_id":"{id}","logs":[]}}"#)
}

fn status_response(id: &str, is_done: bool) -> Bytes {
    json(&status(id, is_done))
}

fn event(id: &str, is_done: bool) -> String {
    format!("data: {}\n\n", status(id, is_done))
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

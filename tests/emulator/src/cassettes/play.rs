//! A recording as the response of an app.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::mpsc;

use super::replay::{Chosen, ReplayPace};
use super::tape::{Event, Queue, Recorded};
use crate::answer::Answer;
use crate::apps::{self, Call};
use crate::body::Payload;
use crate::clock;

impl Chosen {
    /// Plays the recording for a call.
    pub(crate) async fn play(&self, call: &Call<'_>) -> Answer {
        let began = call.state.clock.now();
        call.started();
        let running = async {
            if call.job.is_some() {
                self.play_log(call, began).await;
            }
            let end = match self.answer().events {
                Some(_) => 0,
                None => self.answer().after_ms,
            };
            self.wait(call, began, end.saturating_sub(self.started_ms(call)))
                .await;
        };
        tokio::select! {
            () = running => {}
            () = call.cancelled() => return apps::cancelled(),
        }
        self.whole()
    }

    fn answer(&self) -> &Recorded {
        &self.loaded.tape.answer
    }

    fn queue(&self) -> Option<&Queue> {
        self.loaded.tape.queue.as_ref()
    }

    /// The refusal of a submission, if that is what was recorded.
    pub(crate) fn refused(&self) -> Option<Answer> {
        let is_refusal = self.loaded.tape.way == super::Way::Queue && self.queue().is_none();
        is_refusal.then(|| self.whole())
    }

    /// The recorded id of the request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        match self.queue() {
            Some(queue) => Some(&queue.request_id),
            None => self
                .answer()
                .headers
                .get("x-fal-request-id")
                .map(String::as_str),
        }
    }

    /// How long the request waited in the queue.
    pub(crate) fn startup(&self) -> Duration {
        match self.replay.pace {
            ReplayPace::Instant => Duration::ZERO,
            ReplayPace::Recorded => Duration::from_millis(self.waited_ms()),
        }
    }

    fn waited_ms(&self) -> u64 {
        let statuses = self.queue().map_or(&[][..], |queue| &queue.statuses);
        let started = statuses.iter().find(|seen| seen.status != "IN_QUEUE");
        started.map_or(0, |seen| seen.at_ms)
    }

    /// The recorded time at which the app starts to run: a queued request has waited before.
    fn started_ms(&self, call: &Call<'_>) -> u64 {
        if call.job.is_some() {
            self.waited_ms()
        } else {
            0
        }
    }

    /// The seconds that the app ran.
    pub(crate) fn inference_time(&self) -> Option<f64> {
        self.queue().and_then(|queue| queue.inference_time)
    }

    /// The failure that the last status reported.
    pub(crate) fn failure(&self) -> Option<(String, Option<String>)> {
        let queue = self.queue()?;
        Some((queue.error.clone()?, queue.error_type.clone()))
    }

    async fn play_log(&self, call: &Call<'_>, began: SystemTime) {
        let (Some(job), Some(queue)) = (call.job, self.queue()) else {
            return;
        };
        for line in &queue.logs {
            self.wait(call, began, line.at_ms.saturating_sub(self.waited_ms()))
                .await;
            job.log_line(line.line.clone());
        }
    }

    async fn wait(&self, call: &Call<'_>, began: SystemTime, ms: u64) {
        if self.replay.pace == ReplayPace::Recorded {
            let due = clock::later(began, Duration::from_millis(ms));
            call.state.clock.sleep_until(due).await;
        }
    }

    /// The whole response.
    fn whole(&self) -> Answer {
        let recorded = self.answer();
        let status = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::OK);
        let mut answer = Answer::empty(status);
        for (name, value) in &recorded.headers {
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::from_str(value))
            {
                answer.headers.insert(name, value);
            }
        }
        answer.payload = match self.payload(recorded) {
            Ok(payload) => payload,
            Err(missing) => return missing,
        };
        if answer.payload.size() == Some(0) && recorded.json.is_none() && recorded.text.is_none() {
            return answer;
        }
        let json = HeaderValue::from_static("application/json");
        answer.headers.entry(CONTENT_TYPE).or_insert(json);
        answer
    }

    fn payload(&self, recorded: &Recorded) -> Result<Payload, Answer> {
        let bytes: Bytes = match recorded {
            Recorded {
                events: Some(events),
                ..
            } => {
                return Ok(self.stream(events, recorded.broken));
            }
            Recorded {
                json: Some(json), ..
            } => self.json(json, recorded.spaced).into(),
            Recorded {
                text: Some(text), ..
            } => self.text(text).into(),
            Recorded {
                media: Some(media), ..
            } => self.replay.read(media)?,
            _ => Bytes::new(),
        };
        if !recorded.broken {
            return Ok(Payload::Bytes(bytes));
        }
        let (sender, receiver) = mpsc::channel(1);
        // The channel has room for it.
        let _ = sender.try_send(bytes);
        Ok(Payload::Broken(receiver))
    }

    fn stream(&self, events: &[Event], broken: bool) -> Payload {
        let pieces: Vec<(u64, Bytes)> = events
            .iter()
            .map(|event| {
                let text = match (&event.data, &event.text) {
                    (Some(data), _) => format!("data: {}\n\n", self.json(data, event.spaced)),
                    (None, Some(text)) => self.text(text),
                    (None, None) => String::new(),
                };
                (event.at_ms, text.into())
            })
            .collect();
        let is_paced = self.replay.pace == ReplayPace::Recorded;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let began = tokio::time::Instant::now();
            for (at_ms, piece) in pieces {
                if is_paced {
                    tokio::time::sleep_until(began + Duration::from_millis(at_ms)).await;
                }
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        if broken {
            Payload::Broken(receiver)
        } else {
            Payload::Stream(receiver)
        }
    }
}

//! The progress of a call, from which an error says what was sent and what was executed.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Idempotency};
use crate::secrets::Secrets;

/// The job that an operation waits for.
#[derive(Clone, Debug)]
struct Submitted {
    id: String,
    job_state: JobState,
}

/// The state of a submitted job when its operation ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    CancelRequested,
    Ended,
}

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Preparing,
    /// The HTTP stack has not asked for the body.
    Connecting,
    /// The attempt failed, and the HTTP stack must not send the body any more.
    Unsent,
    /// A request with side effects has been sent, at least in part.
    Waiting,
    /// A request that may be sent twice has been sent, at least in part.
    WaitingSafely,
    /// The response to a request with side effects has begun, so the request was executed.
    Reading,
    ReadingSafely,
    Pausing,
    /// Several concurrent requests, each of which may be sent twice.
    Transferring,
}

impl Stage {
    fn waiting(idempotency: Idempotency) -> Self {
        match idempotency.leaves_doubt() {
            true => Stage::Waiting,
            false => Stage::WaitingSafely,
        }
    }
}

const STAGES: [Stage; 9] = [
    Stage::Preparing,
    Stage::Connecting,
    Stage::Unsent,
    Stage::Waiting,
    Stage::WaitingSafely,
    Stage::Reading,
    Stage::ReadingSafely,
    Stage::Pausing,
    Stage::Transferring,
];

/// Written by the transport, and read by the code that ends a call early. Thread-safe.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    in_doubt: AtomicBool,
    body_failure: Mutex<Option<Error>>,
    job: Mutex<Option<Submitted>>,
    /// The endpoint that the request runs.
    endpoint: OnceLock<EndpointId>,
    secrets: Arc<Secrets>,
}

impl Progress {
    /// A progress that shares `secrets` with other calls of the operation.
    pub(crate) fn of(secrets: &Arc<Secrets>) -> Self {
        Progress {
            secrets: secrets.clone(),
            ..Progress::default()
        }
    }

    /// The secrets of the requests, which no message may contain.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    pub(crate) fn connecting(&self) {
        self.set(Stage::Connecting);
    }

    /// Records that the request is being sent. Without a body that is assumed from the start.
    pub(crate) fn sending(&self, idempotency: Idempotency) {
        self.set(Stage::waiting(idempotency));
    }

    /// Records that the first byte of a body is about to be sent. Returns false if the attempt is
    /// over and nothing may be sent.
    #[must_use]
    pub(crate) fn begins(&self, idempotency: Idempotency) -> bool {
        let begun = Stage::waiting(idempotency);
        let over = [Stage::Unsent as u8, Stage::Pausing as u8];
        let begin = |stage| (!over.contains(&stage)).then_some(begun as u8);
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, begin)
            .is_ok()
    }

    /// Gives up the request unless it is being sent already. Returns whether nothing was sent. That
    /// stays true: the task of the connection may own the body, but calls [`begins`](Self::begins)
    /// before it sends.
    #[must_use]
    pub(crate) fn withdraw(&self) -> bool {
        let (connecting, unsent) = (Stage::Connecting as u8, Stage::Unsent as u8);
        // In an earlier stage there is no body to send.
        let _ =
            self.stage
                .compare_exchange(connecting, unsent, Ordering::AcqRel, Ordering::Acquire);
        matches!(self.stage(), Stage::Preparing | Stage::Unsent)
    }

    /// Records that no connection could be made.
    pub(crate) fn unsent(&self) {
        self.set(Stage::Unsent);
    }

    pub(crate) fn reading(&self, idempotency: Idempotency) {
        self.set(match idempotency.leaves_doubt() {
            true => Stage::Reading,
            false => Stage::ReadingSafely,
        });
    }

    /// Records that the last request may have been executed and that another one follows: a retry
    /// that fal recognizes, or a redirect. The outcome of the next request says nothing about the
    /// last one.
    pub(crate) fn doubting(&self) {
        self.in_doubt.store(true, Ordering::Release);
        self.set(Stage::Pausing);
    }

    fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Acquire)
    }

    /// Records that the last attempt was not executed.
    pub(crate) fn pausing(&self) {
        self.set(Stage::Pausing);
    }

    /// Records that a file is being sent or received.
    pub(crate) fn transferring(&self) {
        self.set(Stage::Transferring);
    }

    /// Records why the body of the request could not be produced.
    pub(crate) fn body_failed(&self, error: Error) {
        *self
            .body_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn take_body_failure(&self) -> Option<Error> {
        self.body_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Records the id of the job that fal has accepted.
    pub(crate) fn submitted(&self, id: &str) {
        *self.job() = Some(Submitted {
            id: id.to_owned(),
            job_state: JobState::Running,
        });
    }

    pub(crate) fn set_job_state(&self, job_state: JobState) {
        if let Some(job) = &mut *self.job() {
            job.job_state = job_state;
        }
    }

    fn job(&self) -> MutexGuard<'_, Option<Submitted>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the head of a response has arrived.
    pub(crate) fn answered(&self) -> bool {
        matches!(self.stage(), Stage::Reading | Stage::ReadingSafely)
    }

    /// Records the endpoint that a request runs.
    pub(crate) fn calls(&self, endpoint: &EndpointId) {
        self.endpoint.get_or_init(|| endpoint.clone());
    }

    /// Completes the error that an operation ends with. Only a response says whether a request was
    /// executed, so an error without one has an unknown outcome once a request was sent.
    pub(crate) fn judged(&self, error: Error) -> Error {
        let submitted = self.job().is_some();
        let error = match error.http_status() {
            None if submitted || self.may_have_executed() => error.with_outcome_unknown(true),
            Some(_) if self.is_in_doubt() => error.with_outcome_unknown(true),
            _ => error,
        };
        match self
            .endpoint
            .get()
            .filter(|_| error.may_have_executed() && !submitted)
        {
            Some(endpoint) => {
                let how_to_see = format!(
                    "To see whether it ran, list the recent requests of {endpoint}: models.requests.by_endpoint of the Platform API."
                );
                let remedy = format!("{} {how_to_see}", error.remedy());
                error.with_remedy(remedy)
            }
            None => error,
        }
    }

    /// Whether the service may have executed the request.
    pub(crate) fn may_have_executed(&self) -> bool {
        self.is_in_doubt() || matches!(self.stage(), Stage::Waiting | Stage::Reading)
    }

    /// The error of a call or an attempt that ends early. A request that was not sent yet will not
    /// be sent.
    pub(crate) fn cut_short(&self, code: Code, what: &str) -> Error {
        if let Some(job) = &*self.job() {
            return job.cut_short(code, what);
        }
        let _ = self.withdraw();
        let stage = match self.stage() {
            Stage::Preparing | Stage::Connecting | Stage::Unsent | Stage::Pausing
                if self.is_in_doubt() =>
            {
                "between two attempts; whether one was executed is unknown"
            }
            Stage::Preparing => "before anything was sent",
            Stage::Connecting | Stage::Unsent => "while connecting; nothing was sent",
            Stage::Waiting => {
                "while waiting for the response; whether the request was executed is unknown"
            }
            Stage::WaitingSafely => "while waiting for the response",
            Stage::Reading => "while reading the response; the request was executed",
            Stage::ReadingSafely => "while reading the response",
            Stage::Transferring => "while sending or receiving a file",
            Stage::Pausing => "between two attempts; the last one was not executed",
        };
        Error::new(code, format!("{what} {stage}")).with_outcome_unknown(self.may_have_executed())
    }

    fn stage(&self) -> Stage {
        let stage = usize::from(self.stage.load(Ordering::Acquire));
        STAGES.get(stage).copied().unwrap_or(Stage::Waiting)
    }

    fn set(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }
}

impl Submitted {
    fn cut_short(&self, code: Code, what: &str) -> Error {
        let id = &self.id;
        let (job_state, remedy) = match self.job_state {
            JobState::Running => (
                "continues at fal",
                "attach to it by its id to wait for it again",
            ),
            JobState::CancelRequested => (
                "fal was told to cancel",
                "ask for its status by its id to see whether it ended before",
            ),
            JobState::Ended => ("has ended", "fetch its result by its id"),
        };
        Error::new(
            code,
            format!("{what} while waiting for request {id}, which {job_state}"),
        )
        .with_remedy(format!(
            "Request {id} was submitted: {remedy}. Sending the input again may run it twice."
        ))
        .with_request_id(id)
        .with_outcome_unknown(true)
    }
}

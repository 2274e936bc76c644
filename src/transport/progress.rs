//! The progress of a call, from which an error says what was sent and what was executed.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Idempotency};
use crate::secrets::Secrets;

/// The job that an operation waits for.
#[derive(Debug)]
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

/// The stage of a call. `doubt`: the request has side effects, so sending it twice does harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Preparing,
    /// The HTTP stack has not asked for the body.
    Connecting,
    /// The attempt failed, and the HTTP stack must not send the body any more.
    Unsent,
    /// The request has been sent, at least in part.
    Waiting {
        doubt: bool,
    },
    /// The response has begun, so the request was executed.
    Reading {
        doubt: bool,
    },
    Pausing,
    /// Several concurrent requests, each of which may be sent twice.
    Transferring,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// Whether the HTTP stack has taken the whole body of the request.
    is_whole: bool,
    /// Whether the call goes on without its operation.
    is_left: bool,
    /// Whether an earlier request of the call may have been executed.
    in_doubt: bool,
    /// Whether the call waits for its credential.
    seeks_key: bool,
    body_failure: Option<Error>,
    job: Option<Submitted>,
}

/// Written by the transport, and read by the code that ends a call early. Thread-safe.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    /// The endpoint that the request runs.
    endpoint: OnceLock<EndpointId>,
    secrets: Arc<Secrets>,
}

impl Progress {
    /// A progress that shares `secrets` with other calls of the operation.
    pub(crate) fn of(secrets: &Arc<Secrets>) -> Self {
        Progress {
            state: Mutex::default(),
            endpoint: OnceLock::new(),
            secrets: secrets.clone(),
        }
    }

    /// The secrets of the requests, which no message may contain.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the call begins or ends to wait for its credential.
    pub(crate) fn seeks_key(&self, seeks_key: bool) {
        self.state().seeks_key = seeks_key;
    }

    pub(crate) fn connecting(&self) {
        let mut state = self.state();
        (state.stage, state.is_whole) = (Stage::Connecting, false);
    }

    /// Records that the request is being sent. Without a body that is assumed from the start.
    pub(crate) fn sending(&self, idempotency: Idempotency) {
        let doubt = idempotency.leaves_doubt();
        let mut state = self.state();
        (state.stage, state.is_whole) = (Stage::Waiting { doubt }, true);
    }

    /// Records that the first byte of a body is about to be sent. Returns false if the attempt is
    /// over and nothing may be sent.
    #[must_use]
    pub(crate) fn begins(&self, idempotency: Idempotency) -> bool {
        let mut state = self.state();
        let over = matches!(state.stage, Stage::Unsent | Stage::Pausing);
        if !over {
            let doubt = idempotency.leaves_doubt();
            state.stage = Stage::Waiting { doubt };
        }
        !over
    }

    /// Records that the HTTP stack has taken the last byte of the body.
    pub(crate) fn sent(&self) {
        self.state().is_whole = true;
    }

    /// Lets the call go on without its operation if its response may still arrive. No other request
    /// of it is sent then. Gives the call up otherwise. Returns whether it goes on.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.state();
        state.withdraw();
        state.is_left = state.expects_response();
        state.is_left
    }

    /// Whether the call goes on without its operation.
    pub(crate) fn is_left(&self) -> bool {
        self.state().is_left
    }

    /// Whether the whole request has been sent, and its response has not arrived as a whole.
    pub(crate) fn expects_response(&self) -> bool {
        self.state().expects_response()
    }

    /// Gives up the request unless it is being sent already. Returns whether nothing was sent. That
    /// stays true: the task of the connection may own the body, but calls [`begins`](Self::begins)
    /// before it sends.
    #[must_use]
    pub(crate) fn withdraw(&self) -> bool {
        self.state().withdraw()
    }

    /// Records that no connection could be made.
    pub(crate) fn unsent(&self) {
        self.state().stage = Stage::Unsent;
    }

    pub(crate) fn reading(&self, idempotency: Idempotency) {
        let doubt = idempotency.leaves_doubt();
        self.state().stage = Stage::Reading { doubt };
    }

    /// Records that the last request may have been executed and that another one follows: a retry
    /// that fal recognizes, or a redirect. The outcome of the next request says nothing about the
    /// last one.
    pub(crate) fn doubting(&self) {
        let mut state = self.state();
        state.in_doubt = true;
        state.stage = Stage::Pausing;
    }

    /// Records that the last attempt was not executed.
    pub(crate) fn pausing(&self) {
        self.state().stage = Stage::Pausing;
    }

    /// Records that a file is being sent or received.
    pub(crate) fn transferring(&self) {
        self.state().stage = Stage::Transferring;
    }

    /// Records why the body of the request could not be produced.
    pub(crate) fn body_failed(&self, error: Error) {
        self.state().body_failure = Some(error);
    }

    pub(crate) fn take_body_failure(&self) -> Option<Error> {
        self.state().body_failure.take()
    }

    /// Records the id of the job that fal has accepted.
    pub(crate) fn submitted(&self, id: &str) {
        self.state().job = Some(Submitted {
            id: id.to_owned(),
            job_state: JobState::Running,
        });
    }

    pub(crate) fn set_job_state(&self, job_state: JobState) {
        if let Some(job) = &mut self.state().job {
            job.job_state = job_state;
        }
    }

    /// Whether the head of a response has arrived.
    pub(crate) fn answered(&self) -> bool {
        matches!(self.state().stage, Stage::Reading { .. })
    }

    /// Records the endpoint that a request runs.
    pub(crate) fn calls(&self, endpoint: &EndpointId) {
        self.endpoint.get_or_init(|| endpoint.clone());
    }

    /// Completes the error that an operation ends with. Only a response says whether a request was
    /// executed, so an error without one has an unknown outcome once a request was sent.
    pub(crate) fn judged(&self, error: Error) -> Error {
        let (submitted, unknown) = {
            let state = self.state();
            let submitted = state.job.is_some();
            let unknown = match error.http_status() {
                None => submitted || state.may_have_executed(),
                Some(_) => state.in_doubt,
            };
            (submitted, unknown)
        };
        let error = match unknown {
            true => error.with_outcome_unknown(true),
            false => error,
        };
        match self.endpoint.get() {
            Some(endpoint) if error.may_have_executed() && !submitted => {
                let remedy = format!(
                    "{} To see whether it ran, list the recent requests of {endpoint}: models.requests.by_endpoint of the Platform API.",
                    error.remedy()
                );
                error.with_remedy(remedy)
            }
            _ => error,
        }
    }

    /// Whether the service may have executed the request.
    pub(crate) fn may_have_executed(&self) -> bool {
        self.state().may_have_executed()
    }

    /// The error of an operation that ends early.
    pub(crate) fn ended(&self, code: Code, what: &str) -> Error {
        let error = self.cut_short(code, what);
        let state = self.state();
        if !state.is_left || state.job.is_some() {
            return error;
        }
        let message = format!(
            "{}; libfal waits up to 30 s for the id of the job, to cancel it",
            error.message()
        );
        error.with_message(message)
    }

    /// The error of a call or an attempt that ends early. A request that was not sent yet will not
    /// be sent.
    pub(crate) fn cut_short(&self, code: Code, what: &str) -> Error {
        let mut state = self.state();
        if let Some(job) = &state.job {
            return job.cut_short(code, what);
        }
        let unsent = state.withdraw();
        let stage = match state.stage {
            stage if state.in_doubt && (unsent || stage == Stage::Pausing) => {
                "between two attempts; whether one was executed is unknown"
            }
            Stage::Preparing if state.seeks_key => {
                "before anything was sent; the source of the key, such as its command, had not answered"
            }
            Stage::Preparing => "before anything was sent",
            Stage::Connecting | Stage::Unsent => "while connecting; nothing was sent",
            Stage::Waiting { doubt: true } => {
                "while waiting for the response; whether the request was executed is unknown"
            }
            Stage::Waiting { doubt: false } => "while waiting for the response",
            Stage::Reading { doubt: true } => {
                "while reading the response; the request was executed"
            }
            Stage::Reading { doubt: false } => "while reading the response",
            Stage::Transferring => "while sending or receiving a file",
            Stage::Pausing => "between two attempts; the last one was not executed",
        };
        Error::new(code, format!("{what} {stage}")).with_outcome_unknown(state.may_have_executed())
    }
}

impl State {
    fn withdraw(&mut self) -> bool {
        // In `Preparing`, there is no body that could still be sent.
        if self.stage == Stage::Connecting {
            self.stage = Stage::Unsent;
        }
        matches!(self.stage, Stage::Preparing | Stage::Unsent)
    }

    fn expects_response(&self) -> bool {
        match self.stage {
            // No service accepts a part of a request.
            Stage::Waiting { .. } => self.is_whole,
            Stage::Reading { .. } => true,
            _ => false,
        }
    }

    fn may_have_executed(&self) -> bool {
        use Stage::{Reading, Waiting};
        self.in_doubt
            || matches!(
                self.stage,
                Waiting { doubt: true } | Reading { doubt: true }
            )
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

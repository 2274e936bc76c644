//! How far a call has come, so that an error can say what it means.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Idempotency};
use crate::secrets::Secrets;

/// A job that the operation waits for, and what becomes of it if the operation is cut short.
#[derive(Clone, Debug)]
struct Submitted {
    id: String,
    job_state: JobState,
}

/// What became of a submitted job whose operation was cut short.
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
    /// The same, and it will get none any more: that nothing was sent has been said.
    Unsent,
    /// Something that may be executed has, or may have, left.
    Waiting,
    /// The same for a request that does no harm when it is sent twice.
    WaitingSafely,
    /// The answer has begun, so the service has executed the request.
    Reading,
    ReadingSafely,
    Pausing,
    /// Requests that do no harm when they are sent twice, several at once.
    Transferring,
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

/// Written by the transport, read by whoever ends the call early.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    in_doubt: AtomicBool,
    body_failure: Mutex<Option<Error>>,
    job: Mutex<Option<Submitted>>,
    /// The endpoint whose request this is, which may be executed.
    endpoint: OnceLock<EndpointId>,
    secrets: Arc<Secrets>,
}

impl Progress {
    /// The progress of requests whose secrets are noted here.
    pub(crate) fn of(secrets: &Arc<Secrets>) -> Self {
        Progress {
            secrets: secrets.clone(),
            ..Progress::default()
        }
    }

    /// What the requests carried that must not show.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    pub(crate) fn connecting(&self) {
        self.set(Stage::Connecting);
    }

    /// The request is leaving, or, where there is no sign of that, may be about to.
    pub(crate) fn sending(&self, idempotency: Idempotency) {
        self.set(if idempotency.leaves_doubt() {
            Stage::Waiting
        } else {
            Stage::WaitingSafely
        });
    }

    /// The same for a body of which a byte is about to leave. False if it must not, since its
    /// attempt is over.
    #[must_use]
    pub(crate) fn begins(&self, idempotency: Idempotency) -> bool {
        let begun = if idempotency.leaves_doubt() {
            Stage::Waiting
        } else {
            Stage::WaitingSafely
        };
        let over = [Stage::Unsent as u8, Stage::Pausing as u8];
        let begin = |stage| (!over.contains(&stage)).then_some(begun as u8);
        self.stage
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, begin)
            .is_ok()
    }

    /// Gives the request up unless it is leaving already. Whether nothing of it was sent, which
    /// stays so: its body may be in the hands of the connection's task, and that asks before it
    /// sends.
    #[must_use]
    pub(crate) fn withdraw(&self) -> bool {
        let (connecting, unsent) = (Stage::Connecting as u8, Stage::Unsent as u8);
        // Before that there is no body that anybody could send.
        let _ =
            self.stage
                .compare_exchange(connecting, unsent, Ordering::AcqRel, Ordering::Acquire);
        matches!(self.stage(), Stage::Preparing | Stage::Unsent)
    }

    /// The connection could not be made.
    pub(crate) fn unsent(&self) {
        self.set(Stage::Unsent);
    }

    pub(crate) fn reading(&self, idempotency: Idempotency) {
        self.set(if idempotency.leaves_doubt() {
            Stage::Reading
        } else {
            Stage::ReadingSafely
        });
    }

    /// The last request is over and may have been executed; there is another because fal would know
    /// it from the first, or because the first was redirected. Whatever becomes of that one, it
    /// says nothing of the first.
    pub(crate) fn doubting(&self) {
        self.in_doubt.store(true, Ordering::Release);
        self.set(Stage::Pausing);
    }

    fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Acquire)
    }

    /// The last attempt is over and known not to have been executed.
    pub(crate) fn pausing(&self) {
        self.set(Stage::Pausing);
    }

    /// A file is under way.
    pub(crate) fn transferring(&self) {
        self.set(Stage::Transferring);
    }

    /// The body that is sent could not be made to its end.
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

    /// The operation has, from now on, a job at fal.
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

    /// Whether the head of an answer has arrived.
    pub(crate) fn answered(&self) -> bool {
        matches!(self.stage(), Stage::Reading | Stage::ReadingSafely)
    }

    /// The endpoint that a request is about to be sent to.
    pub(crate) fn calls(&self, endpoint: &EndpointId) {
        self.endpoint.get_or_init(|| endpoint.clone());
    }

    /// The error that an operation ends with. One of our own making, whatever it is, says nothing
    /// of a request that has left: only an answer does.
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
                let where_to_look = format!(
                    "Whether it ran is told by the recent requests of {endpoint}: models.requests.by_endpoint of the Platform API."
                );
                let remedy = format!("{} {where_to_look}", error.remedy());
                error.with_remedy(remedy)
            }
            None => error,
        }
    }

    /// Whether the service may have executed what was sent, as far as one can know now.
    pub(crate) fn may_have_executed(&self) -> bool {
        self.is_in_doubt() || matches!(self.stage(), Stage::Waiting | Stage::Reading)
    }

    /// The error of a call, or of an attempt, that ends here because somebody or something ended
    /// it. What had not left by now does not.
    pub(crate) fn cut_short(&self, code: Code, what: &str) -> Error {
        if let Some(job) = &*self.job() {
            return job.cut_short(code, what);
        }
        let unsent = self.withdraw();
        let stage = match self.stage() {
            _ if unsent && self.is_in_doubt() => {
                "between two attempts; whether one was executed is unknown"
            }
            Stage::Preparing => "before anything was sent",
            Stage::Connecting | Stage::Unsent => "while it was connecting; nothing was sent",
            Stage::Waiting => {
                "while it waited for the answer; whether the request was executed is unknown"
            }
            Stage::WaitingSafely => "while it waited for the answer",
            Stage::Reading => "while it read the answer; the request was executed",
            Stage::ReadingSafely => "while it read the answer",
            Stage::Transferring => "while it sent or received a file",
            Stage::Pausing if self.is_in_doubt() => {
                "between two attempts; whether one was executed is unknown"
            }
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
                "goes on at fal",
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
            format!("{what} while it waited for request {id}, which {job_state}"),
        )
        .with_remedy(format!(
            "Request {id} was submitted: {remedy}. Sending the input again may run it twice."
        ))
        .with_request_id(id)
        .with_outcome_unknown(true)
    }
}

//! Webhooks: a finished request is reported to a URL of its submitter (docs/protocol.md §10).

mod delivery;
mod payload;
mod send;
mod settings;
mod sign;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue};

pub use delivery::{DeliveryAttempt, DeliveryOutcome, WebhookDelivery};
pub(crate) use send::{get, is_reachable};
pub use settings::WebhookSettings;
pub(crate) use sign::Signer;

use crate::answer::Answer;
use crate::clock;
use crate::queue::{self, Job, Outcome};
use crate::server::Request;
use crate::state::State;

/// The timeout of the first attempt.
const FIRST_TIMEOUT: Duration = Duration::from_secs(15);

/// The timeout of later attempts.
const LATER_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest pause. Pauses double up to it; fal's pauses are unknown (§16.35).
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The deliveries, and the keys that sign them.
pub(crate) struct Webhooks {
    pub(crate) signer: Arc<Signer>,
    deliveries: Mutex<Vec<WebhookDelivery>>,
}

impl Webhooks {
    pub(crate) fn signed_by(signer: Arc<Signer>) -> Self {
        Self {
            signer,
            deliveries: Mutex::default(),
        }
    }

    fn deliveries(&self) -> MutexGuard<'_, Vec<WebhookDelivery>> {
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Vec<WebhookDelivery> {
        self.deliveries().clone()
    }

    /// Adds a record and returns its index.
    fn open(&self, job: &Job, url: &url::Url) -> usize {
        let mut deliveries = self.deliveries();
        deliveries.push(WebhookDelivery::new(&job.id, url));
        deliveries.len() - 1
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut WebhookDelivery)) {
        if let Some(delivery) = self.deliveries().get_mut(index) {
            change(delivery);
        }
    }
}

/// Starts the delivery of a finished job's webhook, if it has one.
pub(crate) fn tell(state: &Arc<State>, job: &Arc<Job>, outcome: &Arc<Outcome>) {
    let Some(url) = &job.webhook else {
        return;
    };
    if outcome.status.as_u16() == 499 && !state.settings().webhooks.on_cancel {
        return;
    }
    let index = state.webhooks.open(job, url);
    let (state, job, url, outcome) = (
        Arc::clone(state),
        Arc::clone(job),
        url.clone(),
        Arc::clone(outcome),
    );
    tokio::spawn(async move {
        let end = deliver(&state, &job, &url, &outcome, index).await;
        state
            .webhooks
            .change(index, |delivery| delivery.outcome = end);
    });
}

/// Repeats the attempt until one succeeds, the result expires, or the attempts are used up (§10.2).
async fn deliver(
    state: &State,
    job: &Job,
    url: &url::Url,
    outcome: &Outcome,
    index: usize,
) -> DeliveryOutcome {
    if !send::is_reachable(url) {
        return DeliveryOutcome::Dropped;
    }
    let settings = state.settings().webhooks;
    let body = payload::of(job, outcome, &settings);
    let kept_for = queue::kept_for(outcome.payload.size().unwrap_or_default());
    let expires = clock::later(outcome.completed, kept_for);
    let mut pause = Duration::from_millis(settings.first_pause_ms);
    for attempt in 0..=settings.retries {
        let at = state.clock.now();
        let timeout = if attempt == 0 {
            FIRST_TIMEOUT
        } else {
            LATER_TIMEOUT
        };
        let answer = match state.webhooks.signer.headers(
            &job.id,
            job.account().unwrap_or_default(),
            at,
            &body,
        ) {
            Some(headers) => tokio::select! {
                answer = send::post(url, headers, body.clone()) => answer,
                () = state.clock.sleep_until(clock::later(at, timeout)) => Err("timed out".into()),
            },
            None => Err("cannot create a key to sign with".into()),
        };
        // Computed before the test can observe the attempt and advance the clock.
        let next = clock::later(state.clock.now(), pause);
        let status = answer
            .as_ref()
            .ok()
            .and_then(|status| StatusCode::from_u16(*status).ok());
        state.webhooks.change(index, |delivery| {
            delivery.attempts.push(DeliveryAttempt { at, answer })
        });
        match status {
            Some(status) if status.is_success() => return DeliveryOutcome::Delivered,
            Some(status) if status.is_redirection() => return DeliveryOutcome::Redirected,
            _ if next > expires => return DeliveryOutcome::Expired,
            _ => {}
        }
        if attempt < settings.retries {
            state.clock.sleep_until(next).await;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
    DeliveryOutcome::GivenUp
}

/// `GET /.well-known/jwks.json` of the REST host (§10.3).
pub(crate) fn jwks(state: &State, request: &Request) -> Answer {
    if request.method == Method::GET {
        let padded = state.settings().webhooks.jwks_padding;
        return Answer::json(StatusCode::OK, &state.webhooks.signer.jwks(padded));
    }
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer
        .headers
        .insert(ALLOW, HeaderValue::from_static("GET"));
    answer
}

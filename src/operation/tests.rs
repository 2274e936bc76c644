use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::op::Limit;
use super::*;
use crate::error::{Code, Error, Idempotency};

#[test]
fn a_panic_is_an_error_and_after_a_post_left_an_unknown_outcome() {
    for (sent, unknown) in [
        (None, false),
        (Some(Idempotency::Safe), false),
        (Some(Idempotency::NonIdempotent), true),
    ] {
        let op = Op::start(Arc::default(), None, |task| async move {
            task.progress.connecting();
            if let Some(idempotency) = sent {
                task.progress.sending(idempotency);
            }
            // Without the panic hook, which would print it.
            std::panic::resume_unwind(Box::new("of nobody's making"))
        });
        let op = op.unwrap();
        op.wait(None).unwrap();
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Panic, unknown),
            "{sent:?}: {error}"
        );
        assert!(error.message().contains("of nobody's making"), "{error}");
    }
}

/// Takes a moment to be dropped, as work that cancels a job does.
struct Slow(Arc<AtomicBool>);

impl Drop for Slow {
    fn drop(&mut self) {
        sleep(Duration::from_millis(100));
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn what_the_work_held_is_gone_when_the_operation_has_ended() {
    let limit = || {
        let timeout = Duration::from_millis(20);
        let deadline = Instant::now() + timeout;
        Limit { timeout, deadline }
    };
    for (limit, code) in [
        (None, Code::Cancelled),
        (Some(limit()), Code::Deadline),
        (None, Code::Protocol),
    ] {
        let is_gone = Arc::new(AtomicBool::new(false));
        let slow = Slow(is_gone.clone());
        let op = Op::start(Arc::default(), limit, |_| async move {
            let _slow = slow;
            match code {
                Code::Protocol => Err(Error::new(code, "the end of the work itself")),
                _ => std::future::pending().await,
            }
        });
        let op = op.unwrap();
        if code == Code::Cancelled {
            op.cancel();
        }
        op.wait(None).unwrap();
        assert!(is_gone.load(Ordering::Acquire), "{code}");
        assert_eq!(op.take().unwrap().unwrap_err().code(), code);
    }
}

use std::sync::Arc;

use super::*;
use crate::error::{Code, Idempotency};

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

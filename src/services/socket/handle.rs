//! The handle of a session: its operation, and the queue of its inputs.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use super::send_queue::Inputs;
use crate::error::Result;
use crate::operation::Op;

/// A handle of a session. Clones refer to the same session. Dropping the last clone closes it.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    op: Op,
    inputs: Arc<Closing>,
}

#[derive(Debug)]
struct Closing(Arc<Inputs>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Handle {
    pub(crate) fn new(op: Op, inputs: Arc<Inputs>) -> Self {
        Handle {
            op,
            inputs: Arc::new(Closing(inputs)),
        }
    }

    pub(crate) fn push(&self, message: Message) -> Result<()> {
        self.inputs.0.push(message)
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.inputs.0.unsent()
    }

    pub(crate) fn close(&self) {
        self.inputs.0.close();
    }

    pub(crate) fn op(&self) -> &Op {
        &self.op
    }
}

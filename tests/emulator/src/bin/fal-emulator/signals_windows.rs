//! Console control events on Windows.

use std::io;
use std::process::ExitStatus;

use tokio::process::Child;
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

use crate::Stop;

pub(crate) struct Signals {
    interrupt: CtrlC,
    terminate: CtrlBreak,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            terminate: ctrl_break()?,
        })
    }

    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
        }
    }
}

/// Does nothing: the console notifies every process attached to it.
pub(crate) fn terminate(_: &Child) {}

pub(crate) fn killed_by(_: ExitStatus) -> Option<i32> {
    None
}

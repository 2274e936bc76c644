//! Runs a test in a process of its own, because it changes or counts what the whole process shares.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

/// Set if a test runs in a process of its own.
const ALONE: &str = "FAL_TEST_ALONE";

pub(super) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs the test of this name in a new process, in which [`is_alone`] returns true.
pub(super) fn again(
    module: &str,
    name: &str,
    wrap: impl FnOnce(&Path, &[String]) -> Command,
) -> Output {
    let module = module.split_once("::").unwrap().1;
    let arguments = ["--exact", &format!("{module}::{name}"), "--nocapture"].map(str::to_owned);
    let output = wrap(&std::env::current_exe().unwrap(), &arguments)
        .env(ALONE, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}\n{stderr}"
    );
    output
}

pub(super) fn plainly(program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

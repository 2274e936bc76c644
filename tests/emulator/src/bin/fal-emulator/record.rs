//! `record`: a command whose requests are passed on and recorded.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use fal_emulator::{Emulator, Recording};

use super::{FAILED, fail, run};

/// What the name of a variable contains whose value must not be recorded.
const SECRET: [&str; 4] = ["SECRET", "PASSWORD", "TOKEN", "CREDENTIAL"];

pub(crate) async fn record(
    mut recording: Recording,
    tls: bool,
    command: &[OsString],
) -> io::Result<ExitCode> {
    recording.secrets = secrets();
    let emulator = Emulator::builder().record(recording).start()?;
    let code = run(&emulator, tls, command, |_| {}).await?;
    let report = emulator.recording_report().unwrap_or_default();
    let written = fail(FAILED, &report.to_string());
    let is_whole = report.errors.is_empty() || code != ExitCode::SUCCESS;
    Ok(if is_whole { code } else { written })
}

/// The values of the environment that are secrets by their names: keys of fal and of other services.
fn secrets() -> Vec<String> {
    let is_secret =
        |name: &str| name.ends_with("_KEY") || SECRET.iter().any(|part| name.contains(part));
    std::env::vars_os()
        .filter(|(name, _)| is_secret(&name.to_string_lossy().to_uppercase()))
        .map(|(_, value)| value.to_string_lossy().into_owned())
        .collect()
}

//! `record`: a command whose requests are passed on and recorded.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    let trusted = format!("{}{}", emulator.ca_pem(), system_certificates());
    let code = run(&emulator, tls, &trusted, command, |_| {}).await?;
    let report = emulator.recording_report().unwrap_or_default();
    let written = fail(FAILED, &report.to_string());
    let is_whole = report.errors.is_empty() || code != ExitCode::SUCCESS;
    Ok(if is_whole { code } else { written })
}

/// The certificates that the system trusts, as PEM: the command reaches other hosts, too.
fn system_certificates() -> String {
    // What cannot be read is not trusted.
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|certificate| pem(certificate)).collect()
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        lines.extend(line.iter().copied().map(char::from));
        lines.push('\n');
    }
    lines + "-----END CERTIFICATE-----\n"
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

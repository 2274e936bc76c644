//! `fal-emulator`: the emulator as a program.

mod arguments;
mod ca_file;
mod record;
#[cfg_attr(unix, path = "signals_unix.rs")]
#[cfg_attr(windows, path = "signals_windows.rs")]
mod signals;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{ExitCode, ExitStatus};

use arguments::{Definition, HELP, Options, Task};
use ca_file::CaFile;
use fal_emulator::{BUILT_IN_APPS, Builder, Emulator, Replaying, Settings};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// Variables that name a credential. A program that is recorded keeps them.
const CREDENTIALS: &[&str] = &[
    "FAL_KEY_ID",
    "FAL_KEY_SECRET",
    "FAL_KEY_FILE",
    "FAL_PROFILE",
    "FAL_CONFIG_PATH",
    "FAL_FORCE_AUTH_BY_USER",
];

/// Variables that would direct the command to other hosts than the emulator's.
const HOSTS: &[&str] = &[
    "FAL_RUN_HOST",
    "FAL_QUEUE_RUN_HOST",
    "FAL_REST_HOST",
    "FAL_PLATFORM_HOST",
    "FAL_CDN_HOST",
    "ALL_PROXY",
    "all_proxy",
    "FAL_EMULATOR_HOST",
];

/// Variables that name the proxy for HTTPS.
const PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// Variables that name the hosts to reach without the proxy.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Variables that name a file of certificates to trust, as read by OpenSSL and rustls, Python's
/// requests, Node.js, and curl.
const CA_FILE: [&str; 4] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
];

/// The customary exit status for wrong arguments.
const USAGE: u8 = 2;
const FAILED: u8 = 1;
const CANNOT_START: u8 = 127;

fn main() -> ExitCode {
    let task = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(task) => task,
        Err(message) => return fail(USAGE, &format!("{message}; see fal-emulator --help")),
    };
    let result = match task {
        Task::Help => print(HELP),
        Task::Version => print(concat!("fal-emulator ", env!("CARGO_PKG_VERSION"), "\n")),
        Task::Apps => print(BUILT_IN_APPS),
        Task::Serve {
            port,
            until_eof,
            options,
        } => block_on(serve(port, until_eof, &options)),
        Task::Exec {
            admin,
            tls,
            options,
            command,
        } => block_on(exec(admin, tls, &options, &command)),
        Task::Record {
            recording,
            tls,
            command,
        } => block_on(record::record(recording, tls, &command)),
    };
    result.unwrap_or_else(|error| fail(FAILED, &error.to_string()))
}

fn print(text: &str) -> io::Result<ExitCode> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn fail(status: u8, message: &str) -> ExitCode {
    // If standard error is closed, the message cannot be reported.
    let _ = writeln!(io::stderr(), "fal-emulator: {message}");
    ExitCode::from(status)
}

fn block_on(task: impl Future<Output = io::Result<ExitCode>>) -> io::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(task)
}

/// An emulator that answers as the options say.
fn builder(options: &Options) -> io::Result<Builder> {
    let mut builder = Emulator::builder().settings(Settings {
        any_endpoint: options.any_endpoint,
        strict: options.strict,
        ..Settings::default()
    });
    for definition in &options.definitions {
        let (Definition::Toml(file) | Definition::OpenApi(file)) = definition;
        let place = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read {place}: {error}"))
        })?;
        let defined = match definition {
            Definition::Toml(_) => builder.define(&text),
            Definition::OpenApi(_) => builder.define_openapi(&text),
        };
        builder = defined.map_err(|mistake| {
            let (line, column) = (mistake.line, mistake.column);
            io::Error::other(format!("{place}:{line}:{column}: {}", mistake.message))
        })?;
    }
    Ok(match &options.replay {
        Some(folder) => builder.replay(Replaying {
            folder: folder.clone(),
            pace: options.pace,
        }),
        None => builder,
    })
}

async fn serve(port: u16, until_eof: bool, options: &Options) -> io::Result<ExitCode> {
    // Installed before the printed line tells the parent that it may send signals.
    let mut signals = signals::Signals::listen()?;
    let end = until_eof.then(end_of_input).transpose()?;
    let emulator = builder(options)?
        .port(port)
        .start()
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => io::Error::new(
                error.kind(),
                format!("cannot start on port {port}: {error}"),
            ),
            _ => error,
        })?;
    let ca_file = CaFile::create(emulator.ca_pem())?;
    let line = serde_json::json!({
        "address": emulator.host(),
        "api_key": emulator.api_key(),
        "admin_key": emulator.admin_key(),
        "ca_file": ca_file.path(),
    });
    print(&format!("{line}\n"))?;
    let ended = async {
        match end {
            Some(end) => drop(end.await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signals.next() => {}
        () = ended => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Resolves when standard input ends. Its thread may wait `serve`, because the read cannot be
/// interrupted.
fn end_of_input() -> io::Result<oneshot::Receiver<()>> {
    let (report, ended) = oneshot::channel();
    std::thread::Builder::new().spawn(move || {
        let mut input = io::stdin().lock();
        let mut ignored = [0; 4096];
        loop {
            match input.read(&mut ignored) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(report);
    })?;
    Ok(ended)
}

async fn exec(
    admin: bool,
    tls: bool,
    options: &Options,
    command: &[OsString],
) -> io::Result<ExitCode> {
    let emulator = builder(options)?.start()?;
    let key = if admin {
        emulator.admin_key()
    } else {
        emulator.api_key()
    };
    let status = run(&emulator, tls, emulator.ca_pem(), command, |command| {
        for name in CREDENTIALS {
            command.env_remove(name);
        }
        command
            .env("FAL_KEY", key)
            .env("FAL_EMULATOR_API_KEY", emulator.api_key())
            .env("FAL_EMULATOR_ADMIN_KEY", emulator.admin_key());
    });
    let code = status.await?;
    let mistakes = report_unknown(&emulator);
    drop(emulator);
    if mistakes && code == ExitCode::SUCCESS {
        return Ok(ExitCode::from(FAILED));
    }
    Ok(code)
}

/// Lists the strict requests that the emulator has nothing for. Returns whether there were any.
fn report_unknown(emulator: &Emulator) -> bool {
    let unknown = emulator.unknown_requests();
    let mistakes: Vec<_> = unknown.iter().filter(|request| request.strict).collect();
    for one in &mistakes {
        let line = format!("{} {}{}: {}", one.method, one.host, one.path, one.why);
        // If standard error is closed, the exit status still tells.
        let _ = writeln!(io::stderr(), "fal-emulator: {line} ({} times)", one.times);
    }
    !mistakes.is_empty()
}

/// Runs a command that reaches the emulator and trusts the certificates of `ca_pem`, and returns its exit
/// code. `change` sets its credentials.
async fn run(
    emulator: &Emulator,
    tls: bool,
    ca_pem: &str,
    command: &[OsString],
    change: impl FnOnce(&mut Command),
) -> io::Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // A handler is not inherited by the command, unlike an ignored signal.
    let mut signals = signals::Signals::listen()?;
    let ca_file = CaFile::create(ca_pem)?;
    let mut command = Command::new(program);
    command.args(arguments);
    for name in HOSTS {
        command.env_remove(name);
    }
    if !tls {
        command.env("FAL_EMULATOR_HOST", emulator.host());
    }
    let proxy = format!("http://{}", emulator.host());
    command
        .envs(PROXY.map(|name| (name, &proxy)))
        .envs(NO_PROXY.map(|name| (name, "127.0.0.1,localhost")))
        .envs(CA_FILE.map(|name| (name, ca_file.path())))
        // Node.js 24 and later read the proxy variables only if this is set.
        .env("NODE_USE_ENV_PROXY", "1");
    change(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let message = format!("cannot run {}: {error}", program.to_string_lossy());
            return Ok(fail(CANNOT_START, &message));
        }
    };
    let status = wait(&mut child, &mut signals).await?;
    drop(ca_file);
    Ok(exit_code(status))
}

/// The kind of request to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    /// Ctrl-C, which the terminal sends to the whole foreground process group.
    Interrupt,
    Terminate,
}

/// Waits for the command to exit, and forwards requests to terminate.
async fn wait(child: &mut Child, signals: &mut signals::Signals) -> io::Result<ExitStatus> {
    loop {
        let stop = tokio::select! {
            status = child.wait() => return status,
            stop = signals.next() => stop,
        };
        if stop == Stop::Terminate {
            signals::terminate(child);
        }
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| signals::killed_by(status))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(FAILED))
}

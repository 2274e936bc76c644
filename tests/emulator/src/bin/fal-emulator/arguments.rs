//! The arguments of the program.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::path::PathBuf;

use fal_emulator::{Recording, ReplayPace};

pub(crate) const HELP: &str = "\
fal-emulator: a local fal, to develop and test against without a network and without cost

Usage:
  fal-emulator serve [--port N] [--until-eof]
      Serves on 127.0.0.1 and prints one line of JSON with the members \"address\", \"api_key\",
      \"admin_key\" and \"ca_file\". Ends on SIGINT (Ctrl-C) or SIGTERM.
      --port N      listen on port N; the default is any free port
      --until-eof   also end when standard input ends
  fal-emulator exec [--admin] [--tls] -- COMMAND [ARGUMENTS...]
      Serves on a free port while COMMAND runs, and exits with the exit status of COMMAND. The
      environment of COMMAND has FAL_EMULATOR_HOST and a new FAL_KEY. It also names a proxy for HTTPS
      and its certificate, so that programs that do not know the emulator reach it as fal.run.
      --admin       create FAL_KEY with the scope ADMIN instead of API
      --tls         do not set FAL_EMULATOR_HOST, so that libfal uses the proxy too
      serve and exec also take:
      --apps FILE              define endpoints by a file, as `fal-emulator apps` prints one; repeatable
      --openapi FILE           define endpoints by their OpenAPI, as fal serves it; repeatable
      --any-endpoint           answer for endpoints that are not defined with a likely shape
      --replay FOLDER          answer from the recordings in FOLDER only; any other input is 404
      --replay-pace PACE       \"instant\" (the default), or \"recorded\": after the recorded times
      --strict                 list the requests that the emulator has nothing for; exec then exits with
                               1 if there was one and COMMAND succeeded
  fal-emulator apps
      Prints the built-in endpoints, as a file for --apps.
  fal-emulator record --to FOLDER [--upstream URL] [--max-media SIZE] [--tls] -- COMMAND [ARGUMENTS...]
      Runs COMMAND like exec, but with the keys of the environment: each request is passed on to fal,
      costs what it costs, and is recorded in FOLDER without secrets. Recordings that are there stay.
      --upstream URL    pass requests on to this server in place of fal
      --max-media SIZE  the largest body or file to record, in bytes or with k, M or G; the default is 16M
  fal-emulator --help | --version
";

#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Version,
    Apps,
    Serve {
        port: u16,
        until_eof: bool,
        options: Options,
    },
    Exec {
        admin: bool,
        tls: bool,
        options: Options,
        command: Vec<OsString>,
    },
    Record {
        recording: Recording,
        tls: bool,
        command: Vec<OsString>,
    },
}

/// The options of both `serve` and `exec`.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) replay: Option<PathBuf>,
    pub(crate) pace: ReplayPace,
    /// Files that define endpoints, in their order.
    pub(crate) definitions: Vec<Definition>,
    pub(crate) any_endpoint: bool,
    pub(crate) strict: bool,
}

/// A file that defines endpoints.
#[derive(Debug, PartialEq)]
pub(crate) enum Definition {
    Toml(PathBuf),
    OpenApi(PathBuf),
}

impl Options {
    /// Reads an option with its value. Returns false if it is none of these.
    fn take(
        &mut self,
        argument: &OsStr,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, String> {
        if argument == "--strict" {
            self.strict = true;
        } else if let Some(folder) = value("--replay", argument, rest)? {
            self.replay = Some(folder.into());
        } else if let Some(file) = value("--apps", argument, rest)? {
            self.definitions.push(Definition::Toml(file.into()));
        } else if let Some(file) = value("--openapi", argument, rest)? {
            self.definitions.push(Definition::OpenApi(file.into()));
        } else if argument == "--any-endpoint" {
            self.any_endpoint = true;
        } else if let Some(pace) = value("--replay-pace", argument, rest)? {
            self.pace = match pace.to_str() {
                Some("instant") => ReplayPace::Instant,
                Some("recorded") => ReplayPace::Recorded,
                _ => {
                    let pace = pace.to_string_lossy();
                    return Err(format!(
                        "--replay-pace must be instant or recorded, not {pace}"
                    ));
                }
            };
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// The value of the option `name` if `argument` is that option: `--name value` or `--name=value`.
fn value(
    name: &str,
    argument: &OsStr,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Option<OsString>, String> {
    if argument == name {
        let value = rest.next().filter(|value| value != "--");
        return value
            .map(Some)
            .ok_or_else(|| format!("{name}: the value is missing"));
    }
    let text = argument.to_string_lossy();
    let value = text
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    Ok(value.map(OsString::from))
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let first = arguments.next().ok_or("a command is missing")?;
    match first.to_str() {
        Some("--help" | "-h" | "help") => Ok(Task::Help),
        Some("--version" | "-V") => Ok(Task::Version),
        Some("apps") => match arguments.next() {
            None => Ok(Task::Apps),
            Some(argument) => Err(format!(
                "apps: unknown argument {}",
                argument.to_string_lossy()
            )),
        },
        Some("serve") => parse_serve(arguments),
        Some("exec") => parse_exec(arguments),
        Some("record") => parse_record(arguments),
        _ => Err(format!("{} is not a command", first.to_string_lossy())),
    }
}

fn parse_serve(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let (mut port, mut until_eof) = (0, false);
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        if options.take(&argument, &mut arguments)? {
            continue;
        }
        let text = argument.to_string_lossy();
        match text.split_once('=') {
            Some(("--port", value)) => port = parse_port(value)?,
            None if text == "--port" => {
                let value = arguments.next().ok_or("--port: the port is missing")?;
                port = parse_port(&value.to_string_lossy())?;
            }
            None if text == "--until-eof" => until_eof = true,
            None if text == "--help" || text == "-h" => return Ok(Task::Help),
            _ => return Err(format!("serve: unknown argument {text}")),
        }
    }
    Ok(Task::Serve {
        port,
        until_eof,
        options,
    })
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("--port must be 0 to 65535, not {text}"))
}

fn parse_exec(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let (mut admin, mut tls) = (false, false);
    let (mut command, mut options) = (Vec::new(), Options::default());
    while let Some(argument) = arguments.next() {
        if options.take(&argument, &mut arguments)? {
            continue;
        }
        match argument.to_str() {
            Some("--admin") => admin = true,
            Some("--tls") => tls = true,
            Some("--help" | "-h") => return Ok(Task::Help),
            _ => command = command_of("exec", argument, &mut arguments)?,
        }
    }
    if command.is_empty() {
        return Err("exec: a command is missing".into());
    }
    Ok(Task::Exec {
        admin,
        tls,
        options,
        command,
    })
}

/// Returns the command, which is what follows `--`, or begins with the first argument that is no option.
fn command_of(
    name: &str,
    first: OsString,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Vec<OsString>, String> {
    match first.to_str() {
        Some("--") => Ok(rest.collect()),
        Some(option) if option.starts_with('-') => Err(format!("{name}: unknown option {option}")),
        _ => Ok(iter::once(first).chain(rest).collect()),
    }
}

fn parse_record(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let (mut folder, mut tls, mut command) = (None, false, Vec::new());
    let mut recording = Recording::to("");
    while let Some(argument) = arguments.next() {
        if let Some(to) = value("--to", &argument, &mut arguments)? {
            folder = Some(to);
            continue;
        }
        if let Some(url) = value("--upstream", &argument, &mut arguments)? {
            recording.upstream = Some(url.to_string_lossy().into_owned());
            continue;
        }
        if let Some(size) = value("--max-media", &argument, &mut arguments)? {
            recording.max_media = parse_size(&size.to_string_lossy())?;
            continue;
        }
        match argument.to_str() {
            Some("--tls") => tls = true,
            Some("--help" | "-h") => return Ok(Task::Help),
            _ => command = command_of("record", argument, &mut arguments)?,
        }
    }
    if command.is_empty() {
        return Err("record: a command is missing".into());
    }
    recording.folder = folder.ok_or("record: --to FOLDER is missing")?.into();
    Ok(Task::Record {
        recording,
        tls,
        command,
    })
}

/// A number of bytes, or of KiB, MiB or GiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'M')) => (&text[..at], 20),
        Some((at, 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| {
            format!("--max-media must be a number of bytes, or one with k, M or G, not {text}")
        })
}

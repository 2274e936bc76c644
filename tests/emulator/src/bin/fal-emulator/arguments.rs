//! The arguments of the program.

use std::ffi::OsString;

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
  fal-emulator --help | --version
";

#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Help,
    Version,
    Serve {
        port: u16,
        until_eof: bool,
    },
    Exec {
        admin: bool,
        tls: bool,
        command: Vec<OsString>,
    },
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let first = arguments.next().ok_or("a command is missing")?;
    match first.to_str() {
        Some("--help" | "-h" | "help") => Ok(Task::Help),
        Some("--version" | "-V") => Ok(Task::Version),
        Some("serve") => parse_serve(arguments),
        Some("exec") => parse_exec(arguments),
        _ => Err(format!("{} is not a command", first.to_string_lossy())),
    }
}

fn parse_serve(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let (mut port, mut until_eof) = (0, false);
    while let Some(argument) = arguments.next() {
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
    Ok(Task::Serve { port, until_eof })
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("--port must be 0 to 65535, not {text}"))
}

fn parse_exec(mut arguments: impl Iterator<Item = OsString>) -> Result<Task, String> {
    let (mut admin, mut tls) = (false, false);
    let mut command = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") => command.extend(arguments.by_ref()),
            Some("--admin") => admin = true,
            Some("--tls") => tls = true,
            Some("--help" | "-h") => return Ok(Task::Help),
            Some(option) if option.starts_with('-') => {
                return Err(format!("exec: unknown option {option}"));
            }
            _ => {
                command.push(argument);
                command.extend(arguments.by_ref());
            }
        }
    }
    if command.is_empty() {
        return Err("exec: a command is missing".into());
    }
    Ok(Task::Exec {
        admin,
        tls,
        command,
    })
}

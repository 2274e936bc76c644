//! Shows where the library finds a key: every source in order, with its state. Makes no request.
//!
//! Usage: `explain [--json]`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use fal::credentials::{Environment, Options, resolve};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = match arguments.as_slice() {
        [] => false,
        [only] if only == "--json" => true,
        _ => {
            eprintln!("usage: explain [--json]");
            return ExitCode::from(2);
        }
    };
    let resolution = resolve(&Options::new(), &Environment::process());
    if json {
        println!("{}", resolution.to_json());
    } else {
        println!("{resolution}");
    }
    if resolution.problem().is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

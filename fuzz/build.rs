//! Builds the C++ half of the target `api`. It is C++ so that the types of a function's arguments
//! come from the header.

use std::path::Path;
use std::{env, fs};

const PARTS: [&str; 6] = ["api", "callbacks", "givens", "server", "words", "world"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = env::var("OUT_DIR")?;
    let symbols = fs::read_to_string("../tests/abi/fal.symbols")?;
    let rows: String = symbols
        .lines()
        .map(|name| format!("ROW({name})\n"))
        .collect();
    fs::write(Path::new(&out).join("rows.inc"), rows)?;
    let files = PARTS.map(|part| format!("api/{part}.cpp"));
    // The same instrumentation as the Rust half: make fuzz SANITIZER=.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut build = cc::Build::new();
    if flags.contains("sanitizer=address") {
        build.flag("-fsanitize=address");
    }
    build
        .cpp(true)
        .std("c++17")
        .include("../include")
        .include(&out)
        .files(&files)
        .compile("api");
    for input in ["api", "../include", "../tests/abi/fal.symbols", "build.rs"] {
        println!("cargo:rerun-if-changed={input}");
    }
    Ok(())
}

//! Makes a picture and saves it, or lists the account's keys.
//!
//! Usage: `picture [--size WxH] [--out FILE] [PROMPT]` or `picture keys`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::process::ExitCode;

use fal::{Client, Op, Request};

struct Settings {
    prompt: String,
    width: u64,
    height: u64,
    out: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("keys") => list_keys(),
        _ => parse(&arguments).and_then(|settings| make_picture(&settings)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

fn make_picture(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let client = Client::builder()
        .user_agent("picture-example/1.0")?
        .build()?;
    let explanation = client.resolve()?;
    if let Some(used) = explanation.used() {
        println!(
            "key:      {}, id {}",
            used.source,
            used.key_id.as_deref().unwrap_or("-")
        );
    }

    let mut request = Request::run("fal-ai/flux/schnell")?;
    request.set_field("prompt", settings.prompt.as_str().into())?;
    request.set_field("/image_size/width", settings.width.into())?;
    request.set_field("/image_size/height", settings.height.into())?;
    let made = Op::finish(|| client.run_start(request))?;
    println!("request:  {}", made.request_id().unwrap_or("-"));

    let file = Request::new("GET", made.get_str("/images/0/url")?)?;
    let picture = Op::finish(|| client.send_start(file))?;
    std::fs::write(&settings.out, picture.body())?;
    let (width, height) = (made.get("/images/0/width")?, made.get("/images/0/height")?);
    println!("picture:  {} ({width}x{height})", settings.out);
    Ok(())
}

fn list_keys() -> Result<(), Box<dyn Error>> {
    let client = Client::builder().build()?;
    let request = Request::new("GET", "/v1/keys")?;
    let answer = Op::finish(|| client.send_start(request))?;
    for key in answer.get("/keys")?.as_array().into_iter().flatten() {
        println!(
            "{}  {}",
            key["key_id"].as_str().unwrap_or("-"),
            key["alias"].as_str().unwrap_or("-")
        );
    }
    Ok(())
}

fn report(error: &(dyn Error + 'static)) {
    eprintln!("error: {error}");
    let Some(error) = error.downcast_ref::<fal::Error>() else {
        return;
    };
    eprintln!("do:    {}", error.remedy());
    if let Some(sources) = error.resolution() {
        eprintln!("{sources}");
    }
}

fn parse(arguments: &[String]) -> Result<Settings, Box<dyn Error>> {
    let mut settings = Settings {
        prompt: "a lighthouse at dusk".into(),
        width: 512,
        height: 512,
        out: "picture.png".into(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--size" => {
                let size = arguments
                    .next()
                    .and_then(|size| size.split_once('x'))
                    .ok_or("--size takes WxH")?;
                (settings.width, settings.height) = (size.0.parse()?, size.1.parse()?);
            }
            "--out" => settings.out = arguments.next().ok_or("--out takes a file")?.clone(),
            prompt => settings.prompt = prompt.into(),
        }
    }
    Ok(settings)
}

//! Makes the compared calls with libfal: `calls NAME FOLDER` prints the outcome as JSON.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use fal::{
    Client, Event, EventKind, Job, NextEvent, Op, Priority, Request, Response, SocketOptions,
    Upload, UploadWay,
};
use serde_json::{Value, json};

type Outcome = Result<Value, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (name, folder) = (
        arguments.next().ok_or("NAME")?,
        arguments.next().ok_or("FOLDER")?,
    );
    let outcome = call(&name, Path::new(&folder))?;
    println!("{}", json!({ "outcome": outcome }));
    Ok(())
}

fn call(name: &str, folder: &Path) -> Outcome {
    let client = Client::builder().build()?;
    let inputs: Value = serde_json::from_str(include_str!("inputs.json"))?;
    // `upload_by_cdn`, `upload_5_mb_by_cdn`, …: with a CDN token, as the Python client uploads.
    let (name, way) = match name.strip_suffix("_by_cdn") {
        Some("upload_120_mb") => ("upload_120_mb", Some(UploadWay::DirectParts)),
        Some(name) => (name, Some(UploadWay::Direct)),
        None => (name, None),
    };
    match name {
        "run" => Ok(
            finish(|| client.run_start(input("emulator/echo", &inputs["echo"])?))?
                .get("/body")?
                .clone(),
        ),
        "run_refused" => {
            let refused =
                finish(|| client.run_start(Request::run("emulator/fail/image_too_large")?));
            Ok(json!(refused.err().and_then(|error| error.http_status())))
        }
        "submit" => {
            let mut request = input("emulator/job", &inputs["job"])?;
            request.set_priority(Priority::Low);
            request.set_runner_hint("lefty")?;
            request.set_start_timeout(std::time::Duration::from_secs(30))?;
            let answer = finish(|| client.submit_start(request))?;
            let job = Job::of_response("emulator/job", &answer)?;
            Ok(finish(|| client.attach_start(&job))?.json()?.clone())
        }
        "status" => {
            let answer = finish(|| client.submit_start(input("emulator/job", &inputs["job"])?))?;
            let mut job = Job::of_response("emulator/job", &answer)?;
            job.set_logs(true);
            loop {
                let status = finish(|| client.status_start(&job))?;
                if status.get_str("/status")? == "COMPLETED" {
                    let logs = status.get("/logs")?.as_array().ok_or("no logs")?;
                    return Ok(logs.iter().map(|log| log["message"].clone()).collect());
                }
            }
        }
        "subscribe" => {
            let mut request = input("emulator/job", &inputs["job"])?;
            request.set_logs(true);
            let op = client.subscribe_start(request)?;
            let logs = told(&op, EventKind::Log, |event| {
                Ok(event.get("/message")?.clone())
            })?;
            Ok(json!({"result": taken(&op)?.json()?, "logs": logs}))
        }
        "cancel" => {
            let answer =
                finish(|| client.submit_start(input("emulator/job", &inputs["long_job"])?))?;
            let job = Job::of_response("emulator/job", &answer)?;
            finish(|| client.cancel_start(&job))?;
            Ok(json!("cancelled"))
        }
        "stream" => {
            let op = client.stream_start(input(
                "emulator/stream",
                &json!({"events": inputs["events"]}),
            )?)?;
            Ok(told(&op, EventKind::Item, |event| Ok(event.get("")?.clone()))?.into())
        }
        "realtime" => {
            let session =
                client.realtime_start(Request::run("emulator/realtime")?, SocketOptions::new())?;
            session.send(&json!({"n": 1}))?;
            let answer = first(session.op(), EventKind::Message)?.get("/n")?.clone();
            session.close();
            taken(session.op())?;
            Ok(answer)
        }
        "websocket" => {
            let socket =
                client.websocket_start(Request::run("emulator/ws")?, SocketOptions::new())?;
            socket.send_text("hello")?;
            let answer = first(socket.op(), EventKind::Message)?
                .content()
                .text()?
                .to_owned();
            socket.close();
            taken(socket.op())?;
            Ok(answer.into())
        }
        "upload" => {
            let bytes = inputs["small"].as_str().ok_or("small")?.as_bytes().to_vec();
            fetched(
                &client,
                by(
                    way,
                    Upload::bytes(bytes)
                        .content_type("text/plain")?
                        .file_name("small.txt"),
                ),
            )
        }
        "upload_5_mb" => fetched(&client, by(way, Upload::file(folder.join("5mb.bin")))),
        "upload_120_mb" => fetched(&client, by(way, Upload::file(folder.join("120mb.bin")))),
        _ => Err(format!("there is no call {name:?}").into()),
    }
}

fn input(endpoint: &str, input: &Value) -> fal::Result<Request> {
    let mut request = Request::run(endpoint)?;
    request.set_json(input.clone());
    Ok(request)
}

fn finish(start: impl FnOnce() -> fal::Result<Op>) -> fal::Result<Response> {
    Op::finish(start)
}

fn taken(op: &Op) -> Result<Response, Box<dyn Error>> {
    op.discard_events();
    op.wait(None)?;
    Ok(op.take().ok_or("it has ended")??)
}

/// Returns the texts of all events of one kind, once the operation has ended.
fn told(
    op: &Op,
    kind: EventKind,
    read: impl Fn(&Event) -> Outcome,
) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut told = Vec::new();
    while let NextEvent::Event(event) = op.wait_event(None)? {
        if event.kind() == kind {
            told.push(read(&event)?);
        }
    }
    Ok(told)
}

fn first(op: &Op, kind: EventKind) -> Result<Event, Box<dyn Error>> {
    while let NextEvent::Event(event) = op.wait_event(None)? {
        if event.kind() == kind {
            return Ok(event);
        }
    }
    taken(op)?;
    Err("it ended before".into())
}

fn by(way: Option<UploadWay>, upload: Upload) -> Upload {
    match way {
        Some(way) => upload.way(way),
        None => upload,
    }
}

/// Returns the hash of the stored file.
fn fetched(client: &Client, upload: Upload) -> Outcome {
    let stored = finish(|| client.upload_start(upload))?;
    let file = finish(|| client.send_start(Request::new("GET", stored.get_str("/url")?)?))?;
    let hash = ring::digest::digest(&ring::digest::SHA256, file.body());
    Ok(hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into())
}

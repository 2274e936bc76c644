//! `bench-peer CLIENT WORKERS URL REQUESTS IN_FLIGHT`: sends requests with one of the Rust clients,
//! and prints what they took as JSON. CLIENT is `fal`, `reqwest` or `hyper`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of its own, which ends at the first surprise"
)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cpu_time::ProcessTime;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

const INPUT: &str = r#"{"prompt":"a lighthouse at dusk","num_images":1}"#;
const KEY: &str = "fake-id:fake-secret-of-the-benchmark";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, workers, url, requests, in_flight] = arguments.as_slice() else {
        panic!("bench-peer CLIENT WORKERS URL REQUESTS IN_FLIGHT");
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (workers, requests, in_flight) = (number(workers), number(requests), number(in_flight));
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("no other provider");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime");
    let measured = match client.as_str() {
        "fal" => fal(workers, url, requests, in_flight),
        "reqwest" => runtime.block_on(reqwest(url, requests, in_flight)),
        "hyper" => runtime.block_on(hyper(url, requests, in_flight)),
        other => panic!("{other} is no client"),
    };
    println!("{measured}");
}

fn fal(workers: usize, url: &str, requests: usize, in_flight: usize) -> Value {
    let config = fal::runtime::Config::default().worker_threads(workers);
    config.expect("workers").install().expect("a runtime");
    let (host, endpoint) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("http://HOST/ENDPOINT");
    let credentials = fal::credentials::Options::new().key(KEY);
    let client = fal::Client::builder()
        .credentials(credentials)
        .host(fal::HostRole::Emulator, host)
        .and_then(fal::ClientBuilder::build)
        .expect("a client");
    let input: Value = serde_json::from_str(INPUT).expect("JSON");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let send = || {
        let (client, endpoint, input) = (client.clone(), endpoint.to_owned(), input.clone());
        async move {
            let response = client.run(&endpoint, input).await.expect("a response");
            assert!(response.body().len() > 100, "a whole body");
        }
    };
    runtime.block_on(measure(requests, in_flight, send))
}

async fn reqwest(url: &str, requests: usize, in_flight: usize) -> Value {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    measure(requests, in_flight, || {
        let request = client
            .post(url)
            .header("authorization", format!("Key {KEY}"))
            .header("content-type", "application/json")
            .body(INPUT);
        async move {
            let response = request.send().await.expect("a response");
            let body = response.bytes().await.expect("a body");
            assert!(body.len() > 100, "a whole body");
        }
    })
    .await
}

async fn hyper(url: &str, requests: usize, in_flight: usize) -> Value {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    measure(requests, in_flight, || {
        let request = hyper::Request::post(url)
            .header("authorization", format!("Key {KEY}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(INPUT.as_bytes())));
        let response = client.request(request.expect("a request"));
        async move {
            let body = response.await.expect("a response").into_body();
            let body = body.collect().await.expect("a body").to_bytes();
            assert!(body.len() > 100, "a whole body");
        }
    })
    .await
}

/// Sends `requests` requests, `in_flight` at a time, after some that warm the connections up.
async fn measure<F>(requests: usize, in_flight: usize, send: impl Fn() -> F) -> Value
where
    F: Future<Output = ()>,
{
    // A single request is the start of a process, which nothing warms up.
    let warm_up = if requests == 1 { 0 } else { in_flight * 4 };
    run(warm_up, in_flight, &send).await;
    let (cpu, begun) = (ProcessTime::now(), Instant::now());
    let mut took = run(requests, in_flight, &send).await;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu.elapsed().as_secs_f64());
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    json!({
        "requests": requests, "seconds": seconds, "cpu_seconds": cpu,
        "median_us": at(0.5), "p95_us": at(0.95),
    })
}

async fn run<F>(requests: usize, in_flight: usize, send: &impl Fn() -> F) -> Vec<Duration>
where
    F: Future<Output = ()>,
{
    let left = Arc::new(AtomicUsize::new(requests));
    let lanes = (0..in_flight.min(requests)).map(|_| async {
        let mut took = Vec::new();
        while left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            let begun = Instant::now();
            send().await;
            took.push(begun.elapsed());
        }
        took
    });
    futures_util::future::join_all(lanes).await.concat()
}

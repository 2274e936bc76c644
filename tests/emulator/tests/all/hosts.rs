use fal_emulator::Emulator;
use serde_json::json;

use crate::client::{Connection, Request};

#[test]
fn the_host_header_decides_who_answers() {
    let emulator = Emulator::start().unwrap();
    for host in ["fal.run", "FAL.run", "fal.run:443"] {
        let response = Request::get(host, "/acme/public").send(&emulator);
        assert_eq!(response.status, 200, "{host}");
    }
    let models = Request::get("api.fal.ai", "/v1/models").send(&emulator);
    assert!(models.json()["models"].is_array());
    for (host, detail) in [
        ("queue.fal.run", "Application \"nothing\" not found"),
        ("rest.fal.ai", "Path /nothing not found"),
    ] {
        let response = Request::get(host, "/nothing").send(&emulator);
        response.assert_detail(404, detail);
    }
    for host in ["v3.fal.media", "v3b.fal.media"] {
        let response = Request::get(host, "/files/b/none/none.png").send(&emulator);
        response.assert_detail(404, "File not found");
    }
}

#[test]
fn old_names_of_hosts_are_known() {
    let emulator = Emulator::start().unwrap();
    let tokens = Request::get("rest.alpha.fal.ai", "/tokens/").send(&emulator);
    assert_eq!((tokens.status, tokens.header("allow")), (405, Some("POST")));
    for method in ["GET", "POST"] {
        let gone = Request::new(method, "fal.media", "/files/lion/none.png").send(&emulator);
        assert_eq!(gone.status, 410);
    }
}

#[test]
fn another_host_is_misdirected() {
    let emulator = Emulator::start().unwrap();
    for host in ["example.com", "fal.run.example.com", "evil-fal.run", ""] {
        let response = Request::get(host, "/acme/public").send(&emulator);
        assert_eq!(response.status, 421, "{host}");
        assert!(response.json()["detail"].is_string());
    }
    assert_eq!(emulator.arrivals().len(), 4);
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_connection_serves_many_requests_and_hosts() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    for round in 0..3 {
        let run = Request::run("emulator/echo", &json!({ "round": round })).key(emulator.api_key());
        assert_eq!(connection.call(&run).json()["body"]["round"], round);
        let models = Request::get("api.fal.ai", "/v1/models");
        assert_eq!(connection.call(&models).status, 200);
    }
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals.len(), 6);
    assert!(arrivals.iter().all(|arrival| arrival.connection == 1));
}

#[test]
fn it_listens_on_the_loopback_and_ends_when_dropped() {
    let emulator = Emulator::start().unwrap();
    assert!(emulator.addr().ip().is_loopback());
    assert_eq!(emulator.host(), emulator.addr().to_string());
    let mut connection = Connection::open(&emulator);
    let request = Request::run("emulator/slow", &json!({ "ms": 60_000 })).key(emulator.api_key());
    connection.write(&request).unwrap();
    let timeout = std::time::Duration::from_secs(5);
    emulator
        .wait_until(timeout, |arrivals| arrivals.iter().any(|one| one.executed))
        .unwrap();
    let address = emulator.addr();
    drop(emulator);
    assert!(connection.read().is_err());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error() {
    let emulator = Emulator::start().unwrap();
    let second = Emulator::builder().port(emulator.addr().port()).start();
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn it_lives_and_ends_inside_another_runtime() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(emulator.open_connections(), 0);
    drop(emulator);
}

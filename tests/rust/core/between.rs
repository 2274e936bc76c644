//! What answers in fal's place: captive portals, corporate proxies, fal's own ingress.

use super::*;
use fal::Code;
use fal_emulator::Fault;
use std::io::{Read, Write};
use std::process::Command;

const PORTAL: &str = "<!DOCTYPE html>\n<html><head><title>Hotel Wi-Fi</title></head></html>";

fn page(status: u16) -> Fault {
    Fault::status(status).header("content-type", "text/html; charset=utf-8").body(PORTAL).without_request_id()
}

#[test]
fn a_page_with_an_error_is_named() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
    for status in [400, 401, 403, 404, 500, 511] {
        emulator.inject(page(status));
        let error = echo(&client).unwrap_err();
        assert_eq!(error.code(), Code::Protocol, "{error}");
        assert!(error.message().contains("fal.run") && error.message().contains("Hotel Wi-Fi"), "{error}");
        assert!(error.remedy().contains("captive portal") && error.remedy().contains("corporate proxy"));
    }
    for status in [502, 503, 504] {
        emulator.inject(page(status));
        let error = echo(&client).unwrap_err();
        assert_eq!((error.code(), error.may_have_executed()), (Code::ServiceUnavailable, true), "{error}");
        assert!(error.message().contains("Hotel Wi-Fi") && error.remedy().contains("corporate proxy"), "{error}");
    }
}

#[test]
fn a_page_with_success_is_an_error_where_fal_has_json_only() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let status = "https://queue.fal.run/fal-ai/flux/requests/r/status";
    for (method, url, executed) in [
        ("GET", "/v1/models", false),
        ("POST", "/v1/keys", true),
        ("GET", status, false),
        ("POST", "https://queue.fal.run/fal-ai/flux", true),
        ("PUT", "https://queue.fal.run/fal-ai/flux/requests/r/cancel", true),
        ("POST", "https://rest.fal.ai/tokens/", true),
        ("POST", "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3", true),
    ] {
        emulator.clear_arrivals();
        emulator.inject(page(200));
        let error = send(&client, method, url).unwrap_err();
        assert_eq!((error.code(), error.may_have_executed()), (Code::Protocol, executed), "{method} {url}: {error}");
        assert!(error.message().contains("Hotel Wi-Fi") && error.remedy().contains("captive portal"), "{error}");
        assert!(!error.is_retryable() && error.http_status() == Some(200));
        assert_eq!(emulator.arrivals().len(), 1);
    }
    // What an app or a file host answers is their own affair.
    for (method, url) in [
        ("POST", "https://fal.run/emulator/echo"),
        ("GET", "https://queue.fal.run/fal-ai/flux/requests/r"),
        ("GET", "https://v3b.fal.media/files/a/b.html"),
        ("GET", "/v1/serverless/files/file/a.html"),
    ] {
        emulator.inject(page(200));
        assert_eq!(send(&client, method, url).unwrap().body(), PORTAL.as_bytes(), "{method} {url}");
    }
}

#[test]
fn an_app_a_file_host_and_the_ingress_have_pages_of_their_own() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let app = Fault::status(404).header("content-type", "text/html").body(PORTAL);
    emulator.inject(app);
    assert_eq!(echo(&client).unwrap_err().code(), Code::NotFound);
    emulator.inject(page(404));
    let error = send(&client, "GET", "https://v3b.fal.media/files/a/b.png").unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    emulator.inject(page(413).body("<html><head><title>413 Request Entity Too Large</title></head>nginx</html>"));
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput, "{error}");
    assert!(error.remedy().contains("Upload"), "{}", error.remedy());
}

#[test]
fn a_proxy_that_asks_for_a_password_is_told_apart() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(page(407));
    let error = echo(&client(&emulator)).unwrap_err();
    assert_eq!((error.code(), error.may_have_executed()), (Code::Connect, false), "{error}");
    assert!(error.remedy().contains("HTTPS_PROXY"), "{}", error.remedy());
    assert_eq!(emulator.arrivals().len(), 1);
}

/// The same where a tunnel is asked for, which is the rule with https.
#[test]
fn a_proxy_that_opens_no_tunnel_is_told_apart() {
    const CHILD: &str = "FAL_TEST_BEHIND_A_PROXY";
    if std::env::var_os(CHILD).is_some() {
        let environment = Environment::from_variables([("FAL_KEY", "fake-id:fake-secret-0")]);
        let client = crate::logged::builder().environment(environment).build().unwrap();
        let error = echo(&client).unwrap_err();
        assert_eq!((error.code(), error.may_have_executed()), (Code::Connect, false), "{error}");
        assert!(error.message().contains("proxy authorization required"), "{error}");
        assert!(error.remedy().contains("HTTPS_PROXY") && !error.is_retryable(), "{}", error.remedy());
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        connection.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8(head).unwrap()
    });
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["between::a_proxy_that_opens_no_tunnel_is_told_apart", "--exact", "--nocapture"]).env(CHILD, "1");
    for variable in ["HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        child.env_remove(variable);
    }
    let output = child.env("HTTPS_PROXY", proxy).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("CONNECT fal.run:443 ") && !asked.contains("fake-"), "{asked}");
}

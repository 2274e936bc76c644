//! Responses from something other than fal: captive portals, corporate proxies, fal's own ingress.

use super::*;
use fal::Code;
use fal_emulator::Fault;
use std::io::{Read, Write};
use std::process::Command;

const PORTAL: &str = "<!DOCTYPE html>\n<html><head><title>Hotel Wi-Fi</title></head></html>";

fn page(status: u16) -> Fault {
    Fault::status(status)
        .header("content-type", "text/html; charset=utf-8")
        .body(PORTAL)
        .without_request_id()
}

#[test]
fn a_page_with_an_error_is_named() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
    for status in [400, 401, 403, 404, 500, 511] {
        emulator.inject(page(status));
        let error = echo(&client).unwrap_err();
        assert_eq!(error.code(), Code::Protocol, "{error}");
        assert!(
            error.message().contains("fal.run") && error.message().contains("Hotel Wi-Fi"),
            "{error}"
        );
        assert!(
            error.remedy().contains("captive portal") && error.remedy().contains("corporate proxy")
        );
    }
    for status in [502, 503, 504] {
        emulator.inject(page(status));
        let error = echo(&client).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ServiceUnavailable, true),
            "{error}"
        );
        assert!(
            error.message().contains("Hotel Wi-Fi") && error.remedy().contains("corporate proxy"),
            "{error}"
        );
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
        (
            "PUT",
            "https://queue.fal.run/fal-ai/flux/requests/r/cancel",
            true,
        ),
        ("POST", "https://rest.fal.ai/tokens/", true),
        (
            "POST",
            "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3",
            true,
        ),
    ] {
        emulator.clear_arrivals();
        emulator.inject(page(200));
        let error = send(&client, method, url).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, executed),
            "{method} {url}: {error}"
        );
        assert!(
            error.message().contains("Hotel Wi-Fi") && error.remedy().contains("captive portal"),
            "{error}"
        );
        assert!(!error.is_retryable() && error.http_status() == Some(200));
        assert_eq!(emulator.arrivals().len(), 1);
    }
    // A file host may return a page of HTML.
    for (method, url) in [
        ("GET", "https://v3b.fal.media/files/a/b.html"),
        ("GET", "/v1/serverless/files/file/a.html"),
    ] {
        emulator.inject(page(200));
        assert_eq!(
            send(&client, method, url).unwrap().body(),
            PORTAL.as_bytes(),
            "{method} {url}"
        );
    }
}

/// An app may return a page of HTML. fal's gateway adds its request id (§4, §5.5), which nothing
/// else on the way knows.
#[test]
fn a_page_in_place_of_an_apps_answer_is_told_from_the_apps_own() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let own = || {
        Fault::status(200)
            .header("content-type", "text/html")
            .body(PORTAL)
    };
    for (method, url) in [
        ("POST", "https://fal.run/emulator/echo"),
        ("GET", "https://queue.fal.run/fal-ai/flux/requests/r"),
    ] {
        emulator.inject(own());
        assert_eq!(
            send(&client, method, url).unwrap().body(),
            PORTAL.as_bytes(),
            "{method} {url}"
        );
        emulator.inject(page(200));
        let error = send(&client, method, url).unwrap_err();
        let facts = (error.code(), error.may_have_executed(), error.http_status());
        assert_eq!(
            facts,
            (Code::Protocol, method == "POST", Some(200)),
            "{method} {url}: {error}"
        );
        assert!(
            error.message().contains("Hotel Wi-Fi") && error.remedy().contains("captive portal"),
            "{error}"
        );
    }
    emulator.inject(page(200));
    let op = client
        .stream_start(Request::run("emulator/stream").unwrap())
        .unwrap();
    assert!(
        matches!(op.wait_event(Some(PATIENCE)).unwrap(), fal::NextEvent::End),
        "a page of HTML is not an item"
    );
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Protocol, true),
        "{error}"
    );
    // Such a page in the place of a result does not end the job.
    let job = super::queue::submit(&client, json!({"output": {"x": 1}}));
    emulator.inject(page(200).path(format!("/emulator/job/requests/{}", job.request_id())));
    let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
    assert_eq!(
        (error.code(), error.request_id()),
        (Code::Protocol, Some(job.request_id())),
        "{error}"
    );
    assert!(
        error.remedy().contains("attach") && error.remedy().contains("captive portal"),
        "{}",
        error.remedy()
    );
    assert_eq!(
        Op::finish(|| client.attach_start(&job))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
}

#[test]
fn a_redirect_by_somebody_on_the_way_is_named() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let to_login =
        |status| page(status).header("location", "http://login.hotel.example/?from=fal.run");
    for status in [302, 303, 307, 511] {
        emulator.inject(to_login(status));
        let error = echo(&client).unwrap_err();
        let code = if status == 511 {
            Code::Protocol
        } else {
            Code::Redirect
        };
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (code, false),
            "{error}"
        );
        assert!(
            error
                .message()
                .starts_with(&format!("fal.run answered {status}")),
            "{error}"
        );
        assert!(
            error.remedy().contains("captive portal"),
            "{}",
            error.remedy()
        );
        assert!(
            status == 511 || error.message().contains("login.hotel.example"),
            "{error}"
        );
    }
    // A redirect by the app is returned to the caller.
    emulator.inject(Fault::redirect("https://app.example/x", 302));
    let error = echo(&client).unwrap_err();
    assert!(
        error.message().starts_with("fal answered 302") && error.remedy().contains("Location"),
        "{error}"
    );
    assert!(
        !error.remedy().contains("captive portal"),
        "{}",
        error.remedy()
    );
}

/// The URL of a server proxy may lead to a web server that is no such proxy and returns a page of
/// its own.
#[test]
fn a_page_of_the_server_proxys_own_is_named() {
    let emulator = Emulator::start().unwrap();
    let proxied = builder(&emulator)
        .proxy("https://app.example/api/fal/proxy")
        .unwrap()
        .max_attempts(1)
        .unwrap();
    let client = proxied.build().unwrap();
    for status in [200, 404, 500, 503] {
        emulator.inject(page(status).host("app.example"));
        let error = echo(&client).unwrap_err();
        let code = if status == 503 {
            Code::ServiceUnavailable
        } else {
            Code::Protocol
        };
        assert_eq!(error.code(), code, "{error}");
        assert!(
            error
                .message()
                .starts_with(&format!("app.example answered {status}")),
            "{error}"
        );
        assert!(error.message().contains("Hotel Wi-Fi"), "{error}");
        assert!(
            error.remedy().contains("Check the server proxy"),
            "{}",
            error.remedy()
        );
    }
    // Responses of fal through the proxy are accepted, among them an app's page of HTML.
    emulator.inject(
        Fault::status(404)
            .header("content-type", "text/html")
            .body(PORTAL)
            .host("fal.run"),
    );
    let error = echo(&client).unwrap_err();
    assert!(
        error.code() == Code::NotFound && error.message().starts_with("fal answered 404"),
        "{error}"
    );
    emulator.inject(
        Fault::status(200)
            .header("content-type", "text/html")
            .body(PORTAL)
            .host("fal.run"),
    );
    assert_eq!(echo(&client).unwrap().body(), PORTAL.as_bytes());
}

#[test]
fn an_app_a_file_host_and_the_ingress_have_pages_of_their_own() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let app = Fault::status(404)
        .header("content-type", "text/html")
        .body(PORTAL);
    emulator.inject(app);
    assert_eq!(echo(&client).unwrap_err().code(), Code::NotFound);
    emulator.inject(page(404));
    let error = send(&client, "GET", "https://v3b.fal.media/files/a/b.png").unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    emulator.inject(
        page(413)
            .body("<html><head><title>413 Request Entity Too Large</title></head>nginx</html>"),
    );
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput, "{error}");
    assert!(error.remedy().contains("Upload"), "{}", error.remedy());
}

#[test]
fn a_proxy_that_asks_for_a_password_is_told_apart() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(page(407));
    let error = echo(&client(&emulator)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Connect, false),
        "{error}"
    );
    assert!(error.remedy().contains("HTTPS_PROXY"), "{}", error.remedy());
    assert_eq!(emulator.arrivals().len(), 1);
}

/// The same where libfal asks the proxy for a tunnel, as it does for https.
#[test]
fn a_proxy_that_opens_no_tunnel_is_told_apart() {
    const CHILD: &str = "FAL_TEST_BEHIND_A_PROXY";
    if std::env::var_os(CHILD).is_some() {
        // This client reads the variables of the process.
        let client = crate::logged::builder().build().unwrap();
        let error = echo(&client).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Connect, false),
            "{error}"
        );
        assert!(
            error.message().contains("proxy authorization required"),
            "{error}"
        );
        assert!(
            error.remedy().contains("HTTPS_PROXY") && !error.is_retryable(),
            "{}",
            error.remedy()
        );
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
        connection
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        String::from_utf8(head).unwrap()
    });
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "between::a_proxy_that_opens_no_tunnel_is_told_apart",
            "--exact",
            "--nocapture",
        ])
        .env(CHILD, "1");
    child
        .env("FAL_KEY", "fake-id:fake-secret-0")
        .env_remove("FAL_EMULATOR_HOST")
        .env_remove("FAL_RUN_HOST");
    for variable in [
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    ] {
        child.env_remove(variable);
    }
    let output = child.env("HTTPS_PROXY", proxy).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("CONNECT fal.run:443 ") && !asked.contains("fake-"),
        "{asked}"
    );
}

//! A server proxy on this machine, reached without the emulator, and the proxy variables of the
//! process.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hostile::{answered, hostile_to};
use super::*;
use fal::{Code, HostRole};

fn behind(proxy: &str, variables: &[(&str, &str)]) -> ClientBuilder {
    let environment = Environment::from_variables(variables.iter().copied());
    let builder = crate::logged::builder()
        .environment(environment)
        .proxy(proxy)
        .unwrap();
    builder.timeout(PATIENCE).max_attempts(2).unwrap()
}

#[test]
fn a_server_proxy_on_this_machine_is_reached_over_http() {
    let trap = Trap::set();
    let host = hostile_to(|head, connection| {
        assert!(
            head.to_ascii_lowercase()
                .contains("x-fal-target-url: https://fal.run/emulator/echo"),
            "{head}"
        );
        assert!(head.starts_with("POST /api/fal/proxy HTTP/1.1"), "{head}");
        answered(
            connection,
            "200 OK",
            "content-type: application/json\r\nx-fal-request-id: r\r\n",
            r#"{"word": "hi"}"#,
        )
    });
    let port = host.rsplit(':').next().unwrap();
    let elsewhere = trap.url();
    for name in ["127.0.0.1", "localhost"] {
        // The network's proxy is only for hosts beyond this machine.
        for variables in [
            &[][..],
            &[("HTTPS_PROXY", elsewhere.as_str())],
            &[("ALL_PROXY", elsewhere.as_str())],
        ] {
            let client = behind(&format!("http://{name}:{port}/api/fal/proxy"), variables)
                .build()
                .unwrap();
            assert_eq!(
                echo(&client).unwrap().get_str("/word").unwrap(),
                "hi",
                "{name}"
            );
        }
    }
    trap.assert_untouched();
}

#[test]
fn an_error_of_connecting_names_the_proxy() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let error = echo(&behind(&format!("http://{nobody}/p"), &[]).build().unwrap()).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Connect, false),
        "{error}"
    );
    assert!(
        error.message().contains(&nobody) && !error.message().contains("fal.run"),
        "{error}"
    );
}

#[test]
fn a_redirect_by_the_proxy_is_not_followed() {
    for location in [
        "/login",
        "https://fal.run/emulator/other",
        "https://app.example/login",
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let host = hostile_to(move |_, connection| {
            counter.fetch_add(1, Ordering::SeqCst);
            answered(
                connection,
                "302 Found",
                &format!("location: {location}\r\n"),
                "",
            )
        });
        let client = behind(&format!("http://{host}/api/fal/proxy"), &[])
            .build()
            .unwrap();
        let error = send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err();
        assert_eq!(
            (error.code(), count.load(Ordering::SeqCst)),
            (Code::Redirect, 1),
            "{location}: {error}"
        );
        assert!(error.message().contains(&host), "{error}");
        if location == "/login" {
            assert!(
                error.message().contains(&format!("http://{host}/login")),
                "{error}"
            );
        }
    }
}

/// Tells a child process of a test the host of its server.
const CHILD: &str = "FAL_TEST_LOCAL_PROXY_HOST";

#[test]
fn the_processs_own_proxy_variables_do_not_hold_for_a_given_environment() {
    if let Ok(host) = std::env::var(CHILD) {
        let environment =
            Environment::from_variables([("FAL_KEY", "fake-id:fake-secret-for-nobody")]);
        let client = crate::logged::builder()
            .environment(environment)
            .host(HostRole::Run, &host)
            .unwrap();
        echo(&client.max_attempts(1).unwrap().build().unwrap()).unwrap_err();
        return;
    }
    let (trap, here) = (Trap::set(), TcpListener::bind("127.0.0.1:0").unwrap());
    let host = here.local_addr().unwrap().to_string();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "local_proxy::the_processs_own_proxy_variables_do_not_hold_for_a_given_environment",
        "--exact",
    ]);
    child
        .env(CHILD, &host)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for variable in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        child.env(variable, trap.url());
    }
    // A client that connects gets no TLS handshake and closes the connection.
    let knocked = std::thread::spawn(move || here.accept().is_ok());
    let output = child.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    trap.assert_untouched();
    assert!(knocked.join().unwrap());
}

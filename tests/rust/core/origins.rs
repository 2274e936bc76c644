//! The key reaches fal's services and no other host.

use super::*;
use fal::Code;
use fal_emulator::Fault;

#[test]
fn the_key_goes_to_services_that_take_keys() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let made = run(
        &client,
        "fal-ai/flux/schnell",
        json!({"prompt": "a", "image_size": "square"}),
    )
    .unwrap();
    send(&client, "GET", "/v1/models").unwrap();
    send(&client, "GET", made.get_str("/images/0/url").unwrap()).unwrap();
    let arrivals = emulator.arrivals();
    let seen: Vec<_> = arrivals
        .iter()
        .map(|arrival| (arrival.host.as_str(), arrival.authorization.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            ("fal.run", true),
            ("api.fal.ai", true),
            ("v3b.fal.media", false)
        ]
    );
}

#[test]
fn a_redirect_elsewhere_is_not_followed() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let trap = Trap::set();
    let elsewhere = [
        trap.url(),
        "https://evil.example/x".into(),
        "https://fal.run:8443/emulator/echo".into(),
        "http://fal.run/emulator/echo".into(),
        "https://queue.fal.run/emulator/echo".into(),
        "https://user@fal.run/emulator/echo".into(),
        "//evil.example/x".into(),
    ];
    for (location, status) in elsewhere
        .iter()
        .flat_map(|location| [(location, 302), (location, 307), (location, 308)])
    {
        for method in ["GET", "POST"] {
            emulator.clear_arrivals();
            emulator.inject(Fault::redirect(location, status));
            let error = send(&client, method, "https://fal.run/emulator/echo").unwrap_err();
            assert_eq!(
                error.code(),
                Code::Redirect,
                "{method} {status} {location}: {error}"
            );
            assert_eq!(error.http_status(), Some(status));
            assert_eq!(error.header("location"), Some(location.as_str()));
            assert_eq!(emulator.arrivals().len(), 1, "{method} {status} {location}");
            trap.assert_untouched();
        }
    }
}

#[test]
fn a_redirect_within_the_origin_is_followed_by_get_only() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let cases = [
        ("GET", 302, true),
        ("GET", 308, true),
        ("POST", 303, true),
        ("POST", 302, false),
        ("POST", 307, false),
    ];
    for (method, status, followed) in cases {
        emulator.clear_arrivals();
        emulator
            .inject(Fault::redirect("/emulator/echo/there", status).path("/emulator/echo/here"));
        let outcome = send(&client, method, "https://fal.run/emulator/echo/here");
        let arrivals = emulator.arrivals();
        assert_eq!(outcome.is_ok(), followed, "{method} {status}: {outcome:?}");
        assert_eq!(
            arrivals.len(),
            if followed { 2 } else { 1 },
            "{method} {status}"
        );
        assert!(
            arrivals
                .iter()
                .all(|arrival| arrival.authorization.is_some())
        );
        if followed {
            assert_eq!(
                (arrivals[1].method.as_str(), arrivals[1].path.as_str()),
                ("GET", "/emulator/echo/there")
            );
        }
    }
}

#[test]
fn redirects_end() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::redirect("/emulator/echo", 302).always());
    let error = send(&client(&emulator), "GET", "https://fal.run/emulator/echo").unwrap_err();
    assert_eq!(error.code(), Code::Redirect);
    assert_eq!(emulator.arrivals().len(), 11);
}

#[test]
fn a_file_host_cannot_send_us_to_a_service() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for (location, followed) in [
        ("https://fal.run/emulator/echo", false),
        ("https://v3b.fal.media/files/x", true),
    ] {
        emulator.clear_arrivals();
        emulator.inject(Fault::redirect(location, 302));
        let error = send(&client, "GET", "https://v3.fal.media/files/x").unwrap_err();
        let expected = if followed {
            (Code::NotFound, 2)
        } else {
            (Code::Redirect, 1)
        };
        assert_eq!(
            (error.code(), emulator.arrivals().len()),
            expected,
            "{location}"
        );
        assert!(
            emulator
                .arrivals()
                .iter()
                .all(|arrival| arrival.authorization.is_none())
        );
    }
}

#[test]
fn an_address_outside_fal_is_refused_before_anything_is_sent() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let trap = Trap::set();
    let own = format!("http://{}/emulator/echo", emulator.host());
    for url in [
        trap.url().as_str(),
        own.as_str(),
        "https://evil.example/",
        "http://fal.run/emulator/echo",
        "https://fal.run:444/emulator/echo",
        "https://fal.run.evil.example/",
        "https://fal.run@evil.example/",
        "https://name:word@fal.run/emulator/echo",
        "https://notfal.run/",
        "wss://fal.run/emulator/echo",
        "file:///etc/passwd",
        "data:text/plain,x",
    ] {
        let error = send(&client, "GET", url).unwrap_err();
        assert_eq!(error.code(), Code::ForeignOrigin, "{url}: {error}");
        assert!(!error.may_have_executed());
    }
    trap.assert_untouched();
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn a_request_cannot_bring_its_own_credential_or_host() {
    let mut request = Request::new("GET", "https://fal.run/emulator/echo").unwrap();
    for name in [
        "Authorization",
        "authorization",
        "Host",
        "Proxy-Authorization",
        "Cookie",
        "X-Fal-Target-Url",
    ] {
        assert_eq!(
            request.set_header(name, "x").unwrap_err().code(),
            Code::InvalidArgument,
            "{name}"
        );
    }
}

#[test]
fn an_own_host_is_used_and_sees_the_key() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .host(fal::HostRole::Run, "gateway.example:8443")
        .unwrap()
        .build()
        .unwrap();
    // The emulator does not know this host, and its error names the host.
    let error = echo(&client).unwrap_err();
    assert_eq!(error.http_status(), Some(421));
    let arrival = &emulator.arrivals()[0];
    assert_eq!(
        (arrival.host.as_str(), arrival.authorization.is_some()),
        ("gateway.example", true)
    );
    let error = send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err();
    assert_eq!(
        error.code(),
        Code::ForeignOrigin,
        "fal.run is no longer the host of runs"
    );
}

//! Responses of every kind, and which requests are sent again.

use std::io::Write;

use super::server::{Server, respond};
use super::*;

fn client_of(server: &Server) -> Client {
    builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap()
}

#[test]
fn csv_text_and_files_come_as_they_are() {
    let bytes: Vec<u8> = (0..=255).collect();
    let served = bytes.clone();
    let server = Server::start(move |_, request, connection| match request.line.as_str() {
        "GET /v1/serverless/files/file/a.bin" => {
            respond(connection, "200 OK", "application/octet-stream", &served)
        }
        "GET /v1/serverless/metrics" => respond(
            connection,
            "200 OK",
            "text/plain; version=0.0.4",
            b"fal_app_runners 1\n",
        ),
        _ => respond(connection, "200 OK", "text/csv", b"a,b\r\n1,2\r\n"),
    });
    let client = client_of(&server);
    let file = call(
        &client,
        "serverless.files.download",
        json!({"file": "a.bin"}),
    )
    .unwrap();
    assert_eq!(file.body(), &bytes);
    assert_eq!(
        call(&client, "serverless.metrics", json!({}))
            .unwrap()
            .text()
            .unwrap(),
        "fal_app_runners 1\n"
    );
    let csv = call(&client, "account.focus", json!({"source": "estimate"})).unwrap();
    assert_eq!(csv.text().unwrap(), "a,b\r\n1,2\r\n");
    assert_eq!(server.arrived()[2].header("accept"), Some("text/csv"));
}

#[test]
fn log_lines_arrive_as_items_until_the_stream_ends() {
    let server = Server::start(|_, request, connection| {
        assert_eq!(
            request.line,
            "POST /v1/serverless/logs/stream?app_id=acme%2Fapp"
        );
        assert_eq!(request.header("accept"), Some("text/event-stream"));
        let lines = "data: {\"message\": \"one\"}\n\n: ping\n\ndata: not json\n\ndata: {\"message\": \"two\"}\n\n";
        respond(connection, "200 OK", "text/event-stream", lines.as_bytes());
    });
    let (client, name, params) = (
        client_of(&server),
        "serverless.logs.stream",
        json!({"app_id": "acme/app"}),
    );
    for op in [
        client.platform_start(name, params.clone()),
        client.platform_list_start(name, params),
    ] {
        let op = op.unwrap();
        let lines: Vec<_> = std::iter::from_fn(|| next(&op))
            .map(|event| event.content().text().unwrap().to_owned())
            .collect();
        assert_eq!(
            lines,
            [r#"{"message": "one"}"#, "not json", r#"{"message": "two"}"#]
        );
        assert_eq!(op.take().unwrap().unwrap().get("/items").unwrap(), 3);
    }
}

#[test]
fn a_live_log_ends_when_it_is_cancelled() {
    let server = Server::start(|_, _, connection| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        connection.write_all(head.as_bytes()).unwrap();
        std::mem::forget(connection.try_clone().unwrap());
    });
    let op = client_of(&server)
        .platform_start("serverless.logs.stream", json!({}))
        .unwrap();
    assert_eq!(next(&op).unwrap().content().text().unwrap(), "1");
    op.cancel();
    assert!(next(&op).is_none());
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
}

#[test]
fn a_stream_that_is_none_is_an_error() {
    let server = Server::json(|_, _| "{}".to_owned());
    let error = call(&client_of(&server), "serverless.logs.stream", json!({})).unwrap_err();
    assert_eq!(error.code(), Code::Protocol, "{error}");
}

#[test]
fn a_file_is_sent_as_a_form_from_disk_and_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights \"1\".bin");
    let content = vec![7_u8; 600_000];
    std::fs::write(&path, &content).unwrap();
    let server = Server::json(|_, _| "true".to_owned());
    let client = client_of(&server);
    let from_disk = json!({"target_path": "dir", "unzip": true, "file_upload": {"path": path}});
    assert_eq!(
        call(&client, "serverless.files.upload", from_disk)
            .unwrap()
            .json()
            .unwrap(),
        &json!(true)
    );
    let from_memory = json!({"target_path": "dir", "file_upload": {"base64": "aGVsbG8=", "file_name": "hello.txt"}});
    call(&client, "serverless.files.upload", from_memory).unwrap();
    let arrived = server.arrived();
    assert_eq!(
        arrived[0].line,
        "POST /v1/serverless/files/file/local/dir?unzip=true"
    );
    for (one, name, content) in [
        (&arrived[0], "weights %221%22.bin", &content[..]),
        (&arrived[1], "hello.txt", &b"hello"[..]),
    ] {
        let boundary = one
            .header("content-type")
            .unwrap()
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file_upload\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let whole = [
            head.as_bytes(),
            content,
            format!("\r\n--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        assert!(one.body == whole, "{name}: {} bytes", one.body.len());
    }
    let missing =
        json!({"target_path": "dir", "file_upload": {"path": folder.path().join("none")}});
    assert_eq!(
        call(&client, "serverless.files.upload", missing)
            .unwrap_err()
            .code(),
        Code::Io
    );
    assert_eq!(server.arrived().len(), 2);
}

/// Any file name becomes exactly one value of one header.
#[test]
fn a_file_name_puts_nothing_into_the_form() {
    let server = Server::json(|_, _| "true".to_owned());
    let client = client_of(&server);
    let folder = tempfile::tempdir().unwrap();
    let evil = "a\"; x=\"\r\nContent-Type: evil\r\n\r\n--\nä";
    let path = folder.path().join(evil);
    std::fs::write(&path, b"hi").unwrap();
    for file in [
        json!({"base64": "aGk=", "file_name": evil}),
        json!({"path": path}),
    ] {
        call(
            &client,
            "serverless.files.upload",
            json!({"target_path": "a", "file_upload": file}),
        )
        .unwrap();
        let body = String::from_utf8(server.arrived().pop().unwrap().body).unwrap();
        let lines: Vec<_> = body.split("\r\n").collect();
        let name = r#"; filename="a%22; x=%22%0D%0AContent-Type: evil%0D%0A%0D%0A--%0Aä""#;
        assert!(lines[1].ends_with(name), "{}", lines[1]);
        assert_eq!(
            (&lines[2..5], lines.len()),
            (&["Content-Type: application/octet-stream", "", "hi"][..], 7),
            "{body}"
        );
        assert!(!body.replace("\r\n", "").contains(['\r', '\n']), "{body}");
    }
}

/// A server that reads the request and loses its first response.
fn losing() -> Server {
    Server::start(|number, _, connection| match number {
        0 => drop(connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")),
        _ => respond(connection, "200 OK", "application/json", b"{}"),
    })
}

#[test]
fn only_what_can_be_repeated_without_harm_is() {
    let server = losing();
    call(
        &client_of(&server),
        "assets.tags.create",
        json!({"name": "a"}),
    )
    .unwrap();
    let keys: Vec<_> = server
        .arrived()
        .iter()
        .map(|one| one.header("idempotency-key").unwrap().to_owned())
        .collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");

    let server = losing();
    call(&client_of(&server), "assets.tags.list", json!({})).unwrap();
    assert_eq!(server.arrived().len(), 2, "a GET");

    let server = losing();
    let error = call(
        &client_of(&server),
        "storage.files.sign",
        json!({"url": "https://v3.fal.media/files/b/x/y", "expiration_seconds": 1}),
    )
    .unwrap_err();
    assert!(
        error.may_have_executed() && server.arrived().len() == 1,
        "{error}"
    );

    // By then fal would have forgotten the idempotency key.
    let server = losing();
    let patient = builder(&server.host, "fake-id:fake-secret")
        .timeout(Duration::from_secs(601))
        .build()
        .unwrap();
    let error = call(&patient, "assets.tags.create", json!({"name": "a"})).unwrap_err();
    assert!(
        error.may_have_executed() && server.arrived().len() == 1,
        "{error}"
    );
}

/// fal executes the request, and the connection ends before the response.
#[test]
fn what_is_repeated_under_its_key_is_executed_once() {
    let emulator = Emulator::start().unwrap();
    let admin = admin(&emulator);
    let machine = json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k"});
    for made in 1..=2 {
        emulator.clear_arrivals();
        emulator.inject(Fault::reset_after_body().path("/v1/*"));
        call(&admin, "compute.instances.create", machine.clone()).unwrap();
        let sent: Vec<_> = emulator
            .arrivals()
            .iter()
            .map(|one| one.headers["idempotency-key"].clone())
            .collect();
        assert!(sent.len() == 2 && sent[0] == sent[1], "{sent:?}");
        assert_eq!(
            items(
                &admin
                    .platform_list_start("compute.instances.list", json!({}))
                    .unwrap()
            )
            .len(),
            made
        );
    }
    // A request without an idempotency key is sent once.
    emulator.clear_arrivals();
    emulator.inject(Fault::reset_after_body().path("/v1/*"));
    let error = block(admin.create_key("lost")).unwrap_err();
    assert!(
        error.may_have_executed() && emulator.arrivals().len() == 1,
        "{error}"
    );
    let lost = admin
        .keys()
        .unwrap()
        .map(Result::unwrap)
        .filter(|key| key.alias == "lost");
    assert_eq!(lost.count(), 1, "as the error says");
}

/// The next call has another key. The error must say that the machine may exist, so that the caller
/// does not create a second one.
#[test]
fn what_may_have_been_executed_under_its_key_says_so_to_the_end() {
    let emulator = Emulator::start().unwrap();
    let machine = json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k"});
    let builder = || {
        builder(&emulator.host(), emulator.admin_key())
            .max_attempts(2)
            .unwrap()
    };
    let lost = Fault::reset_after_body().path("/v1/*");
    let refused = Fault::status(429).path("/v1/*").always();
    // Every response is lost; the first is lost and the second says nothing about the first
    // attempt; no response arrives in time.
    let courses = [
        vec![lost.clone().always()],
        vec![lost, refused],
        vec![Fault::hang().path("/v1/*").always()],
    ];
    for faults in courses {
        emulator.clear_faults();
        faults
            .iter()
            .for_each(|fault| emulator.inject(fault.clone()));
        let client = builder().timeout(Duration::from_secs(3)).build().unwrap();
        let error = call(&client, "compute.instances.create", machine.clone()).unwrap_err();
        assert!(error.may_have_executed(), "{faults:?}: {error}");
    }
    // Cancelled between the two attempts.
    emulator.clear_faults();
    emulator.clear_arrivals();
    emulator.inject(Fault::reset_after_body().path("/v1/*").always());
    let patient = builder().max_attempts(50).unwrap().build().unwrap();
    let op = patient
        .platform_start("compute.instances.create", machine.clone())
        .unwrap();
    emulator.wait_for_arrivals(3, PATIENCE).unwrap();
    op.cancel();
    op.wait(None).unwrap();
    assert!(op.take().unwrap().unwrap_err().may_have_executed());
    // A refused request was not executed.
    emulator.clear_faults();
    emulator.inject(Fault::status(429).path("/v1/*").always());
    let error = call(
        &builder().build().unwrap(),
        "compute.instances.create",
        machine,
    )
    .unwrap_err();
    assert!(!error.may_have_executed(), "{error}");
}

//! Responses that end with their connection: with TLS that end is authentic, and without TLS
//! any host on the way may have caused it.

use super::hostile::{client_of, hostile_to};
use super::tls::certificate_for;
use super::*;
use fal::{Code, Download, HostRole, Upload, UploadWay};
use fal_emulator::Fault;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::{ServerConnection, StreamOwned};
use std::io::{Read, Write};

const JSON: &str = "content-type: application/json\r\n";

/// Runs an app at a server that sends these bytes and closes the connection.
fn ran(headers: &'static str, body: &[u8]) -> Result<Response, Error> {
    let body = body.to_vec();
    let host = hostile_to(move |_, connection| {
        write!(
            connection,
            "HTTP/1.1 200 OK\r\nx-fal-request-id: r-1\r\n{headers}\r\n"
        )?;
        connection.write_all(&body)
    });
    echo(&client_of(&host).build().unwrap())
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn json_that_is_whole_proves_itself() {
    for body in ["{\"x\": [1]}", " [1] \n", "\"text\""] {
        assert_eq!(ran(JSON, body.as_bytes()).unwrap().body(), body);
        let coded = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
        assert_eq!(ran(coded, &packed(body)).unwrap().body(), body);
    }
    let text = "content-type: text/plain\r\n";
    for (headers, body) in [
        (JSON, "{\"images\": [\"one\","),
        (JSON, "\"te"),
        (JSON, ""),
        // More digits could follow.
        (JSON, "12"),
        (JSON, "true"),
        (text, "some"),
        ("transfer-encoding: gzip\r\n", "some"),
        ("transfer-encoding: chunked, gzip\r\n", "some"),
    ] {
        let error = ran(headers, body.as_bytes()).expect_err(body);
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ConnectionLost, true),
            "{body}: {error}"
        );
        assert!(error.message().contains("end"), "{error}");
    }
    let cut = packed("{\"x\": 1}");
    let error = ran("content-encoding: gzip\r\n", &cut[..cut.len() - 3]).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Protocol, true),
        "{error}"
    );
}

#[test]
fn a_file_is_never_proven_by_the_end_of_a_connection() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
    let stored =
        Op::finish(|| client.upload_start(Upload::bytes(vec![b'7'; 1000]).way(UploadWay::Direct)))
            .unwrap();
    let url = stored.get_str("/url").unwrap();
    for fault in [
        Fault::unframed(),
        Fault::unframed_and_cut(10),
        Fault::unframed_and_cut(0),
    ] {
        emulator.clear_faults();
        emulator.inject(fault.method("GET").always());
        let folder = tempfile::tempdir().unwrap();
        for what in [
            Download::new(url).unwrap(),
            Download::new(url).unwrap().to(folder.path()),
        ] {
            let error = Op::finish(|| client.download_start(what)).unwrap_err();
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::ConnectionLost, false),
                "{error}"
            );
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    // A complete response is returned.
    emulator.clear_faults();
    emulator.inject(Fault::unframed_and_cut(10).method("GET"));
    assert_eq!(
        Op::finish(|| client.download_start(Download::new(url).unwrap()))
            .unwrap()
            .body()
            .len(),
        1000
    );
}

#[test]
fn a_stream_ends_by_a_sign_of_its_own() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let stream = |fault: Fault| {
        emulator.inject(fault.method("POST"));
        let mut request = Request::run("emulator/stream").unwrap();
        request.set_json(json!({"events": [{"a": 1}, {"a": 2}]}));
        Op::finish(|| client.stream_start(request)).unwrap_err()
    };
    for fault in [
        Fault::unframed(),
        Fault::unframed_and_cut(17),
        Fault::unframed_and_cut(0),
    ] {
        let error = stream(fault);
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ConnectionLost, true),
            "{error}"
        );
    }
    // The client still waits for a job.
    emulator.inject(Fault::unframed().host("queue.fal.run").always());
    let mut request = Request::run("emulator/job").unwrap();
    request.set_json(json!({"output": {"x": 1}}));
    assert_eq!(
        Op::finish(|| client.subscribe_start(request))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
}

/// Runs an app at a server of HTTP/1.1 over TLS that sends this body and closes the connection,
/// with or without a close_notify.
fn over_tls(body: &'static str, is_announced: bool) -> Result<Response, Error> {
    let (config, authority) = certificate_for("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let connection = ServerConnection::new(config).unwrap();
        let mut tls = StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut head = Vec::new();
        while !head.ends_with(b"}") {
            let mut piece = [0; 1024];
            let read = tls.read(&mut piece).unwrap();
            head.extend_from_slice(&piece[..read]);
        }
        write!(
            tls,
            "HTTP/1.1 200 OK\r\nx-fal-request-id: r-1\r\ncontent-type: text/plain\r\n\r\n{body}"
        )
        .unwrap();
        if is_announced {
            tls.conn.send_close_notify();
        }
        tls.flush().unwrap();
    });
    let environment = Environment::from_variables([("FAL_KEY", "fake-id:fake-secret-for-nobody")]);
    let client = crate::logged::builder()
        .environment(environment)
        .timeout(PATIENCE);
    let client = client.add_root_certificates(authority.as_bytes()).unwrap();
    let outcome = echo(&client.host(HostRole::Run, &host).unwrap().build().unwrap());
    server.join().unwrap();
    outcome
}

#[test]
fn tls_proves_the_end_of_a_connection() {
    assert_eq!(over_tls("some text", true).unwrap().body(), "some text");
    let error = over_tls("some text", false).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
}

//! Without an emulator everything goes over TLS, and nothing is sent before the other side has proved who it is.

use super::*;
use fal::{Code, HostRole};
use std::io::Read;
use std::sync::mpsc;
use std::thread;

#[test]
fn a_server_that_cannot_prove_itself_sees_no_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (send_seen, seen) = mpsc::channel();
    let server = thread::spawn(move || {
        for connection in listener.incoming().take(2) {
            let mut first = vec![0; 4096];
            let read = connection.unwrap().read(&mut first).unwrap();
            send_seen.send(first[..read].to_vec()).unwrap();
        }
    });
    let key = "fake-id:fake-secret-for-tls";
    let environment = Environment::from_variables([("FAL_KEY", key)]);
    let client = Client::builder().environment(environment).host(HostRole::Run, &host).unwrap();
    let client = client.max_attempts(2).unwrap().build().unwrap();
    let error = echo(&client).unwrap_err();
    assert_eq!((error.code(), error.may_have_executed()), (Code::Connect, false), "{error}");
    server.join().unwrap();
    for bytes in seen.iter().take(2) {
        assert_eq!(bytes[0], 22, "a TLS handshake record comes first");
        assert!(!bytes.windows(11).any(|window| window == b"fake-secret"));
    }
}

//! Sessions over WebSockets, from the handshake to the end.

use super::server::{CLOSE, farewell, frame, text};
use super::*;
use fal::SocketOptions;

const TOKENS: &str = "POST rest.fal.ai/tokens/";
const RAW: &str = "GET fal.run/emulator/ws";
const REALTIME: &str = "GET fal.run/emulator/realtime/realtime";
const CHANNEL: &str = "GET ws.fal.run/emulator/echo";

fn raw(world: &World, options: SocketOptions) -> Came {
    let request = fal::Request::run("emulator/ws").unwrap();
    let socket = world.client().websocket_start(request, options).unwrap();
    socket.send_text("hello").unwrap();
    ended(socket.op())
}

fn realtime(world: &World) -> Came {
    let mut request = fal::Request::run("emulator/realtime").unwrap();
    request.set_json(json!({"n": 1}));
    let session = world
        .client()
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    ended(session.op())
}

fn channel(world: &World) -> Came {
    let channel = world
        .client()
        .channel(&fal::Request::run("emulator/echo").unwrap())
        .unwrap();
    let mut request = fal::Request::run("emulator/echo").unwrap();
    request.set_json(json!({"n": 1}));
    ended(&channel.run_start(request).unwrap())
}

/// Withholds the acceptance of a WebSocket.
fn refused(row: Row) -> Row {
    row.all(
        &[
            (Evidence::Status, "no 101", |answer| answer.line = "200 OK"),
            (Evidence::Status, "no 101", |answer| {
                answer.empty("204 No Content")
            }),
        ],
        Code::Protocol,
    )
    .all(
        &[
            (Evidence::Form, "no consent", |answer| {
                answer.replace("sec-websocket-accept: ", "sec-websocket-accept: x")
            }),
            (Evidence::Form, "no consent", |answer| {
                answer.replace("sec-websocket-accept: ", "x-accept: ")
            }),
        ],
        Code::Protocol,
    )
    .and(
        Evidence::Agreement,
        "an extension that was not asked for",
        |answer| {
            answer
                .headers
                .push_str("sec-websocket-extensions: permessage-deflate\r\n")
        },
        Code::Protocol,
    )
}

const NO_FAREWELL: (Evidence, &str, Withhold) = (Evidence::End, "", |answer| answer.frames.clear());
const A_CODE: (Evidence, &str, Withhold) = (Evidence::Agreement, "an end by an error", |answer| {
    answer.frames = frame(CLOSE, &1011_u16.to_be_bytes());
});
const CODED: (Evidence, &str, Withhold) = (Evidence::Coding, "", |answer| {
    answer.frames = vec![0xC1, 1, b'x'];
});

/// The frames of a channel's response, and its end.
fn frames(frames: &[&str]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|frame| text(frame))
        .chain(farewell())
        .collect()
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::of("the token of a session", |world| {
            raw(world, SocketOptions::new())
        })
        .exchange(TOKENS, false)
        .without_content()
        .all(
            &[
                (Evidence::Form, "no token", |answer| answer.say("{}")),
                (Evidence::Form, "no token", |answer| answer.say("fine")),
            ],
            Code::Protocol,
        )
        .ends(),
        refused(
            Row::of("a handshake", |world| {
                raw(world, SocketOptions::new().use_header(true))
            })
            .of_request(RAW, false),
        ),
        Row::of("a WebSocket", |world| raw(world, SocketOptions::new()))
            .of_request(RAW, true)
            .all(&[NO_FAREWELL], Code::ConnectionLost)
            .all(&[CODED], Code::Protocol)
            .all(&[A_CODE], Code::ServiceFailed),
        Row::of("a realtime session", realtime)
            .of_request(REALTIME, true)
            .all(&[NO_FAREWELL], Code::ConnectionLost)
            .all(&[CODED], Code::Protocol)
            .all(&[A_CODE], Code::ServiceFailed)
            .and(
                Evidence::Agreement,
                "an end by an error",
                |answer| answer.frames = text(r#"{"type": "x-fal-error", "error": "INTERNAL"}"#),
                Code::ServiceFailed,
            ),
        refused(Row::of("the handshake of a channel", channel).of_request(CHANNEL, false)),
        Row::of("a run over a channel", channel)
            .of_request(CHANNEL, true)
            .all(&[NO_FAREWELL], Code::ConnectionLost)
            .and(
                Evidence::End,
                "",
                |answer| {
                    let start = r#"{"type": "start", "request_id": "r-1", "status": 200}"#;
                    answer.frames = frames(&[start, "{}"]);
                },
                Code::ConnectionLost,
            )
            .all(&[CODED], Code::Protocol)
            .all(
                &[
                    (Evidence::Status, NO_OUTPUT, |answer| {
                        answer.frames = started("202")
                    }),
                    (Evidence::Status, NO_OUTPUT, |answer| {
                        answer.frames = started("204")
                    }),
                    (Evidence::Status, NO_OUTPUT, |answer| {
                        answer.frames = started("205")
                    }),
                    (Evidence::Status, NO_OUTPUT, |answer| {
                        answer.frames = started("206")
                    }),
                ],
                Code::Protocol,
            )
            .and(
                Evidence::Form,
                "a body that nothing begins",
                |answer| answer.frames = frames(&["{}"]),
                Code::Protocol,
            )
            .and(
                Evidence::Agreement,
                "the end of another",
                |answer| {
                    let start = r#"{"type": "start", "request_id": "r-1", "status": 200}"#;
                    answer.frames =
                        frames(&[start, "{}", r#"{"type": "end", "request_id": "r-2"}"#]);
                },
                Code::Protocol,
            ),
    ]
}

/// A complete response with this status, from its start frame to its end.
fn started(status: &str) -> Vec<u8> {
    let start = format!(r#"{{"type": "start", "request_id": "r-1", "status": {status}}}"#);
    frames(&[&start, "{}", r#"{"type": "end", "request_id": "r-1"}"#])
}

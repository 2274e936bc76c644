//! Every operation through a server proxy with fal's own defaults (docs/protocol.md §11.2): it
//! works, or its error says that the proxy does not let it through.

use super::queue::submit;
use super::*;
use fal::{Download, SocketOptions, Upload, UploadWay};

type Ends = Result<(), Error>;

fn end(op: &Op) -> Ends {
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap(), "it does not end");
    op.take().unwrap().map(drop)
}

fn ends(start: Result<Op, Error>) -> Ends {
    end(&start?)
}

fn to(endpoint: &str) -> Request {
    let mut request = Request::run(endpoint).unwrap();
    request.set_json(json!({}));
    request
}

fn uploaded(client: &Client, way: UploadWay) -> Ends {
    ends(client.upload_start(Upload::bytes(&b"x"[..]).way(way)))
}

#[test]
fn each_operation_works_or_says_that_the_proxy_does_not_forward_it() {
    let emulator = Emulator::start().unwrap();
    let build = || {
        builder(&emulator)
            .proxy("https://app.example/api/fal/proxy")
            .unwrap()
            .build()
            .unwrap()
    };
    let long = || submit(&build(), json!({"ms": 3_600_000}));
    let done = |client: &Client| {
        let job = submit(client, json!({"ms": 0}));
        ends(client.attach_start(&job)).unwrap();
        job
    };
    let file = {
        let made = run(
            &build(),
            "fal-ai/flux/schnell",
            json!({"prompt": "a", "image_size": "square"}),
        )
        .unwrap();
        made.get_str("/images/0/url").unwrap().to_owned()
    };
    type Case<'a> = (&'a str, bool, Box<dyn Fn(&Client) -> Ends + 'a>);
    let cases: Vec<Case> = vec![
        (
            "run",
            true,
            Box::new(|c| ends(c.run_start(to("emulator/echo")))),
        ),
        (
            "stream",
            true,
            Box::new(|c| ends(c.stream_start(to("emulator/stream")))),
        ),
        (
            "submit",
            true,
            Box::new(|c| ends(c.submit_start(to("emulator/job")))),
        ),
        (
            "subscribe",
            true,
            Box::new(|c| ends(c.subscribe_start(to("emulator/job")))),
        ),
        (
            "attach",
            true,
            Box::new(|c| ends(c.attach_start(&submit(c, json!({"ms": 0}))))),
        ),
        ("status", true, Box::new(|c| ends(c.status_start(&long())))),
        ("result", true, Box::new(|c| ends(c.result_start(&done(c))))),
        ("cancel", true, Box::new(|c| ends(c.cancel_start(&long())))),
        (
            "upload, one PUT",
            true,
            Box::new(|c| uploaded(c, UploadWay::Signed)),
        ),
        (
            "download",
            true,
            Box::new(|c| ends(c.download_start(Download::new(&file).unwrap()))),
        ),
        (
            "upload in parts",
            false,
            Box::new(|c| uploaded(c, UploadWay::SignedParts)),
        ),
        (
            "upload with a CDN token",
            false,
            Box::new(|c| uploaded(c, UploadWay::Direct)),
        ),
        (
            "the same in parts",
            false,
            Box::new(|c| uploaded(c, UploadWay::DirectParts)),
        ),
        ("check", false, Box::new(|c| ends(c.check_start()))),
        (
            "token",
            false,
            Box::new(|c| ends(c.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))),
        ),
        (
            "realtime",
            false,
            Box::new(|c| {
                end(c
                    .realtime_start(to("emulator/realtime"), SocketOptions::new())?
                    .op())
            }),
        ),
        (
            "websocket",
            false,
            Box::new(|c| {
                end(c
                    .websocket_start(to("emulator/realtime"), SocketOptions::new())?
                    .op())
            }),
        ),
        (
            "channel",
            false,
            Box::new(|c| {
                ends(
                    c.channel(&to("emulator/echo"))?
                        .run_start(to("emulator/echo")),
                )
            }),
        ),
        (
            "platform",
            false,
            Box::new(|c| ends(c.platform_start("models.list", json!({})))),
        ),
        (
            "platform list",
            false,
            Box::new(|c| ends(c.platform_list_start("keys.list", json!({})))),
        ),
        (
            "key",
            false,
            Box::new(|c| end(c.create_key_start("x")?.op())),
        ),
        (
            "revoke",
            false,
            Box::new(|c| ends(c.revoke_key_start("fake-other", false))),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, passes, call) in cases {
        match call(&build()) {
            Ok(()) if passes => {}
            Err(error)
                if !passes && error.message().contains("proxy") && !error.may_have_executed() => {}
            outcome => wrong.push(format!("{name}: {outcome:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let keys = |arrival: &fal_emulator::Arrival| arrival.host == "app.example" && arrival.had_key();
    assert!(
        !emulator.arrivals().iter().any(keys),
        "the proxy's caller has no key"
    );
}

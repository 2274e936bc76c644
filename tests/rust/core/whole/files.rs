//! Uploads and downloads, request by request.

use super::super::upload::upload;
use super::*;
use fal::{Download, UploadWay};

const TOKEN: &str = "POST rest.fal.ai/storage/auth/token";
const ECHO: &str = "POST fal.run/emulator/echo";
const REST: &str = "GET v3.fal.media/parts from there on";

/// More than the buffers of a connection hold.
const LARGE: u64 = 32 << 20;
/// The same, in one part of an upload.
const PART: u64 = 10 << 20;

fn signed(world: &World) -> Came {
    upload(&world.client(), world.upload().way(UploadWay::Signed))
}

fn direct(world: &World) -> Came {
    upload(&world.client(), world.upload().way(UploadWay::Direct))
}

fn parts(world: &World) -> Came {
    upload(&world.client(), world.upload().way(UploadWay::SignedParts))
}

fn direct_parts(world: &World) -> Came {
    upload(&world.client(), world.upload().way(UploadWay::DirectParts))
}

fn google_parts(world: &World) -> Came {
    upload(&world.client(), world.upload().way(UploadWay::GoogleParts))
}

fn form(world: &World) -> Came {
    let params = json!({"target_path": "a", "file_upload": {"path": world.file()}});
    ended(
        &world
            .client()
            .platform_start("serverless.files.upload", params)
            .unwrap(),
    )
}

fn run_of_a_file(world: &World) -> Came {
    let mut request = fal::Request::run("emulator/echo").unwrap();
    request.set_body_of(world.upload(), "a/b").unwrap();
    ended(&world.client().run_start(request).unwrap())
}

fn run_with_a_file(world: &World) -> Came {
    let mut request = fal::Request::run("emulator/echo").unwrap();
    request.set_file("image_url", world.file()).unwrap();
    ended(&world.client().run_start(request).unwrap())
}

fn fetch(world: &World, url: &str) -> Came {
    ended(
        &world
            .client()
            .download_start(Download::new(url).unwrap())
            .unwrap(),
    )
}

fn save(world: &World, what: Download) -> Came {
    let folder = world.folder.path().join("to");
    let came = ended(
        &world
            .client()
            .download_start(what.to(folder.join("out")))
            .unwrap(),
    );
    let left = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    assert_eq!(
        left,
        usize::from(came.is_ok()),
        "a file is there whole or not at all"
    );
    came
}

fn save_of_a_run(world: &World) -> Came {
    let mut request = fal::Request::new("POST", "https://fal.run/emulator/echo").unwrap();
    request.set_json(json!({}));
    let came = save(world, Download::of_request(request));
    if let Err(error) = &came {
        let is_whole = error.code() != Code::Io || error.body() == b"{\"x\":1}";
        assert!(is_whole, "the output is not lost: {error}");
    }
    came
}

const NO_ADDRESS: [(Evidence, &str, Withhold); 3] = [
    (Evidence::Form, "no address", |answer| answer.say("{}")),
    (Evidence::Form, "no address", |answer| answer.say("fine")),
    (Evidence::Form, "no address", |answer| {
        answer.replace("https:", "http:")
    }),
];
const AN_ERROR: [(Evidence, &str, Withhold); 3] = [
    (Evidence::Agreement, "an error", |answer| {
        answer.say("{\"error\": \"no room\"}")
    }),
    (Evidence::Agreement, "an error", |answer| {
        answer.say("<Error><Code>X</Code></Error>")
    }),
    (Evidence::Agreement, "an error", |answer| {
        answer.say("{\"success\": false}")
    }),
];
const EARLY: (Evidence, &str, Withhold) = (Evidence::Taken, "", |answer| answer.is_early = true);
const CHANGED: (Evidence, &str, Withhold) = (Evidence::Disk, "another file", |answer| {
    answer.disk = Some(|world| std::fs::write(world.file(), "another").unwrap());
});
const NO_FOLDER: (Evidence, &str, Withhold) = (Evidence::Disk, "no folder", |answer| {
    answer.disk = Some(|world| std::fs::remove_dir_all(world.folder.path().join("to")).unwrap());
});
const NO_ETAG: (Evidence, &str, Withhold) = (Evidence::Form, "no etag", |answer| {
    answer.replace("etag: \"e\"\r\n", "")
});

/// A row for a request of an upload to fal's own service. No bytes are sent before its response.
fn step(operation: &'static str, start: fn(&World) -> Came, request: &'static str) -> Row {
    Row::of(operation, start)
        .exchange(request, false)
        .without_content()
        .ends()
}

/// A row for a request that carries the bytes of an upload.
fn taking(row: Row, size: u64) -> Row {
    let code = Code::ServiceFailed;
    row.undone()
        .all(&AN_ERROR, code)
        .sized(size)
        .all(&[EARLY], Code::Protocol)
        .sized(1000)
}

pub(super) fn rows() -> Vec<Row> {
    let completion = |operation, start, request| {
        Row::of(operation, start)
            .exchange(request, true)
            .undone()
            .all(&AN_ERROR, Code::ServiceFailed)
            .ends()
    };
    let part = |operation, start, request| {
        let row = Row::of(operation, start).exchange(request, false);
        taking(row, PART)
            .all(&[NO_ETAG], Code::Protocol)
            .all(&[CHANGED], Code::Io)
            .ends()
    };
    let got = |operation, start, request| {
        Row::of(operation, start)
            .exchange(request, false)
            .without_content()
    };
    vec![
        step(
            "an upload announced",
            signed,
            "POST rest.fal.ai/storage/upload/initiate",
        )
        .all(&NO_ADDRESS, Code::Protocol),
        taking(
            Row::of("an upload by PUT", signed).exchange("PUT store.example/u", false),
            LARGE,
        )
        .all(&[CHANGED], Code::Io)
        .ends(),
        step("a token for files", direct, TOKEN).all(
            &[
                (Evidence::Form, "no token", |answer| answer.say("{}")),
                (Evidence::Form, "no token", |answer| answer.say("fine")),
                (Evidence::Form, "no token", |answer| {
                    answer.replace("Bearer", "Other")
                }),
            ],
            Code::Protocol,
        ),
        taking(
            Row::of("an upload by POST", direct).exchange("POST v3.fal.media/files/upload", true),
            LARGE,
        )
        .all(&NO_ADDRESS, Code::Protocol)
        .all(&[CHANGED], Code::Io)
        .ends(),
        step(
            "an upload in parts announced",
            parts,
            "POST rest.fal.ai/storage/upload/initiate-multipart",
        )
        .all(&NO_ADDRESS, Code::Protocol),
        step(
            "an upload in parts begun",
            direct_parts,
            "POST v3.fal.media/files/upload/multipart",
        )
        .all(&NO_ADDRESS, Code::Protocol)
        .all(
            &[(Evidence::Form, "no address", |answer| {
                answer.replace("uploadId", "x")
            })],
            Code::Protocol,
        ),
        step("the place of a part", google_parts, "POST rest.fal.ai/g/1")
            .all(&NO_ADDRESS, Code::Protocol),
        part("a part at a signed address", parts, "PUT store.example/u/1"),
        part(
            "a part with a token",
            direct_parts,
            "PUT v3.fal.media/d/multipart/up/1",
        ),
        part("a part at its place", google_parts, "PUT store.example/p"),
        completion("parts put together", parts, "POST store.example/u/complete"),
        completion(
            "parts put together with a token",
            direct_parts,
            "POST v3.fal.media/d/multipart/up/complete",
        ),
        completion(
            "parts put together by the service",
            google_parts,
            "POST rest.fal.ai/g/complete",
        ),
        taking(
            Row::of("a form with a file", form)
                .exchange("POST api.fal.ai/v1/serverless/files/file/local/a", true),
            LARGE,
        )
        .all(&[CHANGED], Code::Io),
        Row::of("a file in an input", run_with_a_file)
            .exchange("PUT store.example/u", false)
            .undone()
            .all(&AN_ERROR, Code::ServiceFailed)
            .all(&[CHANGED], Code::Io)
            .ends(),
        Row::of("a run whose body is a file", run_of_a_file)
            .exchange(ECHO, true)
            .without_output(Code::Protocol)
            .sized(LARGE)
            .all(
                &[(
                    Evidence::Disk,
                    "another file before its end was read",
                    |answer| {
                        answer.is_early = true;
                        answer.disk = Some(write_to);
                    },
                )],
                Code::Io,
            ),
        got(
            "a download",
            |world| fetch(world, "https://v3.fal.media/f"),
            "GET v3.fal.media/f",
        ),
        got(
            "a download to a file",
            |world| save(world, Download::new("https://v3.fal.media/f").unwrap()),
            "GET v3.fal.media/f",
        )
        .all(&[NO_FOLDER], Code::Io),
        Row::of("a download of a run", save_of_a_run)
            .exchange(ECHO, true)
            .without_output(Code::Protocol)
            .all(&[NO_FOLDER], Code::Io),
        Row::of("a download that goes on", |world| {
            fetch(world, "https://v3.fal.media/parts")
        })
        .of_request(REST, false)
        .and(
            Evidence::End,
            "",
            |answer| answer.lacks = 3,
            Code::ConnectionLost,
        )
        .anew(Evidence::Coding, "coded", |answer| {
            answer.is_cut_in_packing = true
        })
        .anew(Evidence::Status, "all of it", |answer| {
            answer.line = "200 OK";
            answer.body = FILE.to_vec();
        })
        .anew(Evidence::Form, "another range", |answer| {
            answer.replace("4-9", "3-8")
        })
        .anew(Evidence::Form, "another range", |answer| {
            answer.replace("4-9/10", "4-8/9")
        })
        .anew(Evidence::Form, "another range", |answer| {
            answer.replace("content-range", "x-range")
        })
        .anew(Evidence::Form, "another range", |answer| {
            answer.is_chunked = true;
            answer.say("456789a");
        })
        .anew(Evidence::Form, "another range", |answer| {
            answer.is_chunked = true;
            answer.say("45678");
        })
        .anew(Evidence::Agreement, "another version", |answer| {
            answer.replace("\"a\"", "\"b\"");
            answer.say("abcdef");
        })
        .anew(Evidence::Agreement, "another version", |answer| {
            answer.replace("etag: \"a\"\r\n", "");
            answer.say("abcdef");
        }),
    ]
}

/// Overwrites the beginning of the file, which keeps its length.
fn write_to(world: &World) {
    let file = std::fs::File::options().write(true).open(world.file());
    std::io::Write::write_all(&mut file.unwrap(), b"other").unwrap();
}

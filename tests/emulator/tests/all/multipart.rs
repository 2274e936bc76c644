//! Uploads in parts: with a CDN token, with a signed URL, and with a signed URL for each part.

use fal_emulator::{ArrivedBody, Emulator, Fault, PartAnswer, Scope, Settings, UploadKind};
use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::uploads::{at, bearer, cdn_token, post, text};

/// An active upload by any of the methods.
struct Upload {
    kind: UploadKind,
    url: String,
    /// For D1: `{access_url}/multipart/{uploadId}`.
    base: String,
    query: String,
    token: String,
    key: String,
}

impl Upload {
    fn begin(emulator: &Emulator, kind: UploadKind) -> Self {
        let key = emulator.api_key().to_owned();
        let token = cdn_token(emulator, &key);
        let begun = |base: String, query: &str, url: &Value| Self {
            kind,
            url: text(url),
            base,
            query: query.to_owned(),
            token: token.clone(),
            key: key.clone(),
        };
        if kind == UploadKind::CdnMultipart {
            let request = Request::new("POST", "v3.fal.media", "/files/upload/multipart");
            let request = bearer(request, &token)
                .header("Content-Type", "video/mp4")
                .header("X-Fal-File-Name", "a.mp4");
            let answer = request.send(emulator).json();
            let base = format!(
                "{}/multipart/{}",
                text(&answer["access_url"]),
                text(&answer["uploadId"])
            );
            return begun(base, "", &answer["access_url"]);
        }
        let storage_type = if kind == UploadKind::GcsMultipart {
            "gcs"
        } else {
            "fal-cdn-v3"
        };
        let path = format!("/storage/upload/initiate-multipart?storage_type={storage_type}");
        let body = json!({ "content_type": "video/mp4", "file_name": "a.mp4" });
        let answer = post(&path, &key, &body).send(emulator).json();
        let upload_url = text(&answer["upload_url"]);
        match upload_url.split_once('?') {
            Some((base, query)) => {
                begun(base.to_owned(), &format!("?{query}"), &answer["file_url"])
            }
            None => begun(upload_url, "", &answer["file_url"]),
        }
    }

    /// The PUT of a part in the form of the official clients.
    fn part(&self, emulator: &Emulator, number: u32, bytes: &str) -> Request {
        let step = format!("{}/{number}{}", self.base, self.query);
        match self.kind {
            UploadKind::CdnMultipart => bearer(at("PUT", &step), &self.token).bytes(bytes),
            UploadKind::GcsMultipart => {
                let answer = at("POST", &step).key(&self.key).send(emulator);
                assert_eq!(answer.status, 200);
                at("PUT", &text(&answer.json()["upload_url"])).bytes(bytes)
            }
            _ => at("PUT", &step).bytes(bytes),
        }
    }

    fn put(&self, emulator: &Emulator, number: u32, bytes: &str) -> String {
        let answer = self.part(emulator, number, bytes).send(emulator);
        assert_eq!(answer.status, 200);
        let etag = answer.header("etag").unwrap().to_owned();
        assert_eq!(answer.json(), json!({ "partNumber": number, "etag": etag }));
        etag
    }

    fn complete(&self, emulator: &Emulator, parts: &[(u32, &str)]) -> Response {
        let name = if self.kind == UploadKind::GcsMultipart {
            "part_number"
        } else {
            "partNumber"
        };
        let parts: Vec<Value> = parts
            .iter()
            .map(|(number, etag)| json!({ name: number, "etag": etag }))
            .collect();
        let request = at("POST", &format!("{}/complete{}", self.base, self.query))
            .json(&json!({ "parts": parts }));
        let request = match self.kind {
            UploadKind::CdnMultipart => bearer(request, &self.token),
            UploadKind::GcsMultipart => request.key(&self.key),
            _ => request,
        };
        request.send(emulator)
    }
}

const KINDS: [UploadKind; 3] = [
    UploadKind::CdnMultipart,
    UploadKind::SignedMultipart,
    UploadKind::GcsMultipart,
];

#[test]
fn parts_come_in_any_order_and_make_a_file() {
    for kind in KINDS {
        let emulator = Emulator::start().unwrap();
        let upload = Upload::begin(&emulator, kind);
        let third = upload.put(&emulator, 3, "gh");
        let first = upload.put(&emulator, 1, "wrong");
        let second = upload.put(&emulator, 2, "def");
        assert_ne!(first, upload.put(&emulator, 1, "abc"));
        let first = upload.put(&emulator, 1, "abc");
        assert_eq!(at("GET", &upload.url).send(&emulator).status, 404);
        let unquoted = second.trim_matches('"');
        let list = [(2, unquoted), (3, third.as_str()), (1, first.as_str())];
        assert_eq!(upload.complete(&emulator, &list).status, 200, "{kind:?}");
        let file = at("GET", &upload.url).send(&emulator);
        assert_eq!((file.status, file.body.as_slice()), (200, &b"abcdefgh"[..]));
        assert_eq!(file.header("content-type"), Some("video/mp4"));
        assert!(upload.url.ends_with("_a.mp4"));
        let record = &emulator.uploads()[0];
        let puts: Vec<(u32, u64)> = record
            .parts
            .iter()
            .map(|(number, part)| (*number, part.puts))
            .collect();
        assert_eq!(
            (record.kind, record.completed, puts),
            (kind, true, vec![(1, 3), (2, 1), (3, 1)])
        );
        let stored = &emulator.files()[0];
        assert_eq!(
            (stored.size, stored.owner.as_deref(), &stored.url),
            (8, Some("acme"), &upload.url)
        );
        assert_eq!(
            stored.sha256,
            "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
        );
        // A client may complete again after a lost response. A completed upload accepts no more
        // parts.
        assert_eq!(upload.complete(&emulator, &list).status, 200);
        assert_eq!(upload.complete(&emulator, &[(1, &first)]).status, 404);
        upload
            .part(&emulator, 1, "late")
            .send(&emulator)
            .assert_detail(404, "Upload not found");
    }
}

#[test]
fn what_is_incomplete_is_not_completed() {
    for kind in KINDS {
        let emulator = Emulator::start().unwrap();
        let upload = Upload::begin(&emulator, kind);
        let detail = |list: &[(u32, &str)]| {
            let answer = upload.complete(&emulator, list);
            assert_eq!(answer.status, 400, "{list:?}");
            text(&answer.json()["detail"])
                .trim_start_matches("Incomplete upload: ")
                .to_owned()
        };
        assert_eq!(detail(&[]), "no parts");
        assert_eq!(detail(&[(1, "x")]), "part 1 was not uploaded");
        let (one, two) = (upload.put(&emulator, 1, "a"), upload.put(&emulator, 2, "b"));
        assert_eq!(detail(&[(1, &one)]), "2 parts were uploaded, 1 are listed");
        assert_eq!(
            detail(&[(1, &one), (2, &one)]),
            "the etag of part 2 does not match"
        );
        assert_eq!(
            detail(&[(1, &one), (1, &one), (2, &two)]),
            "part 2 is missing, or a part is listed twice"
        );
        assert_eq!(
            detail(&[(2, &two)]),
            "part 1 is missing, or a part is listed twice"
        );
        assert_eq!(
            detail(&[(1, &one), (2, &two), (3, "x")]),
            "part 3 was not uploaded"
        );
        assert!(emulator.files().is_empty() && !emulator.uploads()[0].completed);
        for number in [0, 10_001] {
            let request = bearer(
                at("PUT", &format!("{}/{number}{}", upload.base, upload.query)),
                &upload.token,
            );
            let request = if kind == UploadKind::GcsMultipart {
                at("POST", &format!("{}/{number}", upload.base)).key(&upload.key)
            } else {
                request
            };
            request
                .bytes("x")
                .send(&emulator)
                .assert_detail(400, "Part numbers must be 1 to 10000");
        }
        assert_eq!(
            upload.complete(&emulator, &[(1, &one), (2, &two)]).status,
            200
        );
    }
}

#[test]
fn a_list_of_another_form_is_refused() {
    let emulator = Emulator::start().unwrap();
    let upload = Upload::begin(&emulator, UploadKind::SignedMultipart);
    let etag = upload.put(&emulator, 1, "a");
    let url = format!("{}/complete{}", upload.base, upload.query);
    for body in [
        json!([]),
        json!({}),
        json!({ "parts": [{ "part_number": 1, "etag": etag }] }),
        json!({ "parts": [{ "partNumber": "1", "etag": etag }] }),
        json!({ "parts": [{ "partNumber": 1 }] }),
    ] {
        at("POST", &url)
            .json(&body)
            .send(&emulator)
            .assert_detail(400, "Invalid list of parts");
    }
}

#[test]
fn an_upload_belongs_to_who_began_it() {
    let emulator = Emulator::start().unwrap();
    let other = emulator.create_key(Scope::Api, "other");
    let mut cdn = Upload::begin(&emulator, UploadKind::CdnMultipart);
    cdn.token = cdn_token(&emulator, &other);
    cdn.part(&emulator, 1, "x")
        .send(&emulator)
        .assert_detail(404, "Upload not found");
    let rest = Upload::begin(&emulator, UploadKind::GcsMultipart);
    at("POST", &format!("{}/1", rest.base))
        .key(&other)
        .send(&emulator)
        .assert_detail(404, "Upload not found");
    at("POST", &format!("{}/1", rest.base))
        .send(&emulator)
        .assert_detail(401, "Authorization header is required");
    let signed = Upload::begin(&emulator, UploadKind::SignedMultipart);
    let url = format!("{}/1", signed.base);
    at("PUT", &url)
        .key(emulator.api_key())
        .bytes("x")
        .send(&emulator)
        .assert_detail(403, "Invalid or expired signature");
    for url in [
        format!("{}/multipart/none/1", cdn.url),
        format!("{}x/1", cdn.base),
    ] {
        let request = bearer(at("PUT", &url), &cdn_token(&emulator, emulator.api_key())).bytes("x");
        request
            .send(&emulator)
            .assert_detail(404, "Upload not found");
    }
    at("PUT", &format!("{}/1", cdn.base))
        .key(emulator.api_key())
        .bytes("x")
        .send(&emulator)
        .assert_detail(401, "Invalid or expired token");
    assert!(
        emulator
            .uploads()
            .iter()
            .all(|upload| upload.parts.is_empty())
    );
}

#[test]
fn the_answer_to_a_part_can_be_chosen() {
    let emulator = Emulator::start().unwrap();
    let upload = Upload::begin(&emulator, UploadKind::SignedMultipart);
    for (form, header, body) in [
        (PartAnswer::Header, true, false),
        (PartAnswer::Body, false, true),
    ] {
        emulator.set(Settings {
            part_answer: form,
            ..Settings::default()
        });
        let answer = upload.part(&emulator, 1, "x").send(&emulator);
        assert_eq!(
            (answer.header("etag").is_some(), !answer.body.is_empty()),
            (header, body),
            "{form:?}"
        );
    }
}

#[test]
fn the_second_put_of_a_part_may_be_reset() {
    let emulator = Emulator::start().unwrap();
    let upload = Upload::begin(&emulator, UploadKind::SignedMultipart);
    emulator.inject(
        Fault::reset_before_body()
            .method("PUT")
            .path("/upload/*/3")
            .skip(1),
    );
    let first = upload.put(&emulator, 1, "a");
    let second = upload.put(&emulator, 2, "b");
    upload.put(&emulator, 3, "c");
    assert!(upload.part(&emulator, 3, "d").attempt(&emulator).is_err());
    assert_eq!(emulator.uploads()[0].parts[&3].puts, 1);
    let third = upload.put(&emulator, 3, "d");
    emulator.inject(Fault::reset_after_body().path("*/complete"));
    let list = [
        (1, first.as_str()),
        (2, second.as_str()),
        (3, third.as_str()),
    ];
    let url = format!("{}/complete{}", upload.base, upload.query);
    let parts: Vec<Value> = list
        .iter()
        .map(|(number, etag)| json!({ "partNumber": number, "etag": etag }))
        .collect();
    assert!(
        at("POST", &url)
            .json(&json!({ "parts": parts }))
            .attempt(&emulator)
            .is_err()
    );
    // The upload was completed although the response was lost. A second completion reports success.
    assert_eq!(upload.complete(&emulator, &list).status, 200);
    assert_eq!(at("GET", &upload.url).send(&emulator).body, b"abd");
    let part = emulator
        .arrivals()
        .into_iter()
        .find(|arrival| arrival.path.ends_with("/2"))
        .unwrap();
    assert_eq!(
        (part.body_length, part.body, part.authorization),
        (1, ArrivedBody::Empty, None)
    );
}

#[test]
fn the_default_proxy_lets_only_initiate_through() {
    let emulator = Emulator::start().unwrap();
    let through = |target: &str| {
        let request = Request::new("POST", "app.example", "/api/fal/proxy")
            .header("x-fal-target-url", target);
        request
            .json(&json!({ "content_type": "image/png", "file_name": "a.png" }))
            .send(&emulator)
    };
    let answer = through("https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3");
    assert_eq!(answer.status, 200);
    assert_eq!(
        at("PUT", &text(&answer.json()["upload_url"]))
            .bytes("x")
            .send(&emulator)
            .status,
        200
    );
    for target in [
        "https://rest.fal.ai/storage/upload/initiate?storage_type=gcs",
        "https://rest.fal.ai/storage/upload/initiate-multipart?storage_type=fal-cdn-v3",
        "https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3",
        "https://v3.fal.media/files/upload",
    ] {
        assert_eq!(through(target).status, 400, "{target}");
    }
}

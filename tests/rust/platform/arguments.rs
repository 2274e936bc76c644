//! Invalid arguments are reported before a request is sent, and valid ones are sent in their
//! places.

use super::server::Server;
use super::*;

/// Returns the error of a call that must not be sent.
fn refused(name: &str, params: Value) -> String {
    let server = Server::json(|_, _| "{}".to_owned());
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let error = call(&client, name, params).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    assert!(
        !error.may_have_executed() && server.arrived().is_empty(),
        "{error}"
    );
    error.message().to_owned()
}

#[test]
fn a_wrong_parameter_is_named_with_what_is_allowed() {
    let cases = [
        (
            "keys.list",
            json!({"limit": 0}),
            "keys.list: limit must be an integer of at least 1, not 0",
        ),
        (
            "keys.list",
            json!({"limit": "5"}),
            "keys.list: limit must be an integer of at least 1, not a string of length 1",
        ),
        (
            "keys.list",
            json!({"size": 5}),
            "keys.list: \"size\" is not a parameter; the parameters are limit, cursor, expand",
        ),
        (
            "keys.revoke",
            json!({}),
            "keys.revoke: key_id is missing; it must be a string of at least 1 characters",
        ),
        (
            "keys.revoke",
            json!({"key_id": ".."}),
            "keys.revoke: key_id must not have the segment \"..\"",
        ),
        (
            "keys.revoke",
            json!({"key_id": ""}),
            "keys.revoke: key_id must be a string of at least 1 characters, not a string of length 0",
        ),
        (
            "keys.revoke",
            json!({"key_id": "fake-id:fake-secret-whole"}),
            "keys.revoke: key_id must be the id of a key: the part before the colon",
        ),
        (
            "models.usage",
            json!({"api_key_id": ["fake-id", "fake-id:fake-secret-whole"]}),
            "models.usage: api_key_id must be the id of a key: the part before the colon",
        ),
        (
            "serverless.apps.queue.get",
            json!({"owner": "", "name": "a"}),
            "serverless.apps.queue.get: owner must not have the segment",
        ),
        (
            "serverless.files.list_dir",
            json!({"dir": "a/../b"}),
            "serverless.files.list_dir: dir must not have the segment",
        ),
        (
            "serverless.files.list_dir",
            json!({"dir": "/a"}),
            "serverless.files.list_dir: dir must not have the segment",
        ),
        (
            "serverless.files.list_dir",
            json!({"dir": "a//b"}),
            "serverless.files.list_dir: dir must not have the segment",
        ),
        (
            "serverless.files.list_dir",
            json!({"dir": "."}),
            "serverless.files.list_dir: dir must not have the segment",
        ),
        (
            "meta.get",
            json!({"x": 1}),
            "meta.get: \"x\" is not a parameter; the operation has no parameters",
        ),
        (
            "meta.get",
            json!([]),
            "meta.get: the parameters must be a JSON object",
        ),
        (
            "models.list",
            json!({"status": "old"}),
            "models.list: status must be \"active\" or \"deprecated\", not a string of length 3",
        ),
        (
            "models.pricing",
            json!({"endpoint_id": []}),
            "models.pricing: endpoint_id must be a string, or an array of 1 to 50 strings, not an array of length 0",
        ),
        (
            "workflows.create",
            json!({"name": "a b", "title": "t", "contents": {}}),
            "workflows.create: name must be a name of letters, digits, _ and - of 0 to 128 characters, not a string of length 3",
        ),
        (
            "assets.collections.assets.add",
            json!({"collection_id": "c"}),
            "assets.collections.assets.add: exactly one of asset_id, request_id, vector_id must be given",
        ),
        (
            "assets.collections.assets.remove",
            json!({"collection_id": "c", "asset_id": "a", "vector_id": "v"}),
            "assets.collections.assets.remove: exactly one of asset_id, request_id, vector_id must be given",
        ),
        (
            "models.requests.search",
            json!({"query": "a", "image_url": "b"}),
            "models.requests.search: at most one of query, image_url, video_url may be given",
        ),
        (
            "models.usage",
            json!({"expand": "auth_method"}),
            "models.usage: expand must contain at least one of time_series, summary",
        ),
        (
            "compute.instances.create",
            json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k", "sector": "sector_1"}),
            "compute.instances.create: sector is allowed only if instance_type is \"gpu_8x_h100_sxm5\"",
        ),
        (
            "account.focus",
            json!({"source": "invoice", "billing_month": "2026-1"}),
            "account.focus: billing_month must be a month (YYYY-MM), not a string of length 6",
        ),
        (
            "models.pricing.estimate",
            json!({"estimate_type": "unit_price", "endpoints": {"a/b": {"unit_quantity": 0}}}),
            "models.pricing.estimate: endpoints.a/b.unit_quantity must be a number of at least 0.000001, not 0",
        ),
        (
            "models.pricing.estimate",
            json!({"endpoints": {}}),
            "models.pricing.estimate: estimate_type is missing",
        ),
        (
            "storage.files.acl.replace",
            json!({"url": "https://v3b.fal.media/files/b/x/y"}),
            "storage.files.acl.replace: default is missing; it must be \"allow\" or \"forbid\" or \"hide\"",
        ),
        (
            "storage.files.acl.get",
            json!({"url": "https://v3b.fal.media/files/b/x/y?a=b"}),
            "storage.files.acl.get: url must be an absolute URL without a query, not a string of length 37",
        ),
        (
            "serverless.logs.history",
            json!({"filters": [{"key": "a"}]}),
            "serverless.logs.history: filters[0].value is missing",
        ),
        (
            "serverless.files.upload",
            json!({"target_path": "a"}),
            "serverless.files.upload: file_upload is missing",
        ),
        (
            "serverless.files.upload",
            json!({"target_path": "a", "file_upload": {"base64": "!"}}),
            "serverless.files.upload: file_upload.base64 is not base64",
        ),
        (
            "serverless.files.upload",
            json!({"target_path": "a", "file_upload": "text"}),
            "serverless.files.upload: file_upload is not a file",
        ),
    ];
    for (name, params, told) in cases {
        let message = refused(name, params);
        assert!(message.starts_with(told), "{message}\n{told}");
    }
}

#[test]
fn an_unknown_operation_is_told_with_its_neighbours() {
    let emulator = Emulator::start().unwrap();
    let error = call(&admin(&emulator), "keys.delete", json!({})).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.message().contains("no operation \"keys.delete\""),
        "{error}"
    );
    assert!(
        error
            .remedy()
            .contains("keys.list, keys.create, keys.revoke"),
        "{}",
        error.remedy()
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn each_parameter_arrives_in_its_place() {
    let server = Server::json(|_, _| "{}".to_owned());
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let cases = [
        (
            "keys.list",
            json!({"limit": 5, "cursor": "Mg==", "expand": null}),
            "GET /v1/keys?limit=5&cursor=Mg%3D%3D",
            "",
        ),
        (
            "models.pricing",
            json!({"endpoint_id": ["a/b", "c/d e"]}),
            "GET /v1/models/pricing?endpoint_id=a%2Fb&endpoint_id=c%2Fd+e",
            "",
        ),
        (
            "models.usage",
            json!({"bound_to_timeframe": false}),
            "GET /v1/models/usage?bound_to_timeframe=false",
            "",
        ),
        (
            "keys.revoke",
            json!({"key_id": "a/../b?c#d e%"}),
            "DELETE /v1/keys/a%2F..%2Fb%3Fc%23d%20e%25",
            "",
        ),
        (
            "serverless.files.list_dir",
            json!({"dir": "a b/c"}),
            "GET /v1/serverless/files/list/a%20b/c",
            "",
        ),
        (
            "serverless.files.download",
            json!({"file": "a/b"}),
            "GET /v1/serverless/files/file/a%2Fb",
            "",
        ),
        (
            "assets.collections.move",
            json!({"collection_id": "c", "parent_collection_id": null}),
            "POST /v1/assets/collections/c/move",
            r#"{"parent_collection_id":null}"#,
        ),
        (
            "assets.collections.assets.remove",
            json!({"collection_id": "c", "asset_id": "a"}),
            "DELETE /v1/assets/collections/c/assets",
            r#"{"asset_id":"a"}"#,
        ),
        (
            "storage.files.sign",
            json!({"url": "https://v3.fal.media/files/b/x/y", "expiration_seconds": 60}),
            "POST /v1/storage/files/sign?url=https%3A%2F%2Fv3.fal.media%2Ffiles%2Fb%2Fx%2Fy",
            r#"{"expiration_seconds":60}"#,
        ),
        (
            "serverless.logs.history",
            json!({"filters": [{"key": "a", "value": ["b"]}], "limit": 1}),
            "POST /v1/serverless/logs/history?limit=1",
            r#"[{"key":"a","value":["b"]}]"#,
        ),
        (
            "serverless.logs.history",
            json!(null),
            "POST /v1/serverless/logs/history",
            "",
        ),
    ];
    for (name, params, line, body) in cases {
        call(&client, name, params).unwrap();
        let arrived = server.arrived().pop().unwrap();
        assert_eq!(
            (
                arrived.line.as_str(),
                String::from_utf8(arrived.body.clone()).unwrap().as_str()
            ),
            (line, body),
            "{name}"
        );
        assert_eq!(
            arrived.header("authorization"),
            Some("Key fake-id:fake-secret"),
            "{name}"
        );
    }
}

/// Any value of a path parameter stays that one segment of that one operation.
#[test]
fn a_path_parameter_never_becomes_another_path() {
    let server = Server::json(|_, _| "{}".to_owned());
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let cases = [
        ("a\r\nHost: evil", "a%0D%0AHost%3A%20evil"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("%2f..%2F", "%252f..%252F"),
        ("%2e%2e", "%252e%252e"),
        ("..%00", "..%2500"),
        ("\0\t", "%00%09"),
        ("a\\..\\b", "a%5C..%5Cb"),
        ("../keys", "..%2Fkeys"),
        ("?limit=1&x", "%3Flimit%3D1%26x"),
        ("#", "%23"),
        ("@evil.example", "%40evil.example"),
        ("ключ/日本", "%D0%BA%D0%BB%D1%8E%D1%87%2F%E6%97%A5%E6%9C%AC"),
        ("{tag_id}", "%7Btag_id%7D"),
        ("...", "..."),
        (" .. ", "%20..%20"),
    ];
    for (given, sent) in cases {
        call(&client, "assets.get", json!({"asset_id": given})).unwrap();
        call(
            &client,
            "serverless.apps.events",
            json!({"owner": given, "name": "{owner}"}),
        )
        .unwrap();
        let lines: Vec<_> = server
            .arrived()
            .iter()
            .rev()
            .take(2)
            .map(|one| one.line.clone())
            .collect();
        let events = format!("GET /v1/serverless/apps/{sent}/%7Bowner%7D/events");
        assert_eq!(
            lines,
            [events, format!("GET /v1/assets/{sent}")],
            "{given:?}"
        );
    }
    call(
        &client,
        "serverless.files.list_dir",
        json!({"dir": "ä/%2e%2e/b\n"}),
    )
    .unwrap();
    assert_eq!(
        server.arrived().pop().unwrap().line,
        "GET /v1/serverless/files/list/%C3%A4/%252e%252e/b%0A"
    );
}

#[test]
fn an_idempotency_key_is_made_or_the_callers_own() {
    let server = Server::json(|_, _| "{}".to_owned());
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let tags = |params: Value| call(&client, "assets.tags.create", params).unwrap();
    tags(json!({"name": "a"}));
    tags(json!({"name": "a"}));
    tags(json!({"name": "a", "idempotency_key": "mine"}));
    call(&client, "workflows.list", json!({})).unwrap();
    let sent: Vec<_> = server
        .arrived()
        .iter()
        .map(|one| one.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!((sent[2].as_deref(), &sent[3]), (Some("mine"), &None));
    let made: Vec<_> = sent[..2]
        .iter()
        .map(|key| key.as_deref().unwrap())
        .collect();
    assert!(
        made[0] != made[1] && made.iter().all(|key| key.len() == 36),
        "{made:?}"
    );
    let bodies: Vec<_> = server.arrived().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies[2], br#"{"name":"a"}"#);
}

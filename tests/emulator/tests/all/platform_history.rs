//! Requests in the history of their callers: listed, searched, erased.

use fal_emulator::{Emulator, Scope, Seed};
use serde_json::{Value, json};

use crate::client::{Request, got, has, platform, ran};

const FLUX: &str = "fal-ai/flux/schnell";

fn items(emulator: &Emulator, query: &str) -> Vec<Value> {
    let page = got(
        emulator,
        200,
        "GET",
        &format!("/models/requests/by-endpoint?{query}"),
    );
    page["items"].as_array().unwrap().clone()
}

fn queued(emulator: &Emulator, endpoint: &str, input: &Value, key: &str) -> String {
    let submit = Request::new("POST", "queue.fal.run", &format!("/{endpoint}"))
        .key(key)
        .json(input)
        .send(emulator);
    let id = submit.json()["request_id"].as_str().unwrap().to_owned();
    let app: Vec<&str> = endpoint.splitn(3, '/').take(2).collect();
    let path = format!("/{}/requests/{id}/status", app.join("/"));
    let status = || {
        Request::get("queue.fal.run", &path)
            .key(key)
            .send(emulator)
            .json()["status"]
            .clone()
    };
    while status() != "COMPLETED" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    id
}

#[test]
fn a_run_a_stream_and_a_queued_request_are_listed() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let (run, _) = ran(&emulator, FLUX, &json!({"prompt": "a cat"}), key);
    let streamed = Request::run("emulator/llm/stream", &json!({"prompt": "hi there"}))
        .key(key)
        .send(&emulator);
    let job = queued(&emulator, FLUX, &json!({"prompt": "a dog"}), key);
    let all = items(
        &emulator,
        &format!("endpoint_id={FLUX}&endpoint_id=emulator/llm"),
    );
    let ids: Vec<&str> = all
        .iter()
        .map(|item| item["request_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [&job, streamed.request_id(), &run]);
    for item in &all {
        has(
            item,
            &[
                "request_id",
                "endpoint_id",
                "started_at",
                "sent_at",
                "ended_at",
                "status_code",
                "duration",
            ],
        );
        assert_eq!(item["status_code"], 200);
        assert!(item["duration"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(items(&emulator, &format!("endpoint_id={FLUX}")).len(), 2);
    // Keys of another account see none of it.
    let stranger = emulator.create_key(Scope::Admin, "other");
    let path = format!("/models/requests/by-endpoint?endpoint_id={FLUX}");
    assert_eq!(
        platform(&emulator, "GET", &path, &stranger).json()["items"],
        json!([])
    );
}

#[test]
fn a_list_is_filtered_sorted_and_paged() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let (slow, _) = ran(&emulator, "emulator/slow", &json!({"ms": 150}), key);
    let (fast, _) = ran(&emulator, "emulator/slow", &json!({"ms": 0}), key);
    let invalid = Request::run("emulator/slow", &json!({"ms": "x"}))
        .key(key)
        .send(&emulator);
    assert_eq!(invalid.status, 422);
    let ids = |query: &str| -> Vec<String> {
        let all = items(&emulator, &format!("endpoint_id=emulator/slow&{query}"));
        all.iter()
            .map(|item| item["request_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let refused = invalid.request_id().to_owned();
    assert_eq!(ids("status=success"), [fast.clone(), slow.clone()]);
    assert_eq!(ids("status=user_error"), std::slice::from_ref(&refused));
    assert!(ids("status=error").is_empty());
    assert_eq!(ids("sort_by=duration")[0], slow);
    assert_eq!(
        ids(&format!("request_id={fast}")),
        std::slice::from_ref(&fast)
    );
    assert!(ids("end=2020-01-02&start=2020-01-01").is_empty());
    let first = got(
        &emulator,
        200,
        "GET",
        "/models/requests/by-endpoint?endpoint_id=emulator/slow&limit=2",
    );
    assert_eq!(
        (first["has_more"].clone(), first["next_cursor"].as_str()),
        (json!(true), Some("Mg=="))
    );
    assert_eq!(ids("limit=2&cursor=Mg%3D%3D"), [slow]);
    for wrong in [
        "limit=101",
        "limit=0",
        "status=odd",
        "sort_by=colour",
        "request_id=x",
        "expand=billing",
        "cursor=%21",
    ] {
        got(
            &emulator,
            400,
            "GET",
            &format!("/models/requests/by-endpoint?endpoint_id=emulator/slow&{wrong}"),
        );
    }
    got(&emulator, 400, "GET", "/models/requests/by-endpoint");
    got(
        &emulator,
        404,
        "GET",
        "/models/requests/by-endpoint?endpoint_id=no/model",
    );
}

#[test]
fn payloads_are_shown_unless_they_were_not_to_be_kept() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    ran(&emulator, "emulator/slow", &json!({"ms": 1}), key);
    let kept = &items(&emulator, "endpoint_id=emulator/slow&expand=payloads")[0];
    assert_eq!(kept["json_input"], json!({"ms": 1}));
    assert!(kept["json_output"].is_object());
    let private = Request::run("emulator/slow", &json!({"ms": 2}))
        .key(key)
        .header("X-Fal-Store-IO", "0");
    assert_eq!(private.send(&emulator).status, 200);
    let unkept = &items(&emulator, "endpoint_id=emulator/slow&expand=payloads")[0];
    assert_eq!(
        (&unkept["json_input"], &unkept["json_output"]),
        (&json!(null), &json!(null))
    );
    assert!(
        items(&emulator, "endpoint_id=emulator/slow")[0]
            .get("json_input")
            .is_none()
    );
}

#[test]
fn what_never_ran_is_listed_too() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let submit = |headers: &[(&str, &str)]| {
        let mut request = Request::new("POST", "queue.fal.run", "/emulator/job").key(key);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request
            .json(&json!({"startup_ms": 3_600_000}))
            .send(&emulator);
        answer.json()["request_id"].as_str().unwrap().to_owned()
    };
    let id = submit(&[]);
    let cancel = Request::new(
        "PUT",
        "queue.fal.run",
        &format!("/emulator/job/requests/{id}/cancel"),
    )
    .key(key);
    assert_eq!(cancel.send(&emulator).status, 202);
    let all = items(&emulator, "endpoint_id=emulator/job&status=user_error");
    assert_eq!(
        (all.len(), &all[0]["request_id"], &all[0]["status_code"]),
        (1, &json!(id), &json!(499))
    );
}

#[test]
fn the_history_is_searched() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    ran(&emulator, FLUX, &json!({"prompt": "a red cat"}), key);
    let (_, dog) = ran(&emulator, FLUX, &json!({"prompt": "a red dog"}), key);
    emulator.seed(&Seed {
        billing_events: 1,
        by_api: false,
        ..Seed::default()
    });
    let search = |query: &str| {
        let page = got(
            &emulator,
            200,
            "GET",
            &format!("/models/requests/search?{query}"),
        );
        page["results"].as_array().unwrap().clone()
    };
    assert_eq!(search("").len(), 3);
    assert!(search("")[0].get("similarity").is_none());
    let best = search("query=red+cat");
    assert_eq!(best[0]["json_input"]["prompt"], "a red cat");
    assert!(best[0]["similarity"].as_f64() > best[1]["similarity"].as_f64());
    assert_eq!(search("query=red+cat&min_similarity=0.9").len(), 1);
    let url = dog["images"][0]["url"].as_str().unwrap();
    assert_eq!(
        search(&format!("image_url={url}"))[0]["json_input"]["prompt"],
        "a red dog"
    );
    assert_eq!(search("exclude_api_requests=true").len(), 1);
    assert_eq!(search("only_api_requests=true").len(), 2);
    assert_eq!(search("endpoint=fal-ai/flux/dev").len(), 0);
    assert_eq!(
        search("endpoint=fal-ai/flux/dev&endpoint_id=fal-ai/flux/schnell").len(),
        3
    );
    for wrong in [
        "query=a&image_url=https://x.example/a.png",
        "exclude_api_requests=true&only_api_requests=true",
        "min_similarity=2",
        "image_url=nothing",
        "only_api_requests=perhaps",
    ] {
        got(
            &emulator,
            400,
            "GET",
            &format!("/models/requests/search?{wrong}"),
        );
    }
}

#[test]
fn erased_payloads_and_files_are_gone() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let (id, output) = ran(
        &emulator,
        FLUX,
        &json!({"prompt": "a cat", "num_images": 2}),
        key,
    );
    let urls = [0, 1].map(|at| output["images"][at]["url"].as_str().unwrap().to_owned());
    let fetch = |url: &str| {
        Request::get(
            "v3b.fal.media",
            url.strip_prefix("https://v3b.fal.media").unwrap(),
        )
        .send(&emulator)
    };
    assert_eq!(fetch(&urls[0]).status, 200);
    let path = format!("/models/requests/{id}/payloads");
    let erased = got(&emulator, 200, "DELETE", &path);
    let results = urls
        .clone()
        .map(|link| json!({"link": link, "exception": null}));
    assert_eq!(erased, json!({"cdn_delete_results": results}));
    assert_eq!(fetch(&urls[0]).status, 404);
    let item = &items(&emulator, &format!("endpoint_id={FLUX}&expand=payloads"))[0];
    assert_eq!(
        (&item["json_input"], &item["json_output"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(
        got(&emulator, 200, "DELETE", &path)["cdn_delete_results"],
        json!([])
    );
    assert_eq!(got(&emulator, 200, "GET", "/assets")["assets"], json!([]));
    got(&emulator, 400, "DELETE", "/models/requests/x/payloads");
    got(
        &emulator,
        404,
        "DELETE",
        "/models/requests/11111111-2222-4333-8444-555555555555/payloads",
    );
    let stranger = emulator.create_key(Scope::Admin, "other");
    assert_eq!(platform(&emulator, "DELETE", &path, &stranger).status, 404);

    // The result of a queued request is erased too.
    let job = queued(&emulator, FLUX, &json!({"prompt": "a dog"}), key);
    let result = || {
        Request::get("queue.fal.run", &format!("/fal-ai/flux/requests/{job}"))
            .key(key)
            .send(&emulator)
    };
    assert_eq!(result().status, 200);
    got(
        &emulator,
        200,
        "DELETE",
        &format!("/models/requests/{job}/payloads"),
    );
    assert_eq!(result().status, 404);
}

//! Assets, generated or uploaded: collections, tags and lineage.

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Request, got, has, platform, ran, sent};

const FLUX: &str = "fal-ai/flux/schnell";

/// Generates a picture and returns its asset.
fn made(emulator: &Emulator, prompt: &str) -> Value {
    let (id, _) = ran(
        emulator,
        FLUX,
        &json!({ "prompt": prompt }),
        emulator.api_key(),
    );
    let page = got(emulator, 200, "GET", "/assets");
    let all = page["assets"].as_array().unwrap();
    all.iter()
        .find(|asset| asset["request_id"] == json!(id))
        .unwrap()
        .clone()
}

/// Uploads a file to the CDN and returns its URL.
fn uploaded(emulator: &Emulator, key: &str) -> String {
    let token = Request::new(
        "POST",
        "rest.fal.ai",
        "/storage/auth/token?storage_type=fal-cdn-v3",
    )
    .key(key);
    let token = token.json(&json!({})).send(emulator).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let upload =
        Request::new("POST", "v3.fal.media", "/files/upload").header("Content-Type", "image/png");
    let upload = upload
        .header("Authorization", &format!("Bearer {token}"))
        .header("X-Fal-File-Name", "a.png");
    upload.bytes("not really").send(emulator).json()["access_url"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn collection(emulator: &Emulator, body: &Value) -> String {
    let made = sent(emulator, 201, "POST", "/assets/collections", body);
    made["collection"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_model_made_is_an_asset() {
    let emulator = Emulator::start().unwrap();
    let asset = made(&emulator, "a red cat");
    has(
        &asset,
        &[
            "asset_id",
            "vector_id",
            "request_id",
            "url",
            "type",
            "title",
            "endpoint",
            "created_at",
            "source",
            "prompt",
            "width",
            "height",
            "content_type",
            "is_favorited",
            "collection_ids",
            "tags",
            "similarity",
        ],
    );
    assert_eq!(
        (&asset["type"], &asset["source"], &asset["endpoint"]),
        (&json!("image"), &json!("response"), &json!(FLUX))
    );
    assert_eq!(
        (asset["width"].as_f64(), asset["content_type"].as_str()),
        (Some(1024.0), Some("image/png"))
    );
    for id in ["asset_id", "vector_id"] {
        let path = format!("/assets/{}", asset[id].as_str().unwrap());
        assert_eq!(got(&emulator, 200, "GET", &path), json!({ "asset": asset }));
    }
    got(&emulator, 404, "GET", "/assets/nothing");
    let stranger = emulator.create_key(Scope::Api, "other");
    let path = format!("/assets/{}", asset["asset_id"].as_str().unwrap());
    assert_eq!(platform(&emulator, "GET", &path, &stranger).status, 404);
}

#[test]
fn an_uploaded_file_is_registered() {
    let emulator = Emulator::start().unwrap();
    let url = uploaded(&emulator, emulator.api_key());
    let tag = sent(
        &emulator,
        201,
        "POST",
        "/assets/tags",
        &json!({"name": "red"}),
    )["tag"]["id"]
        .clone();
    let shelf = collection(&emulator, &json!({"name": "shelf"}));
    let body = json!({
        "url": url, "type": "image", "prompt": "mine", "favorite": true, "tag_ids": [tag], "collection_id": shelf,
    });
    let asset = &sent(&emulator, 201, "POST", "/assets/uploads", &body)["asset"];
    assert_eq!(
        (&asset["url"], &asset["source"], &asset["is_favorited"]),
        (&json!(url), &json!("upload"), &json!(true))
    );
    assert_eq!(
        (&asset["tags"][0]["name"], &asset["collection_ids"]),
        (&json!("red"), &json!([shelf]))
    );
    for (status, wrong) in [
        (400, json!({"type": "image"})),
        (400, json!({"url": url})),
        (400, json!({"url": url, "type": "text"})),
        (
            400,
            json!({"url": "https://elsewhere.example/a.png", "type": "image"}),
        ),
        (
            404,
            json!({"url": "https://v3.fal.media/files/b/none/a.png", "type": "image"}),
        ),
        (
            404,
            json!({"url": url, "type": "image", "tag_ids": ["none"]}),
        ),
        (
            404,
            json!({"url": url, "type": "image", "collection_id": "none"}),
        ),
        (
            403,
            json!({"url": uploaded(&emulator, &emulator.create_key(Scope::Api, "other")), "type": "image"}),
        ),
    ] {
        sent(&emulator, status, "POST", "/assets/uploads", &wrong);
    }
}

#[test]
fn assets_are_filtered_and_searched() {
    let emulator = Emulator::start().unwrap();
    let cat = made(&emulator, "a red cat");
    made(&emulator, "a blue dog");
    let url = uploaded(&emulator, emulator.api_key());
    sent(
        &emulator,
        201,
        "POST",
        "/assets/uploads",
        &json!({"url": url, "type": "video", "favorite": true}),
    );
    let count = |query: &str| {
        let page = got(&emulator, 200, "GET", &format!("/assets?{query}"));
        has(
            &page,
            &[
                "assets",
                "next_cursor",
                "has_more",
                "total_count",
                "scope_truncated",
            ],
        );
        assert_eq!(
            page["total_count"].as_u64().unwrap() as usize,
            page["assets"].as_array().unwrap().len()
        );
        page["assets"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 3),
        ("media_type=image", 2),
        ("media_type=image&media_type=video", 3),
        ("media_type=audio", 0),
        ("source=upload", 1),
        ("section=generated", 2),
        ("section=favorites", 1),
        ("section=uploads", 1),
        ("q=cat", 1),
        ("q=red+dog", 2),
        ("q=zebra", 0),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
    assert_eq!(
        count(&format!(
            "search_image_url={}",
            cat["url"].as_str().unwrap()
        )),
        1
    );
    let best = got(&emulator, 200, "GET", "/assets?q=red+cat");
    assert_eq!(best["assets"][0]["similarity"], json!(1.0));
    let first = got(&emulator, 200, "GET", "/assets?limit=2");
    assert_eq!(
        (&first["has_more"], &first["total_count"]),
        (&json!(true), &json!(3))
    );
    for wrong in [
        "media_type=text",
        "source=web",
        "section=none",
        "tag_mode=some",
        "q=a&search_image_url=https://x.example",
        "limit=0",
    ] {
        got(&emulator, 400, "GET", &format!("/assets?{wrong}"));
    }
    got(&emulator, 404, "GET", "/assets?collection_id=none");
}

#[test]
fn a_collection_is_filled_by_hand() {
    let emulator = Emulator::start().unwrap();
    let asset = made(&emulator, "a cat");
    let id = collection(
        &emulator,
        &json!({"name": "cats", "icon": "🐈", "color": "red"}),
    );
    let path = format!("/assets/collections/{id}");
    let read = got(&emulator, 200, "GET", &path);
    has(
        &read["collection"],
        &[
            "id",
            "type",
            "name",
            "description",
            "icon",
            "color",
            "cover_image_url",
            "character_identifier",
            "parent_collection_id",
            "is_favorited",
            "asset_count",
            "created_at",
            "updated_at",
        ],
    );
    assert_eq!(
        (
            &read["collection"]["type"],
            &read["collection"]["asset_count"]
        ),
        (&json!("manual"), &json!(0))
    );
    let within = format!("{path}/assets");
    for reference in ["asset_id", "request_id", "vector_id"] {
        let body = json!({ reference: asset[reference] });
        assert_eq!(
            sent(&emulator, 200, "POST", &within, &body),
            json!({"success": true})
        );
    }
    assert_eq!(
        got(&emulator, 200, "GET", &within)["assets"][0]["asset_id"],
        asset["asset_id"]
    );
    assert_eq!(
        got(&emulator, 200, "GET", &path)["collection"]["asset_count"],
        1
    );
    assert_eq!(
        got(
            &emulator,
            200,
            "GET",
            &format!("/assets?collection_id={id}")
        )["total_count"],
        1
    );
    sent(
        &emulator,
        204,
        "DELETE",
        &within,
        &json!({"asset_id": asset["asset_id"]}),
    );
    assert_eq!(got(&emulator, 200, "GET", &within)["assets"], json!([]));
    for (status, wrong) in [
        (400, json!({})),
        (
            400,
            json!({"asset_id": asset["asset_id"], "vector_id": asset["vector_id"]}),
        ),
        (400, json!({"asset_id": ""})),
        (404, json!({"asset_id": "none"})),
    ] {
        sent(&emulator, status, "POST", &within, &wrong);
        sent(&emulator, status, "DELETE", &within, &wrong);
    }

    let changed = sent(
        &emulator,
        200,
        "PATCH",
        &path,
        &json!({"name": "dogs", "icon": null}),
    );
    let changed = &changed["collection"];
    assert_eq!(
        (&changed["name"], &changed["icon"], &changed["color"]),
        (&json!("dogs"), &json!(null), &json!("red"))
    );
    let favourite = |verb: &str| {
        got(&emulator, 200, "POST", &format!("{path}/{verb}"))["collection"]["is_favorited"].clone()
    };
    assert_eq!(
        (favourite("favorite"), favourite("unfavorite")),
        (json!(true), json!(false))
    );
    sent(&emulator, 400, "PATCH", &path, &json!({"name": ""}));
    sent(&emulator, 409, "PATCH", &path, &json!({"filters": {}}));
    sent(
        &emulator,
        400,
        "POST",
        "/assets/collections",
        &json!({"name": "x", "cover_image_url": "nothing"}),
    );
    got(&emulator, 204, "DELETE", &path);
    for (method, end) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/favorite"),
        ("GET", "/hierarchy"),
        ("GET", "/assets"),
    ] {
        got(&emulator, 404, method, &format!("{path}{end}"));
    }
}

#[test]
fn a_smart_collection_fills_itself() {
    let emulator = Emulator::start().unwrap();
    let cat = made(&emulator, "a cat");
    made(&emulator, "a dog");
    let id = collection(
        &emulator,
        &json!({"name": "cats", "filters": {"q": "cat", "media_type": ["image"]}}),
    );
    let path = format!("/assets/collections/{id}");
    let shown = got(&emulator, 200, "GET", &path);
    assert_eq!(
        (
            &shown["collection"]["type"],
            &shown["collection"]["asset_count"]
        ),
        (&json!("smart"), &json!(1))
    );
    assert_eq!(shown["collection"]["filters"]["q"], "cat");
    assert_eq!(
        got(&emulator, 200, "GET", &format!("{path}/assets"))["assets"][0]["asset_id"],
        cat["asset_id"]
    );
    let body = json!({"asset_id": cat["asset_id"]});
    sent(&emulator, 409, "POST", &format!("{path}/assets"), &body);
    sent(
        &emulator,
        409,
        "POST",
        &format!("{path}/move"),
        &json!({"parent_collection_id": null}),
    );
    sent(
        &emulator,
        409,
        "POST",
        "/assets/collections",
        &json!({"name": "x", "parent_collection_id": id}),
    );
    sent(
        &emulator,
        200,
        "PATCH",
        &path,
        &json!({"filters": {"q": "dog"}}),
    );
    assert_ne!(
        got(&emulator, 200, "GET", &format!("{path}/assets"))["assets"][0]["asset_id"],
        cat["asset_id"]
    );
}

#[test]
fn collections_nest_to_five_levels() {
    let emulator = Emulator::start().unwrap();
    let mut ids = vec![collection(&emulator, &json!({"name": "1"}))];
    for level in 2..=5 {
        let body = json!({"name": level.to_string(), "parent_collection_id": ids.last()});
        ids.push(collection(&emulator, &body));
    }
    sent(
        &emulator,
        422,
        "POST",
        "/assets/collections",
        &json!({"name": "6", "parent_collection_id": ids[4]}),
    );
    let tree = got(
        &emulator,
        200,
        "GET",
        &format!("/assets/collections/{}/hierarchy", ids[1]),
    );
    assert_eq!(
        tree["ancestors"],
        json!([{"id": ids[0], "name": "1", "type": "manual"}])
    );
    assert_eq!(
        tree["hierarchy"]["children"][0]["children"][0]["children"][0]["id"],
        json!(ids[4])
    );
    let shift = |id: &str, parent: Value, status: u16| {
        let path = format!("/assets/collections/{id}/move");
        sent(
            &emulator,
            status,
            "POST",
            &path,
            &json!({ "parent_collection_id": parent }),
        )
    };
    shift(&ids[0], json!(ids[4]), 422);
    // At this level the only error is the circle.
    let above = collection(&emulator, &json!({"name": "above"}));
    let below = collection(
        &emulator,
        &json!({"name": "below", "parent_collection_id": above}),
    );
    for target in [&below, &above] {
        let refused = shift(&above, json!(target), 422);
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .contains("within itself"),
            "{refused}"
        );
    }
    shift(&ids[0], json!("none"), 404);
    let other = collection(&emulator, &json!({"name": "other"}));
    shift(&ids[0], json!(other), 422);
    shift(&other, json!(ids[4]), 422);
    let moved = shift(&ids[4], Value::Null, 200);
    assert_eq!(moved["collection"]["parent_collection_id"], json!(null));
    shift(&ids[0], json!(other), 200);
    sent(
        &emulator,
        400,
        "POST",
        &format!("/assets/collections/{other}/move"),
        &json!({}),
    );
    // The child of a deleted collection moves up.
    got(
        &emulator,
        204,
        "DELETE",
        &format!("/assets/collections/{}", ids[1]),
    );
    let child = got(
        &emulator,
        200,
        "GET",
        &format!("/assets/collections/{}", ids[2]),
    );
    assert_eq!(child["collection"]["parent_collection_id"], json!(ids[0]));
}

#[test]
fn lists_by_offset_have_their_limits() {
    let emulator = Emulator::start().unwrap();
    for number in 0..5 {
        collection(&emulator, &json!({"name": number.to_string()}));
        let body =
            json!({"name": number.to_string(), "description": "d", "reference_images": ["i"]});
        sent(&emulator, 201, "POST", "/assets/characters", &body);
    }
    for list in ["collections", "characters"] {
        let page = got(
            &emulator,
            200,
            "GET",
            &format!("/assets/{list}?limit=2&offset=3"),
        );
        let names: Vec<&str> = page[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["3", "4"]);
        assert_eq!(
            got(&emulator, 200, "GET", &format!("/assets/{list}?offset=9"))[list],
            json!([])
        );
        for wrong in ["limit=101", "limit=0", "offset=-1"] {
            got(&emulator, 400, "GET", &format!("/assets/{list}?{wrong}"));
        }
    }
}

#[test]
fn characters_live() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"name": "Mia", "identifier": "mia", "description": "a cat", "reference_images": ["vec_1"]});
    let made = sent(&emulator, 201, "POST", "/assets/characters", &body);
    let character = &made["character"];
    has(
        character,
        &[
            "id",
            "type",
            "name",
            "description",
            "icon",
            "color",
            "cover_image_url",
            "character_identifier",
            "parent_collection_id",
            "is_favorited",
            "asset_count",
            "created_at",
            "updated_at",
            "reference_images",
        ],
    );
    assert_eq!(
        (&character["type"], &character["character_identifier"]),
        (&json!("character"), &json!("mia"))
    );
    let path = format!("/assets/characters/{}", character["id"].as_str().unwrap());
    assert_eq!(&got(&emulator, 200, "GET", &path)["character"], character);
    sent(&emulator, 409, "POST", "/assets/characters", &body);
    let changed = sent(
        &emulator,
        200,
        "PATCH",
        &path,
        &json!({"reference_images": ["a", "b"], "description": "older"}),
    );
    assert_eq!(changed["character"]["reference_images"], json!(["a", "b"]));
    let favourite = |verb: &str| {
        got(&emulator, 200, "POST", &format!("{path}/{verb}"))["character"]["is_favorited"].clone()
    };
    assert_eq!(
        (favourite("favorite"), favourite("unfavorite")),
        (json!(true), json!(false))
    );
    made_with_mia(&emulator);
    for wrong in [
        json!({"name": "x", "description": "d"}),
        json!({"name": "x", "description": "", "reference_images": ["i"]}),
        json!({"name": "x", "description": "d", "reference_images": []}),
        json!({"name": "x", "description": "d", "reference_images": vec!["i"; 21]}),
        json!({"name": "x", "description": "d", "reference_images": ["i"], "identifier": "i".repeat(65)}),
    ] {
        sent(&emulator, 400, "POST", "/assets/characters", &wrong);
    }
    sent(&emulator, 400, "PATCH", &path, &json!({"name": 5}));
    got(&emulator, 204, "DELETE", &path);
    for (method, end) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/favorite"),
        ("POST", "/unfavorite"),
    ] {
        got(&emulator, 404, method, &format!("{path}{end}"));
    }
    // A collection is not accepted as a character.
    let id = collection(&emulator, &json!({"name": "x"}));
    got(&emulator, 404, "GET", &format!("/assets/characters/{id}"));
}

/// A search by the character finds a picture whose prompt names it, and the lineage of the picture
/// contains the character.
fn made_with_mia(emulator: &Emulator) {
    let asset = made(emulator, "a portrait of @mia");
    made(emulator, "no cat");
    let found = got(emulator, 200, "GET", "/assets?character_identifier=mia");
    assert_eq!(found["total_count"], 1);
    let path = format!("/assets/{}/lineage", asset["asset_id"].as_str().unwrap());
    let lineage = &got(emulator, 200, "GET", &path)["lineage"];
    let nodes = lineage["nodes"].as_array().unwrap();
    assert!(
        nodes
            .iter()
            .any(|node| node["kind"] == "entity" && node["handle"] == "mia")
    );
    let edges = lineage["edges"].as_array().unwrap();
    assert!(edges.iter().any(|edge| edge["kind"] == "referenced_entity"));
}

#[test]
fn tags_are_given_and_taken() {
    let emulator = Emulator::start().unwrap();
    let asset = made(&emulator, "a cat");
    let reference = json!({"asset_id": asset["asset_id"]});
    let tag = |name: &str| {
        let made = sent(
            &emulator,
            201,
            "POST",
            "/assets/tags",
            &json!({ "name": name }),
        );
        has(&made["tag"], &["id", "name", "created_at"]);
        made["tag"]["id"].as_str().unwrap().to_owned()
    };
    let (red, blue) = (tag("red"), tag("blue"));
    let of_asset = format!("/assets/{}/tags", asset["asset_id"].as_str().unwrap());
    let names = || -> Vec<String> {
        let tags = got(&emulator, 200, "GET", &of_asset);
        tags["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag["name"].as_str().unwrap().to_owned())
            .collect()
    };
    sent(
        &emulator,
        200,
        "POST",
        &format!("/assets/tags/{red}/assign"),
        &reference,
    );
    assert_eq!(names(), ["red"]);
    let mut both = reference.clone();
    both["tag_ids"] = json!([red, blue]);
    assert_eq!(
        sent(&emulator, 200, "PUT", "/assets/tags", &both)["tags"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(names(), ["red", "blue"]);
    let count = |query: &str| {
        got(&emulator, 200, "GET", &format!("/assets?{query}"))["total_count"].clone()
    };
    sent(
        &emulator,
        204,
        "DELETE",
        &format!("/assets/tags/{red}/assign"),
        &reference,
    );
    assert_eq!(count(&format!("tag_id={red}&tag_id={blue}")), 1);
    assert_eq!(
        count(&format!("tag_id={red}&tag_id={blue}&tag_mode=all")),
        0
    );
    assert_eq!(
        sent(
            &emulator,
            200,
            "PATCH",
            &format!("/assets/tags/{blue}"),
            &json!({"name": "navy"})
        )["tag"]["name"],
        "navy"
    );
    sent(
        &emulator,
        409,
        "PATCH",
        &format!("/assets/tags/{blue}"),
        &json!({"name": "red"}),
    );
    sent(
        &emulator,
        409,
        "POST",
        "/assets/tags",
        &json!({"name": "red"}),
    );
    for name in ["", &"x".repeat(51)] {
        sent(
            &emulator,
            400,
            "POST",
            "/assets/tags",
            &json!({ "name": name }),
        );
    }
    sent(&emulator, 400, "PUT", "/assets/tags", &reference);
    got(&emulator, 204, "DELETE", &format!("/assets/tags/{blue}"));
    assert!(names().is_empty());
    assert_eq!(
        got(&emulator, 200, "GET", "/assets/tags")["tags"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (method, path) in [
        ("PATCH", format!("/assets/tags/{blue}")),
        ("DELETE", format!("/assets/tags/{blue}")),
        ("POST", format!("/assets/tags/{blue}/assign")),
        ("DELETE", format!("/assets/tags/{blue}/assign")),
    ] {
        sent(&emulator, 404, method, &path, &reference);
    }
    got(&emulator, 404, "GET", "/assets/nothing/tags");
}

#[test]
fn assets_are_favourites() {
    let emulator = Emulator::start().unwrap();
    let asset = made(&emulator, "a cat");
    for (path, favourite) in [("/assets/favorite", true), ("/assets/unfavorite", false)] {
        let answer = sent(
            &emulator,
            200,
            "POST",
            path,
            &json!({"request_id": asset["request_id"]}),
        );
        assert_eq!(answer, json!({ "is_favorited": favourite }));
        let shown = got(
            &emulator,
            200,
            "GET",
            &format!("/assets/{}", asset["asset_id"].as_str().unwrap()),
        );
        assert_eq!(shown["asset"]["is_favorited"], json!(favourite));
        sent(&emulator, 400, "POST", path, &json!({}));
        sent(&emulator, 404, "POST", path, &json!({"vector_id": "none"}));
    }
}

#[test]
fn an_asset_is_traced_back() {
    let emulator = Emulator::start().unwrap();
    let cat = made(&emulator, "a cat");
    let url = cat["url"].as_str().unwrap();
    // The echo of a picture's URL: an output derived from an input.
    let (_, _) = ran(
        &emulator,
        "emulator/job",
        &json!({"output": {"image": {"url": url}}}),
        emulator.api_key(),
    );
    let page = got(&emulator, 200, "GET", "/assets");
    let derived = &page["assets"][0];
    assert_eq!(derived["endpoint"], "emulator/job");
    let lineage = |asset: &Value, query: &str| {
        got(
            &emulator,
            200,
            "GET",
            &format!(
                "/assets/{}/lineage{query}",
                asset["asset_id"].as_str().unwrap()
            ),
        )["lineage"]
            .clone()
    };
    let graph = lineage(derived, "");
    has(&graph, &["focus", "nodes", "edges"]);
    assert_eq!(graph["focus"], graph["nodes"][0]["id"]);
    let kinds: Vec<&str> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["asset", "request", "asset", "request"]);
    let edges: Vec<&str> = graph["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["kind"].as_str().unwrap())
        .collect();
    assert_eq!(edges, ["generated_by", "generated_by", "input_to"]);
    assert_eq!(
        lineage(derived, "?depth=1")["nodes"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    got(
        &emulator,
        200,
        "DELETE",
        &format!(
            "/models/requests/{}/payloads",
            cat["request_id"].as_str().unwrap()
        ),
    );
    let graph = lineage(derived, "");
    assert_eq!(
        (&graph["nodes"][2]["tombstone"], &graph["nodes"][2]["url"]),
        (&json!(true), &json!(null))
    );
    // A URL that fal has not stored is an external input.
    let input = json!({"output": {"image": {"url": url}, "of": "https://elsewhere.example/a.png"}});
    ran(&emulator, "emulator/job", &input, emulator.api_key());
    for wrong in ["?depth=0", "?depth=6", "?depth=x"] {
        got(
            &emulator,
            400,
            "GET",
            &format!(
                "/assets/{}/lineage{wrong}",
                derived["asset_id"].as_str().unwrap()
            ),
        );
    }
    got(&emulator, 404, "GET", "/assets/nothing/lineage");
}

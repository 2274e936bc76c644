//! Runs, jobs, streams, the Platform API, keys, tokens and logins.

use super::super::queue::JOB;
use super::*;
use fal::Job;

const STATUS: &str = "GET queue.fal.run/emulator/job/requests/r-1/status";
const RESULT: &str = "GET queue.fal.run/emulator/job/requests/r-1";
const ECHO: &str = "POST fal.run/emulator/echo";
const LOGS: &str = "POST api.fal.ai/v1/serverless/logs/stream";
const KEYS: &str = "GET api.fal.ai/v1/keys";
const NOBODYS: &str =
    "GET queue.fal.run/fal-ai/flux/requests/00000000-0000-4000-8000-000000000000/status";
const TOKENS: &str = "POST rest.fal.ai/tokens/";
const RENEWAL: &str = "POST auth.fal.ai/oauth/token";
const FAILED: &str = "data: {\"type\": \"error\", \"node_id\": \"n\", \"error\": {\"status\": 500, \"body\": {}}}\n\n";

fn job() -> Job {
    Job::new(JOB, "r-1").unwrap()
}

fn request(endpoint: &str) -> fal::Request {
    fal::Request::run(endpoint).unwrap()
}

fn stream(world: &World, endpoint: &str) -> Came {
    ended(&world.client().stream_start(request(endpoint)).unwrap())
}

fn platform(world: &World, name: &str, params: Value) -> Came {
    ended(&world.client().platform_start(name, params).unwrap())
}

fn list(world: &World, name: &str) -> Came {
    ended(&world.client().platform_list_start(name, json!({})).unwrap())
}

fn create_key(world: &World) -> Came {
    let made = world.client().create_key_start("x").unwrap();
    let came = ended(made.op());
    assert_eq!(
        made.take_key().is_some(),
        came.is_ok(),
        "a key comes with its success only"
    );
    came
}

fn run_of_a_login(world: &World) -> Came {
    let client = world.logged_in();
    let came = ended(&client.run_start(request("emulator/echo")).unwrap());
    let stored = std::fs::read_to_string(world.folder.path().join(".fal/auth0_token")).unwrap();
    assert_eq!(
        stored == REFRESH,
        came.is_err(),
        "the login stays until there is another"
    );
    came
}

const NO_REQUEST_ID: (Evidence, &str, Withhold) =
    (Evidence::Form, "no request id", |answer| answer.say("{}"));
const NO_STATE: (Evidence, &str, Withhold) =
    (Evidence::Form, "no state", |answer| answer.say("{}"));
const NO_LIST: (Evidence, &str, Withhold) = (Evidence::Form, "no list", |answer| answer.say("{}"));
const NO_JSON: (Evidence, &str, Withhold) =
    (Evidence::Form, "no JSON", |answer| answer.say("fine"));
const NO_TOKEN: [(Evidence, &str, Withhold); 3] = [
    (Evidence::Form, "no token", |answer| answer.say("{}")),
    (Evidence::Form, "no token", |answer| {
        answer.say("fake-secret-token")
    }),
    (Evidence::Form, "no token", |answer| {
        answer.say("\"fake secret\"")
    }),
];
const TORN: (Evidence, &str, Withhold) = (Evidence::Form, "an event without its end", |answer| {
    answer.body.extend_from_slice(b"data: {\"x\":")
});
const NO_SUCCESS: (Evidence, &str, Withhold) =
    (Evidence::Agreement, "success is false", |answer| {
        answer.say("{\"success\": false}")
    });

pub(super) fn rows() -> Vec<Row> {
    let result = |row: Row| {
        let gone: Withhold = |answer| answer.line = "404 Not Found";
        row.exchange(RESULT, true)
            .without_output(Code::ServiceUnavailable)
            .and(
                Evidence::Agreement,
                "404 of a job that has ended",
                gone,
                Code::NotFound,
            )
    };
    let page = |row: Row, request, told, withhold: Withhold| {
        row.exchange(request, false)
            .without_content()
            .all(&[NO_LIST], Code::Protocol)
            .and(Evidence::Agreement, told, withhold, Code::Protocol)
    };
    vec![
        Row::of("run", |world| {
            ended(&world.client().run_start(request("emulator/echo")).unwrap())
        })
        .exchange(ECHO, true)
        .without_output(Code::Protocol),
        Row::of("submit", |world| {
            ended(&world.client().submit_start(request(JOB)).unwrap())
        })
        .exchange("POST queue.fal.run/emulator/job", true)
        .empty()
        .all(&[NO_REQUEST_ID], Code::Protocol),
        Row::of("status", |world| {
            ended(&world.client().status_start(&job()).unwrap())
        })
        .exchange(STATUS, false)
        .empty()
        .all(&[NO_STATE], Code::Protocol),
        result(Row::of("result", |world| {
            ended(&world.client().result_start(&job()).unwrap())
        })),
        result(Row::of("subscribe", |world| {
            ended(&world.client().subscribe_start(request(JOB)).unwrap())
        })),
        result(Row::of("attach", |world| {
            ended(&world.client().attach_start(&job()).unwrap())
        })),
        Row::of("cancel", |world| {
            ended(&world.client().cancel_start(&job()).unwrap())
        })
        .exchange("PUT queue.fal.run/emulator/job/requests/r-1/cancel", false)
        .all(&[NO_SUCCESS], Code::InvalidInput),
        Row::of("stream", |world| stream(world, "emulator/stream"))
            .exchange("POST fal.run/emulator/stream/stream", true)
            .without_output(Code::Protocol)
            .all(&[TORN], Code::ConnectionLost),
        Row::of("stream of a workflow", |world| {
            stream(world, "workflows/me/flow")
        })
        .exchange("POST fal.run/workflows/me/flow/stream", true)
        .without_output(Code::Protocol)
        .all(&[TORN], Code::ConnectionLost)
        .and(
            Evidence::Agreement,
            "a failed step and no output",
            |answer| answer.say(FAILED),
            Code::ServiceFailed,
        ),
        page(
            Row::of("list by cursor", |world| list(world, "keys.list")),
            KEYS,
            "more and no cursor",
            |answer| answer.replace("false", "true"),
        ),
        page(
            Row::of("list by offset", |world| {
                list(world, "assets.collections.list")
            }),
            "GET api.fal.ai/v1/assets/collections",
            "an end before the total",
            |answer| answer.say(r#"{"collections": [], "total": 3}"#),
        ),
        page(
            Row::of("list in one piece", |world| list(world, "assets.tags.list")),
            "GET api.fal.ai/v1/assets/tags",
            "more",
            |answer| answer.say(r#"{"tags": [1], "has_more": true}"#),
        ),
        Row::of("live log", |world| list(world, "serverless.logs.stream"))
            .exchange(LOGS, true)
            .without_output(Code::Protocol)
            .all(&[TORN], Code::ConnectionLost),
        Row::of("an object of the platform", |world| {
            platform(world, "account.billing", json!({}))
        })
        .exchange("GET api.fal.ai/v1/account/billing", false)
        .without_content()
        .all(&[NO_JSON], Code::Protocol),
        Row::of("a file of the platform", |world| {
            platform(world, "serverless.files.download", json!({"file": "a"}))
        })
        .exchange("GET api.fal.ai/v1/serverless/files/file/a", false)
        .without_content(),
        Row::of("something made at the platform", |world| {
            platform(world, "assets.collections.create", json!({"name": "x"}))
        })
        .exchange("POST api.fal.ai/v1/assets/collections", true)
        .without_content()
        .all(&[NO_JSON], Code::Protocol),
        Row::of("a change at the platform", |world| {
            platform(
                world,
                "assets.tags.assign",
                json!({"tag_id": "t", "asset_id": "a"}),
            )
        })
        .exchange("POST api.fal.ai/v1/assets/tags/t/assign", true)
        .without_content()
        .all(&[NO_JSON], Code::Protocol)
        .all(&[NO_SUCCESS], Code::ServiceFailed),
        Row::of("a deletion at the platform", |world| {
            platform(world, "assets.tags.delete", json!({"tag_id": "t"}))
        })
        .of_request("DELETE api.fal.ai/v1/assets/tags/t", true)
        .undone(),
        Row::of("a key made", create_key)
            .exchange("POST api.fal.ai/v1/keys", true)
            .without_content()
            .all(
                &[
                    (Evidence::Form, "no key", |answer| {
                        answer.say("{\"key_id\": \"fake\"}")
                    }),
                    (Evidence::Form, "no key", |answer| answer.say("fine")),
                ],
                Code::Protocol,
            ),
        Row::of("a key revoked", |world| {
            ended(
                &world
                    .client()
                    .revoke_key_start("fake-other", false)
                    .unwrap(),
            )
        })
        .of_request("DELETE api.fal.ai/v1/keys/fake-other", true)
        .undone(),
        Row::of("a key of scope ADMIN checked", |world| {
            ended(&world.client().check_start().unwrap())
        })
        .exchange(KEYS, false)
        .without_content()
        .all(&[NO_LIST], Code::Protocol),
        Row::of("a login checked", |world| {
            ended(&world.logged_in().check_start().unwrap())
        })
        .of_request(NOBODYS, false)
        .all(
            &[(Evidence::Status, "a 204", |answer| {
                answer.empty("204 No Content")
            })],
            Code::Protocol,
        )
        .all(
            &[(Evidence::Form, "a status that is none", |answer| {
                answer.line = "200 OK";
                answer.say("{\"x\": 1}");
            })],
            Code::Protocol,
        ),
        Row::of("a token for apps", |world| {
            let apps = ["emulator/echo"];
            ended(
                &world
                    .client()
                    .mint_token_start(&apps, Duration::from_secs(60))
                    .unwrap(),
            )
        })
        .exchange(TOKENS, true)
        .without_content()
        .all(&NO_TOKEN, Code::Protocol),
        Row::of("a login renewed", run_of_a_login)
            .of_request(RENEWAL, false)
            .all(&[CUT, CUT_IN_PACKING], Code::CredentialsFailed)
            .all(
                &[(Evidence::Status, "a 204", |answer| {
                    answer.empty("204 No Content")
                })],
                Code::CredentialsFailed,
            )
            .all(
                &[
                    (Evidence::Form, "no token", |answer| answer.say("{}")),
                    (Evidence::Form, "no token", |answer| answer.say("fine")),
                    (Evidence::Form, "no token", |answer| {
                        answer.replace("fake-secret-access", "fake secret")
                    }),
                    (Evidence::Form, "no token", |answer| {
                        answer.replace("fake-secret-refresh-2", "fake secret")
                    }),
                ],
                Code::CredentialsFailed,
            ),
    ]
}

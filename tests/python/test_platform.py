"""The Platform API: operations by name, lists, and creating and revoking keys."""

from __future__ import annotations

import csv
import io
import itertools
import json
import pickle
import time
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Emulator

import libfal


def test_a_key_is_made_used_listed_revoked_and_refused(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    key = admin.create_key("from Python")
    client = emulator.client(key=key.secret())
    assert client.run("emulator/echo", {})["body"] == {}
    assert key.id in [listed["key_id"] for listed in admin.platform.keys.list()]
    admin.revoke_key(key.id)
    with pytest.raises(libfal.AuthenticationError):
        client.run("emulator/echo", {})
    assert key.id not in [listed["key_id"] for listed in admin.platform.keys.list()]


def test_a_new_key_shows_no_secret_and_can_be_stored(emulator: Emulator, tmp_path: Path) -> None:
    key = emulator.client(key=emulator.admin_key).create_key("stored")
    secret = key.secret().partition(":")[2]
    with pytest.raises(libfal.InvalidArgumentError, match="the part before the colon") as whole:
        emulator.client(key=emulator.admin_key).revoke_key(key.secret())
    assert secret not in str(whole.value)
    assert key.secret() == f"{key.id}:{secret}" and secret not in repr(key) and key.id in repr(key)
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(key)
    change = key.store("ci", activate=True, config_path=tmp_path / "config.toml")
    assert change.table == "created" and change.active == "ci"
    stored = emulator.client(key=None, profile="ci", config_path=tmp_path / "config.toml")
    assert stored.run("emulator/echo", {})["body"] == {}


def test_a_list_is_read_page_by_page(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    there = len(list(admin.platform.keys.list()))
    for number in range(7):
        admin.create_key(f"key {number}")
    before = len(emulator.arrivals())
    aliases = [key["alias"] for key in itertools.islice(admin.platform.keys.list(limit=2), 3)]
    assert len(aliases) == 3 and len(emulator.arrivals()) - before <= 2
    whole = list(admin.platform.keys.list(limit=2, expand=["creator_info"]))
    assert len(whole) == there + 7 and all("creator_email" in key for key in whole)


def test_what_is_wrong_is_told_before_anything_is_sent(emulator: Emulator) -> None:
    client = emulator.client(strict_scopes=True)
    with pytest.raises(libfal.InvalidArgumentError, match="limit must be an integer of at least 1, not 0"):
        list(client.platform("keys.list", limit=0))
    with pytest.raises(libfal.InvalidArgumentError, match="exactly one of asset_id, request_id, vector_id"):
        client.platform("assets.collections.assets.add", collection_id="c")
    with pytest.raises(libfal.InvalidArgumentError, match="create_key"):
        client.platform("keys.create", alias="x")  # type: ignore[call-overload]
    assert emulator.arrivals() == []
    assert client.known_scope() is None
    with pytest.raises(libfal.ForbiddenError):
        client.platform("account.billing")
    assert client.known_scope() == "API"
    arrived = len(emulator.arrivals())
    with pytest.raises(libfal.ForbiddenError, match="nothing was sent"):
        client.platform("account.billing")
    assert len(emulator.arrivals()) == arrived


def test_the_key_in_use_is_revoked_only_if_that_is_meant(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    own = emulator.admin_key.partition(":")[0]
    with pytest.raises(libfal.InvalidArgumentError, match="the key that this client uses"):
        admin.revoke_key(own)
    admin.revoke_key(own, allow_own=True)
    billing = admin.platform_start("account.billing", expand="credits").result()
    assert billing["username"] == "acme" and billing["credits"]["currency"] == "USD"


def test_amounts_keep_every_digit(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    digits = "0.10000000000000000555"
    event = {"request_id": "r", "cost_total": 0, "page": 1}
    page = json.dumps({"billing_events": [event], "next_cursor": None, "has_more": False}).replace("0,", digits + ",", 1)
    action = {"type": "status", "status": 200, "body": page, "headers": {"content-type": "application/json"}}
    emulator.fault(action, path="/v1/models/billing-events", times=None)
    answer = admin.with_raw_response.platform("models.billing_events")
    exact = answer.json(parse_float=Decimal)["billing_events"][0]["cost_total"]
    assert exact == Decimal(digits) and answer.json()["billing_events"][0]["cost_total"] == 0.1
    [listed] = admin.platform("models.billing_events", parse_float=Decimal)
    assert listed["cost_total"] == Decimal(digits)


def test_files_tables_and_texts_come_as_they_are(emulator: Emulator, tmp_path: Path) -> None:
    client, admin = emulator.client(), emulator.client(key=emulator.admin_key)
    content = bytes(range(256)) * 3
    path = tmp_path / 'a "b"\r\n.bin'
    path.write_bytes(content)
    uploaded = client.platform("serverless.files.upload", target_path="python/of", file_upload={"path": str(path)})
    assert uploaded is True
    [listed] = client.platform.serverless.files.list_dir(dir="python")
    assert (listed["is_file"], listed["size"]) == (True, len(content))
    assert client.platform("serverless.files.download", file="python/of") == content

    client.run("acme/public", {})
    assert "fal_app_queue_size{" in client.platform("serverless.metrics")
    table = admin.platform("account.focus", source="estimate")
    assert {"BilledCost", "BillingCurrency"} <= set(next(csv.reader(io.StringIO(table))))
    assert admin.with_raw_response.platform("account.focus", source="estimate").headers["Content-Type"].startswith("text/csv")
    assert admin.platform("assets.tags.list")["tags"] is not None


def test_a_live_log_is_read_line_by_line(emulator: Emulator) -> None:
    client = emulator.client()
    mark = f"mark {time.time_ns()}"
    written = [f"{mark} {number}" for number in range(600)]
    lines = client.platform.serverless.logs.stream(start="2020-01-01", search=mark)
    client.run("acme/job", {"logs": written})
    assert [line["message"] for line in itertools.islice(lines, len(written))] == written
    # Without reading the lines, the response has their number.
    params: dict[str, Any] = {"start": "2020-01-01", "end": datetime.now(timezone.utc).isoformat(), "search": mark}
    assert client.platform("serverless.logs.stream", **params).page() == {"items": len(written)}
    assert client.platform_start("serverless.logs.stream", **params).result(30)["items"] == len(written)


def test_a_line_that_is_no_json_is_a_text(emulator: Emulator) -> None:
    action = {"type": "status", "status": 200, "body": "data: {\"a\": 0.5}\n\ndata: not json\n\n"}
    emulator.fault({**action, "headers": {"content-type": "text/event-stream"}}, path="/v1/serverless/logs/stream")
    lines = emulator.client().platform("serverless.logs.stream", parse_float=Decimal)
    assert list(lines) == [{"a": Decimal("0.5")}, "not json"]


def test_whole_numbers_keep_every_digit(emulator: Emulator) -> None:
    body = '{"username": "acme", "big": 9007199254740993, "bigger": 123456789012345678901234567890, "none": null}'
    action = {"type": "status", "status": 200, "body": body, "headers": {"content-type": "application/json"}}
    emulator.fault(action, path="/v1/account/billing")
    answer = emulator.client(key=emulator.admin_key).platform("account.billing")
    assert (answer["big"], answer["bigger"]) == (9007199254740993, 123456789012345678901234567890)
    assert answer["none"] is None and "other" not in answer

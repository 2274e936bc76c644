"""The Platform API by name, its lists, and keys that are made and revoked."""

from __future__ import annotations

import itertools
import json
import pickle
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Emulator

import libfal


def test_a_key_is_made_used_listed_revoked_and_refused(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    key = admin.create_key("from Python")
    client = emulator.client(key=key.secret())
    assert client.run("emulator/echo").status == 200
    assert key.id in [listed["key_id"] for listed in admin.platform_list("keys.list")]
    admin.revoke_key(key.id)
    with pytest.raises(libfal.AuthenticationError):
        client.run("emulator/echo")
    assert key.id not in [listed["key_id"] for listed in admin.platform_list("keys.list")]


def test_a_new_key_shows_no_secret_and_can_be_stored(emulator: Emulator, tmp_path: Path) -> None:
    key = emulator.client(key=emulator.admin_key).create_key("stored")
    secret = key.secret().partition(":")[2]
    assert key.secret() == f"{key.id}:{secret}" and secret not in repr(key) and key.id in repr(key)
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(key)
    change = key.store("ci", activate=True, config_path=tmp_path / "config.toml")
    assert change.table == "created" and change.active == "ci"
    stored = emulator.client(key=None, profile="ci", config_path=tmp_path / "config.toml")
    assert stored.run("emulator/echo").status == 200


def test_a_list_is_read_page_by_page(emulator: Emulator) -> None:
    admin = emulator.client(key=emulator.admin_key)
    there = len(list(admin.platform_list("keys.list")))
    for number in range(7):
        admin.create_key(f"key {number}")
    before = len(emulator.arrivals())
    aliases = [key["alias"] for key in itertools.islice(admin.platform_list("keys.list", limit=2), 3)]
    assert len(aliases) == 3 and len(emulator.arrivals()) - before <= 2
    whole = list(admin.platform_list("keys.list", limit=2, expand=["creator_info"]))
    assert len(whole) == there + 7 and all("creator_email" in key for key in whole)


def test_what_is_wrong_is_told_before_anything_is_sent(emulator: Emulator) -> None:
    client = emulator.client(strict_scopes=True)
    with pytest.raises(libfal.InvalidArgumentError, match="limit is 0, but has to be an integer of at least 1"):
        client.platform("keys.list", limit=0)
    with pytest.raises(libfal.InvalidArgumentError, match="exactly one of asset_id, request_id, vector_id"):
        client.platform("assets.collections.assets.add", collection_id="c")
    with pytest.raises(libfal.InvalidArgumentError, match="create_key"):
        client.platform("keys.create", alias="x")  # type: ignore[arg-type]
    with pytest.raises(libfal.InvalidArgumentError, match="no list"):
        client.platform_list("meta.get")  # type: ignore[arg-type]
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
    answer = admin.platform("models.billing_events")
    exact = answer.json(parse_float=Decimal)["billing_events"][0]["cost_total"]
    assert exact == Decimal(digits) and answer["billing_events"][0]["cost_total"] == 0.1
    [listed] = admin.platform_list("models.billing_events", parse_float=Decimal)
    assert listed["cost_total"] == Decimal(digits)

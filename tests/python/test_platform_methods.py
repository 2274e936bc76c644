"""The Platform API as methods of a client: names, parameters, lists through all pages, for both clients."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import inspect
import itertools
import json
import pydoc
from typing import Any

import logs
import pytest
from conftest import Emulator

import libfal
from libfal._platform_methods import _OPERATIONS

ENDPOINT = "fal-ai/flux/dev"


def keys(emulator: Emulator, number: int) -> libfal.SyncClient:
    admin = emulator.client(key=emulator.admin_key)
    for at in range(number):
        admin.create_key(f"key {at}")
    return admin


def test_methods_are_the_operations(emulator: Emulator) -> None:
    client = emulator.client()
    for name in _OPERATIONS:
        operation: Any = client.platform
        for part in name.split("."):
            assert part in dir(operation)
            operation = getattr(operation, part)
        parameters = inspect.signature(operation).parameters
        assert [it.rstrip("?") for it in _OPERATIONS[name][2].split()] == list(parameters)
        assert inspect.getdoc(operation) == _OPERATIONS[name][0] and name in repr(operation)
    for wrong in ("model", "models.price", "keys.create", "_models", "models.list.more"):
        operation = client.platform
        with pytest.raises(AttributeError, match="the Platform API has no operation"):
            for part in wrong.split("."):
                operation = getattr(operation, part)
    with pytest.raises(TypeError, match="assets is no operation of the Platform API, but the beginning of several names"):
        client.platform.assets()  # type: ignore[operator]
    assert emulator.arrivals() == []


def test_help_shows_the_parameters_of_an_operation(emulator: Emulator) -> None:
    platform: Any = emulator.client().platform
    shown = pydoc.plain(pydoc.render_doc(platform.models.pricing))
    assert "models.pricing(*, endpoint_id)" in shown and _OPERATIONS["models.pricing"][0] in shown and "__call__" not in shown
    shown = pydoc.plain(pydoc.render_doc(platform.keys))
    assert "No operation, but the beginning of these: keys.list, keys.revoke." in shown


def test_one_response_is_plain(emulator: Emulator) -> None:
    client = emulator.client()
    by_method = client.platform.meta.get()
    assert by_method == client.platform("meta.get") and by_method["webhook_ip_ranges"]
    estimate = client.platform.models.pricing.estimate(estimate_type="unit_price", endpoints={ENDPOINT: {"unit_quantity": 2}})
    assert estimate["currency"] == "USD"
    tag = client.platform.assets.tags.create(name="mine")["tag"]
    assert client.platform("assets.tags.delete", tag_id=tag["id"]) is None
    assert isinstance(client.platform.serverless.metrics(), str)


def test_wrong_parameters_are_told_before_anything_is_sent(emulator: Emulator) -> None:
    client = emulator.client()
    with pytest.raises(libfal.InvalidArgumentError, match="limit must be an integer of at least 1, not 0"):
        list(client.platform.keys.list(limit=0))
    with pytest.raises(libfal.InvalidArgumentError, match="endpoint_id"):
        client.platform.models.pricing.estimate(endpoint_id=ENDPOINT)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r'^params\["endpoints"\]\["a"\]: object is neither JSON nor a file'):
        client.platform.models.pricing.estimate(estimate_type="unit_price", endpoints={"a": object()})
    with pytest.raises(TypeError, match=r'^params\["url"\]: a file can only be part of the input of a run or a job'):
        client.platform.assets.uploads.create(url=b"bytes", type="image")  # type: ignore[arg-type]
    with pytest.raises(libfal.InvalidArgumentError, match="create_key"):
        client.platform("keys.create", alias="x")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="parse_float must be a callable, not str"):
        client.platform("assets.tags.create", name="mine", parse_float="Decimal")  # type: ignore[call-overload]
    assert emulator.arrivals() == []


def test_a_list_is_read_page_by_page(emulator: Emulator) -> None:
    admin = keys(emulator, 7)
    before = len(emulator.arrivals())
    listed = admin.platform.keys.list(limit=2)
    assert len(emulator.arrivals()) == before and "keys.list" in repr(listed)
    assert len(list(itertools.islice(listed, 3))) == 3 and len(emulator.arrivals()) - before <= 2
    whole = [key["alias"] for key in listed]
    assert {f"key {at}" for at in range(7)} <= set(whole) and whole == [key["alias"] for key in admin.platform("keys.list")]
    page = listed.page()
    assert len(page["keys"]) == 2 and page["has_more"] and listed["keys"] == page["keys"]
    [following] = admin.platform.keys.list(limit=1, cursor=page["next_cursor"]).page()["keys"]
    assert following["alias"] == whole[2]


def test_prices_and_days(emulator: Emulator) -> None:
    client, admin = emulator.client(), emulator.client(key=emulator.admin_key)
    [price] = client.platform.models.pricing(endpoint_id=ENDPOINT)
    assert price == client.platform("models.pricing", endpoint_id=[ENDPOINT])["prices"][0]
    day = datetime.date(2026, 1, 2)
    assert isinstance(list(admin.platform.models.usage(start=day, expand="summary")), list)
    assert "start=2026-01-02" in emulator.arrivals()[-1]["query"]


def test_amounts_keep_every_digit(emulator: Emulator) -> None:
    digits = "0.10000000000000000555"
    body = json.dumps({"billing_events": [{"request_id": "r", "cost_total": 0}], "next_cursor": None, "has_more": False})
    action = {"type": "status", "status": 200, "body": body.replace("0}", digits + "}"), "headers": {"content-type": "application/json"}}
    emulator.fault(action, path="/v1/models/billing-events", times=None)
    admin = emulator.client(key=emulator.admin_key)
    listed = admin.platform("models.billing_events", parse_float=decimal.Decimal)
    exact = decimal.Decimal(digits)
    assert [event["cost_total"] for event in listed] == [listed["billing_events"][0]["cost_total"]] == [exact]


def test_an_async_client_has_the_same_methods(emulator: Emulator) -> None:
    admin = keys(emulator, 5)
    expected = [key["alias"] for key in admin.platform.keys.list()]

    async def main() -> None:
        client = logs.async_client(emulator_host=emulator.address, key=emulator.admin_key)
        assert await client.platform.meta.get() == await client.platform("meta.get")
        listed = client.platform.keys.list(limit=2)
        assert [key["alias"] async for key in listed] == expected
        assert len((await listed)["keys"]) == len((await listed.page())["keys"]) == 2
        async for key in client.platform("keys.list", limit=2):
            assert key["alias"] == expected[0]
            break
        with pytest.raises(libfal.InvalidArgumentError, match="limit must be an integer of at least 1, not 0"):
            await client.platform.keys.list(limit=0)

    asyncio.run(main())


def test_the_raw_response_of_an_operation(emulator: Emulator) -> None:
    response = emulator.client().with_raw_response.platform("models.pricing", endpoint_id=ENDPOINT)
    assert response.status_code == 200 and response.json()["prices"]

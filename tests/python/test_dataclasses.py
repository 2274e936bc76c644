"""The classes of results are what dataclasses.dataclass(frozen=True) would make of them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from typing import Any

import pytest

import libfal

CLASSES: list[type[Any]] = [libfal.Change, libfal.Check, libfal.Explanation, libfal.Problem, libfal.Profile, libfal.Source]
CLASSES += [libfal.Queued, libfal.InProgress, libfal.Completed, libfal.UnknownStatus]


def own(cls: type[Any]) -> type[Any]:
    """Returns the dataclass that Python makes of the same fields."""
    members = {name: value for name, value in vars(cls).items() if name in cls.__annotations__}
    if cls is libfal.Explanation:
        members.update(report=dataclasses.field(repr=False), table=dataclasses.field(repr=False))
    return dataclasses.dataclass(frozen=True)(type(cls.__name__, (), {"__annotations__": cls.__annotations__, **members}))


@pytest.mark.parametrize("cls", CLASSES)
def test_they_are_made_and_compared_as_dataclasses_are(cls: type[Any]) -> None:
    twin = own(cls)
    values = [f"value {n}" for n in range(len(dataclasses.fields(twin)))]
    one, other = cls(*values), twin(*values)
    assert inspect.signature(cls).parameters == inspect.signature(twin).parameters
    if sys.version_info >= (3, 10):
        assert cls.__match_args__ == twin.__match_args__
    assert vars(one) == vars(other)
    assert hash(one) == hash(other) == hash(cls(*values))
    assert one == cls(*values) and one != other and one != cls("another", *values[1:])
    assert repr(one) == repr(other)
    for again in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert type(again) is cls and again == one
    for wrong in ((), (*values, "more")):
        with pytest.raises(TypeError) as expected:
            twin(*wrong)
        with pytest.raises(TypeError) as caught:
            cls(*wrong)
        assert str(caught.value) == str(expected.value).replace("own.<locals>.", "")


@pytest.mark.parametrize("cls", CLASSES)
def test_they_cannot_be_changed(cls: type[Any]) -> None:
    one = cls(*cls.__annotations__)
    for name in (*cls.__annotations__, "another"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(one, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
            delattr(one, name)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_functions_of_dataclasses_take_them(cls: type[Any]) -> None:
    one = cls(*cls.__annotations__)
    assert dataclasses.is_dataclass(cls)
    facts = [(it.name, it.type, it.default, it.repr) for it in dataclasses.fields(cls)]
    assert facts == [(it.name, it.type, it.default, it.repr) for it in dataclasses.fields(own(cls))]
    assert dataclasses.asdict(one) == {name: name for name in cls.__annotations__}
    first = next(iter(cls.__annotations__))
    assert getattr(dataclasses.replace(one, **{first: "new"}), first) == "new"

    @dataclasses.dataclass(frozen=True)
    class Larger(cls):  # type: ignore[misc]
        size: int = 0

    assert Larger(*cls.__annotations__, size=2) == Larger(*cls.__annotations__, 2)

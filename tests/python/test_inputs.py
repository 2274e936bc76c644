"""Inputs as people have them: what becomes JSON, what becomes a file, and what is refused with its place."""

from __future__ import annotations

import array
import asyncio
import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import random
import sys
import tempfile
import threading
import types
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import pytest
from conftest import output

import libfal
from libfal import _inputs


class Colour(enum.Enum):
    RED = "red"
    BOTH = ("red", 1)


class Level(enum.IntEnum):
    HIGH = 3


class Name(str, enum.Enum):
    A = "a"


class Flags(enum.Flag):
    ONE = 1
    TWO = 2


class Size(NamedTuple):
    width: int
    height: int


@dataclasses.dataclass
class Prompt:
    text: str
    size: Size
    kinds: ClassVar[int] = 3


class Shouting(str):
    def __str__(self) -> str:
        return "wrong"

    def __repr__(self) -> str:
        return "wrong"

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b"wrong"


class Lying(int):
    def __repr__(self) -> str:
        return "wrong"

    def __int__(self) -> int:
        return 0


class Drifting(float):
    def __repr__(self) -> str:
        return "wrong"


class Longer(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        while True:
            yield 1


class Lazy(list[Any]):
    """Its elements are made when they are asked for."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Any]:
        return iter(["made", {"a": (1, 2.5)}])


class Shifted(tuple[Any, ...]):
    def __iter__(self) -> Iterator[Any]:
        return iter([*map(str, super().__iter__())])


class Endless(collections.abc.Sequence[int]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, _at: Any) -> Any:
        return 1

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


class EndlessMapping(collections.abc.Mapping[str, int]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, _key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1


def text(value: Any) -> str:
    encoded, files = _inputs.encode({"it": value})
    assert files == []
    return encoded.decode()[6:-1]


def upload(value: Any) -> dict[str, Any]:
    encoded, [(pointer, made)] = _inputs.encode({"it": value})
    assert (encoded, pointer) == (b'{"it":""}', "/it")
    return made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10**300, "1" + "0" * 300),
        (-(2**63) - 1, "-9223372036854775809"),
        (2**64, "18446744073709551616"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827"),
        (decimal.Decimal("1E+5"), "1E+5"),
        (decimal.Decimal("-0"), "-0"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.timezone.utc), '"2026-01-02T03:04:05.000006+00:00"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (datetime.time(1, 2), '"01:02:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ([Colour.RED, Colour.BOTH, Level.HIGH, Name.A, Flags.TWO], '["red",["red",1],3,"a",2]'),
        (Prompt("a", Size(1, 2)), '{"text":"a","size":[1,2]}'),
        (types.MappingProxyType({"a": (1, 2)}), '{"a":[1,2]}'),
        (collections.UserDict(a=1), '{"a":1}'),
        (collections.UserString("é"), '"é"'),
        (collections.deque([1, None, True]), "[1,null,true]"),
        (array.array("d", [0.5]), "[0.5]"),
        (range(3), "[0,1,2]"),
        (frozenset(["one"]), '["one"]'),
        ({"a": 1}.keys(), '["a"]'),
        (Shouting("right"), '"right"'),
        ({Shouting("right"): 1}, '{"right":1}'),
        (Lying(5), "5"),
        (Drifting(0.5), "0.5"),
        (Lazy(), '["made",{"a":[1,2.5]}]'),
        (Shifted((7, None)), '["7","None"]'),
        ({None: 1, True: 2, False: 3, 1.5: 4, 7: 5}, '{"null":1,"true":2,"false":3,"1.5":4,"7":5}'),
        ("a\u2028\x00\x7f\"\\/é😀", json.dumps("a\u2028\x00\x7f\"\\/é😀", ensure_ascii=False)),
    ],
)
def test_values_are_json(value: Any, expected: str) -> None:
    assert text(value) == expected
    assert text([value]) == f"[{expected}]"


CIRCLE: list[Any] = []
CIRCLE.append({"again": (CIRCLE,)})


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        (math.nan, "", "NaN is not JSON"),
        ({"x": [0, -math.inf]}, '["x"][1]', "-Infinity is not JSON"),
        ({math.inf: 1}, "", "Infinity is not JSON"),
        (decimal.Decimal("NaN"), "", "NaN is not JSON"),
        (decimal.Decimal("-Infinity"), "", "-Infinity is not JSON"),
        (decimal.Decimal("1e308"), "", "the number has more than 308 digits"),
        (10**308, "", "the integer has more than 308 digits"),
        ({"x": -(10**5000)}, '["x"]', "the integer has more than 308 digits"),
        ("\ud83d", "", "the text is not Unicode: it has half of a surrogate pair"),
        ({"\ud83d": 1}, "", "the text is not Unicode: it has half of a surrogate pair"),
        (CIRCLE, '[0]["again"][0]', "it contains itself"),
        ({1: 0, "1": 0}, "", "two keys have the same text"),
        (Longer([7]), "", "test_inputs.Longer has more elements than its length, 1"),
        (Endless(), "", "test_inputs.Endless has more elements than its length, 3"),
        (EndlessMapping(), "", "test_inputs.EndlessMapping has more elements than its length, 2"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(value: Any, place: str, message: str) -> None:
    with pytest.raises(libfal.InvalidArgumentError) as caught:
        _inputs.encode({"it": value})
    assert caught.value.message == f'arguments["it"]{place}: {message}'


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({"images": [1, object()]}, '["images"][1]', "object is neither JSON nor a file"),
        ({"a\"b": {"k" * 99: 1j}}, '["a\\"b"]["' + "k" * 60 + '…"]', "complex is neither JSON nor a file"),
        ({(1,): 1}, "", "a key must be a str, int, float, bool or None, not tuple"),
        ({b"a": 1}, "", "a key must be a str, int, float, bool or None, not bytes"),
        ((it for it in [1]), "", "generator is neither JSON nor a file"),
        (datetime.timedelta(1), "", "datetime.timedelta is neither JSON nor a file"),
        (Prompt, "", "type is neither JSON nor a file"),
        (libfal.AppToken("secret"), "", "libfal.AppToken is neither JSON nor a file"),
        (io.StringIO("a"), "", 'the file is open as text; open it with "rb"'),
    ],
)
def test_what_is_neither_json_nor_a_file_is_named(value: Any, place: str, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        _inputs.encode({"it": value})
    assert str(caught.value).replace("libfal._credential", "libfal") == f'arguments["it"]{place}: {message}'


def test_an_input_is_an_object() -> None:
    assert _inputs.encode(None) == _inputs.encode({}) == (b"{}", [])
    assert _inputs.encode(Prompt("a", Size(1, 2)))[0] == b'{"text":"a","size":[1,2]}'
    for wrong in ([1], "text", 5, True, pathlib.Path("a.png"), b"bytes", Colour.RED):
        with pytest.raises(TypeError, match="arguments must be a dict, not "):
            _inputs.encode(wrong)


@pytest.mark.parametrize("levels", [99, 100, 101, 126])
def test_depth_is_that_of_the_core(levels: int) -> None:
    value: Any = {"p": decimal.Decimal(1)}
    for _ in range(levels - 1):
        value = [value]
    assert text(value).count("[") == levels - 1
    for _ in range(127 - levels):
        value = [value]
    with pytest.raises(libfal.InvalidArgumentError, match="deeper than 127 levels") as caught:
        _inputs.encode({"it": value})
    assert len(caught.value.message) < 100


def test_objects_that_stand_for_each_other_without_an_end_are_refused() -> None:
    class Inner(enum.Enum):
        ONE = object()

        @property
        def value(self) -> Any:
            return {"again": self}

    with pytest.raises(libfal.InvalidArgumentError, match="it contains itself"):
        text(Inner.ONE)

    @dataclasses.dataclass
    class Fresh:
        @property
        def next(self) -> Any:
            return Fresh()

        __dataclass_fields__: ClassVar[Any] = None

    Fresh.__dataclass_fields__ = {"next": dataclasses.fields(dataclasses.make_dataclass("It", ["next"]))[0]}
    with pytest.raises(libfal.InvalidArgumentError, match="deeper than 127 levels"):
        text(Fresh())


PLAIN: list[Any] = [None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 10**30, 0.5, -0.0, 1e16, 5e-324, 0.1, 1e300, "", "a", "é\n\x1f", "😀"]


def plain(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 4 else 3)
    if kind == 3:
        return [plain(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind == 4:
        return tuple(plain(chance, depth + 1) for _ in range(chance.randrange(4)))
    if kind == 5:
        keys = [None, True, 7, 1.25, *(chr(chance.randrange(0xD7FF)) for _ in range(4)), Shouting("s")]
        return {chance.choice(keys): plain(chance, depth + 1) for _ in range(chance.randrange(4))}
    if kind == 6:
        return collections.OrderedDict({str(at): plain(chance, depth + 1) for at in range(chance.randrange(3))})
    if kind == 7:
        subclasses = [Lying(3), Drifting(0.25), Shouting("x"), Level.HIGH, Name.A, Size(1, 2), Lazy(), Shifted((1,))]
        return chance.choice([*subclasses, math.nan, object()])
    return chance.choice([*PLAIN, chance.random(), chance.getrandbits(64), chance.getrandbits(1000)])


def test_the_text_is_that_of_json_dumps() -> None:
    chance = random.Random(7)
    accepted = refused = 0
    for _ in range(5_000):
        value = {"it": plain(chance), "big": 2**70}
        try:
            expected = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError):
            refused += 1
            with pytest.raises((TypeError, libfal.InvalidArgumentError), match=r"^arguments"):
                _inputs.encode(value)
            continue
        found = _inputs.encode(value)[0].decode()
        accepted += 1
        assert json.loads(found) == json.loads(expected)
        # The core writes floats in another way.
        if "e" not in expected.replace("false", "").replace("true", ""):
            assert found == expected
    assert accepted > 1000 and refused > 200


def test_paths_become_uploads(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.PNG", "a.webp", "a.tar.gz", "a.mp4", "data:,a.png", "a.unknown"):
        pathlib.Path(name).touch()
    assert upload(tmp_path / "a.PNG") == {"path": str(tmp_path / "a.PNG"), "content_type": "image/png"}
    kinds = {"a.webp": "image/webp", "a.tar.gz": "application/gzip", "a.mp4": "video/mp4", "data:,a.png": "image/png"}
    for name, kind in kinds.items():
        assert upload(pathlib.PurePosixPath(name)).get("content_type") == kind, name
    # The core decides.
    assert "content_type" not in upload(pathlib.Path("a.unknown"))
    with pytest.raises(libfal.InvalidArgumentError, match=r'arguments\["it"\]: a path contains a NUL character\n'):
        upload(pathlib.PurePosixPath("a\0b"))


def test_places_of_files_are_json_pointers() -> None:
    _, files = _inputs.encode({"a/b~c": [{"": b"1"}, b"2"], "": {"0": b"3"}, 5: b"4"})
    assert [(pointer, made["data"]) for pointer, made in files] == [
        ("/a~1b~0c/0/", b"1"), ("/a~1b~0c/1", b"2"), ("//0", b"3"), ("/5", b"4"),
    ]  # fmt: skip


def test_bytes_become_uploads_of_the_kind_that_they_are() -> None:
    kinds = {
        b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff\xe0": "image/jpeg", b"RIFF1234WEBP": "image/webp", b"RIFF1234WAVE": "audio/wav",
        b"1234ftypisom": "video/mp4", b"1234ftypqt  ": "video/quicktime", b"%PDF-1.7": "application/pdf", b"ID3\x04": "audio/mpeg",
    }  # fmt: skip
    for data, kind in kinds.items():
        assert upload(data) == {"data": data, "content_type": kind}
    assert upload(b"text") == {"data": b"text"} and upload(b"") == {"data": b""}
    changing = bytearray(b"before")
    made = upload(changing)
    changing[:] = b"after!"
    assert made == upload(memoryview(b"b-e-f-o-r-e-")[::2]) == {"data": b"before"}
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["it"\]: operation forbidden on released memoryview'):
        upload(view)


def test_the_same_object_is_one_upload() -> None:
    data, file = bytearray(b"abc"), io.BytesIO(b"def")
    _, files = _inputs.encode({"a": data, "b": [data, file, {"c": file}]})
    (_, a), (_, b), (_, c), (_, d) = files
    assert a is b and c is d and (a["data"], c["data"]) == (b"abc", b"def")


def test_open_files_are_read_from_where_they_are(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"0123456789" * 300_000)
    with path.open("rb") as file:
        file.seek(3)
        assert upload(file) == {"data": path.read_bytes()[3:], "content_type": "audio/mpeg", "file_name": "song.mp3"}
        with pytest.raises(libfal.InvalidArgumentError, match="the open file is at its end; call seek\\(0\\) first"):
            upload(file)
    with pytest.raises(libfal.InvalidArgumentError, match="cannot read the open file: read of closed file"):
        upload(file)
    with path.open("ab") as written, pytest.raises(TypeError, match='the file is open for writing; open it with "rb"'):
        upload(written)
    with path.open("r") as texts, pytest.raises(TypeError, match='open it with "rb"'):
        upload(texts)
    with tempfile.NamedTemporaryFile(suffix=".gif") as temporary, tempfile.SpooledTemporaryFile() as spooled:
        several: list[Any] = [temporary, spooled]
        for each in several:
            each.write(b"GIF89a")
            each.seek(0)
            assert upload(each)["data"] == b"GIF89a"
    assert upload(io.BytesIO()) == {"data": b""}


def test_files_that_read_wrongly_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Texts:
        def read(self, _size: int) -> str:
            return "text"

    class Later:
        async def read(self, _size: int) -> bytes:
            await asyncio.sleep(0)
            return b""

    class Endless:
        def read(self, size: int) -> bytes:
            return bytes(size)

    class Nothing(io.RawIOBase):
        def read(self, _size: int = -1) -> None:
            return None

    for file, kind in ((Texts(), "str"), (Later(), "coroutine"), (Nothing(), "NoneType")):
        with pytest.raises(TypeError, match=rf'^arguments\["it"\]: read\(\) of the file must return bytes, not {kind}$'):
            upload(file)
    monkeypatch.setattr("libfal._media._MOST", 3 << 20)
    with pytest.raises(libfal.InvalidArgumentError, match="has more than 3145728 bytes; pass its path"):
        upload(Endless())


def test_nothing_else_is_imported() -> None:
    code = """
        import sys
        import libfal
        from libfal import _inputs
        _inputs.encode({"a": 2**70, "b": b"abc"})
        kinds = "PIL numpy pydantic dataclasses decimal datetime uuid enum json mimetypes zlib base64 tempfile asyncio typing"
        print(*(name for name in kinds.split() if name in sys.modules))
    """
    assert output(code).split() == []


def test_values_without_files() -> None:
    assert _inputs.dumps([decimal.Decimal("1.10")], "json") == b"[1.10]"
    with pytest.raises(TypeError, match=r'^json\["a"\]: a file can only be part of the input of a run or a job$'):
        _inputs.dumps({"a": b"x"}, "json")
    assert _inputs.message({"a": [b"x", decimal.Decimal(1)]}) == b'{"a":[{"$bytes":"eA=="},1]}'
    with pytest.raises(TypeError, match=r'^arguments\["a"\]: a path cannot be part of a message'):
        _inputs.message({"a": pathlib.Path("x")})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://fal.run/fal-ai/flux/dev", "fal-ai/flux/dev"),
        ("https://queue.fal.run/fal-ai/flux/dev/", "fal-ai/flux/dev"),
        ("https://fal.run/workflows/me/mine?logs=1", "workflows/me/mine"),
        ("https://fal.ai/models/fal-ai/flux/dev", "fal-ai/flux/dev"),
        ("https://fal.ai/models/fal-ai/flux/dev/api", "fal-ai/flux/dev"),
        ("https://fal.ai/models/fal-ai/flux/dev/playground?share=1#top", "fal-ai/flux/dev"),
        ("https://fal.ai/models/me/api", "me/api"),
    ],
)
def test_a_full_address_is_taken_for_its_id(given: str, expected: str) -> None:
    assert _inputs.application(given) == expected


@pytest.mark.parametrize(
    "text",
    [
        "fal-ai/flux/dev", "", "https://fal.run", "https://fal.run/", "https://fal.run/flux", "https://fal.ai/pricing", "https://fal.ai/models",
        "http://fal.run/a/b", "https://fal.run:444/a/b", "https://me@fal.run/a/b", "https://fal.run.evil.com/a/b",
        "https://queue.fal.run/fal-ai/flux/requests/1/status", "https://evil.com/models/a/b", "https://FAL.run/a/b", " https://fal.run/a/b",
    ],
)  # fmt: skip
def test_any_other_text_stays(text: str) -> None:
    assert _inputs.application(text) == text


def test_an_input_that_another_thread_changes_is_one_of_its_states() -> None:
    shared: dict[str, Any] = {str(at): 2**70 for at in range(200)}
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            shared["more"] = [1]
            del shared["more"]

    with_switches = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert len(json.loads(_inputs.encode(shared)[0])) in (200, 201)
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(with_switches)

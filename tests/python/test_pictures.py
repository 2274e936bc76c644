"""Pictures of PIL and numpy, and models of pydantic, in an input."""

from __future__ import annotations

import decimal
import io
import pathlib
import threading
import warnings
from typing import Any, Optional

import pytest
from conftest import Emulator

import libfal
from libfal import _inputs, _media, _storage

numpy = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")
pydantic = pytest.importorskip("pydantic")


def upload(value: Any) -> dict[str, Any]:
    encoded, [(pointer, made)] = _inputs.encode({"it": value})
    assert (encoded, pointer) == (b'{"it":""}', "/it")
    return made


def opened(made: dict[str, Any]) -> Any:
    image = Image.open(io.BytesIO(made["data"]))
    image.load()
    assert made["content_type"] == image.get_format_mimetype()
    return image


def gradient(mode: str) -> Any:
    """A picture of a mode, with different pixels."""
    levels = Image.linear_gradient("L").resize((16, 16))
    return Image.merge("RGBA", [levels, levels.rotate(90), levels.rotate(180), levels]).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_png_keeps_every_pixel(mode: str) -> None:
    image = gradient(mode)
    found = opened(upload(image))
    assert (found.format, found.mode, found.tobytes()) == ("PNG", mode, image.tobytes())


@pytest.mark.parametrize(("mode", "expected"), [("La", "LA"), ("RGBa", "RGBA"), ("PA", "RGBA"), ("RGBX", "RGB"), ("HSV", "RGB")])
def test_modes_that_png_lacks_are_converted(mode: str, expected: str) -> None:
    image = gradient("LA" if mode == "La" else "RGBA" if mode in ("RGBa", "PA") else "RGB").convert(mode)
    found = opened(upload(image))
    assert (found.mode, found.tobytes()) == (expected, image.convert(expected).tobytes())


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16L", "I;16B", "I;16N"])
def test_sixteen_bits_stay(mode: str) -> None:
    image = Image.new(mode, (2, 1), 60_000)
    found = opened(upload(image))
    assert (found.mode, found.getpixel((0, 0))) == ("I;16", 60_000)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_what_only_jpeg_holds_is_a_jpeg(mode: str) -> None:
    image = gradient("RGB").convert(mode)
    found = opened(upload(image))
    pairs = zip(found.convert("RGB").tobytes(), image.convert("RGB").tobytes())
    assert found.format == "JPEG" and max(abs(a - b) for a, b in pairs) < 40


def test_an_image_from_a_jpeg_stays_one() -> None:
    buffer = io.BytesIO()
    gradient("RGB").save(buffer, "JPEG", icc_profile=b"profile")
    image = Image.open(buffer)
    found = opened(upload(image))
    assert found.format == "JPEG" and found.info["icc_profile"] == b"profile"
    assert opened(upload(image.rotate(90))).format == "PNG"


def test_transparency_of_a_palette_stays() -> None:
    image = gradient("P")
    image.info["transparency"] = 3
    assert opened(upload(image)).info["transparency"] == 3


def test_images_that_are_no_pictures_are_refused() -> None:
    for mode in ("F", "LAB"):
        with pytest.raises(TypeError, match=rf"^arguments\[\"it\"\]: a PIL image of mode '{mode}' is no picture"):
            upload(Image.new(mode, (2, 2)))
    with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["it"\]: .* must have values of 0 to 65535, not 70000 to 70000'):
        upload(Image.new("I", (1, 1), 70_000))
    for size in ((0, 5), (5, 0)):
        with pytest.raises(libfal.InvalidArgumentError, match=rf'^arguments\["it"\]: a PIL image of {size[0]} x {size[1]} has no pixels'):
            upload(Image.new("RGB", size))
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(whole, "PNG")
    with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["it"\]: .*truncated'):
        upload(Image.open(io.BytesIO(whole.getvalue()[:1500])))


def test_an_image_can_be_used_by_several_threads() -> None:
    image = gradient("RGB")
    failed: list[BaseException] = []

    def encode() -> None:
        try:
            for _ in range(50):
                assert opened(upload(image)).tobytes() == image.tobytes()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and not hasattr(image, "encoderinfo")


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (5, 7, 3), (5, 1, 4), (3, 300, 4)])
def test_arrays_are_pictures(shape: tuple[int, ...]) -> None:
    chance = numpy.random.default_rng(1)
    whole = chance.integers(0, 256, shape, dtype="uint8")
    for array in (whole, whole[::-1, ::-1], numpy.asfortranarray(whole)):
        assert (numpy.asarray(opened(upload(array))) == array).all()
    for kind in ("float16", "float32", "float64"):
        array = chance.random(shape).astype(kind)
        assert (numpy.asarray(opened(upload(array))) == numpy.rint(array.astype("float64") * 255)).all()


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (1, 1, 1), (5, 7, 3)])
def test_arrays_with_one_channel_or_two_values_are_pictures(shape: tuple[int, ...]) -> None:
    chance = numpy.random.default_rng(1)
    for array in (chance.integers(0, 2, shape, dtype=bool), chance.integers(0, 256, shape, dtype="uint8")):
        expected = array[:, :, 0] if shape[2:] == (1,) else array
        found = opened(upload(array))
        assert (numpy.asarray(found) == (expected * 255 if array.dtype == bool else expected)).all()
        assert found.mode == ("RGB" if shape[-1] == 3 else "L")


def test_an_array_is_uploaded_as_an_image(emulator: Emulator) -> None:
    array = numpy.arange(12, dtype="uint8").reshape(3, 4)
    url = emulator.client().upload_image(array)
    [kind] = [file["content_type"] for file in emulator.control("GET", "files")["files"] if file["url"] == url]
    assert kind == "image/png"
    content: Any = emulator.client().download(url)
    assert (numpy.asarray(Image.open(io.BytesIO(content))) == array).all()
    assert _storage.encode_image(array, "PNG") == _storage.encode_image(array) and "image/png" in _storage.encode_image(array)
    with pytest.raises(ValueError, match="an array becomes a PNG, not 'webp'; make a PIL image of it"):
        emulator.client().upload_image(array, "webp")
    with pytest.raises(TypeError, match="must be a PIL.Image.Image or a numpy.ndarray, not list"):
        emulator.client().upload_image([1])


@pytest.mark.parametrize(
    "array",
    [
        numpy.zeros(3), numpy.zeros((2, 2), "int64"), numpy.zeros((2, 2, 2)), numpy.zeros((2, 2, 5)), numpy.zeros((2, 2, 3, 1)),
        numpy.zeros((2, 2), object), numpy.zeros((2, 2), "complex64"), numpy.ma.array(numpy.zeros((2, 2)), mask=True),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(array: Any) -> None:
    with pytest.raises(TypeError, match=r"^arguments\[\"it\"\]: an array of shape \(.* is no picture, .*write array\.tolist\(\)"):
        upload(array)


@pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, float("nan"), float("inf")])
def test_floats_outside_the_range_are_refused(value: float) -> None:
    with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["it"\]: the floats of a picture must be from 0 to 1, not '):
        upload(numpy.full((2, 2), value))
    with pytest.raises(libfal.InvalidArgumentError, match="has no pixels"):
        upload(numpy.zeros((0, 3)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (numpy.int8(-5), "-5"), (numpy.uint64(2**64 - 1), "18446744073709551615"), (numpy.bool_(True), "true"), (numpy.float64(0.1), "0.1"),
        (numpy.float32(0.5), "0.5"), (numpy.float16(0.25), "0.25"), (numpy.longdouble("0.5"), "0.5"), (numpy.str_("é"), '"é"'),
        (numpy.datetime64("2026-01-02T03:04:05.123456789"), '"2026-01-02T03:04:05.123456789"'), (numpy.array(7), "7"),
        (numpy.array({"a": 1}, dtype=object), '{"a":1}'),
    ],
)  # fmt: skip
def test_numbers_of_numpy_are_json(value: Any, expected: str) -> None:
    assert _inputs.encode({"it": [value]}) == (f'{{"it":[{expected}]}}'.encode(), [])


def test_numbers_of_numpy_that_json_lacks_are_refused() -> None:
    for value in (numpy.float32("nan"), numpy.datetime64("NaT", "s")):
        with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["it"\]: Na[NT] is not JSON'):
            _inputs.encode({"it": value})
    for value in (numpy.complex64(1), numpy.timedelta64(3, "s")):
        with pytest.raises(TypeError, match=r'^arguments\["it"\]: numpy\.\w+ is neither JSON nor a file'):
            _inputs.encode({"it": value})
    circle = numpy.empty((), object)
    circle[()] = circle
    with pytest.raises(libfal.InvalidArgumentError, match="it contains itself"):
        _inputs.encode({"it": circle})


def test_models_are_objects(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("a.png").touch()

    class Inner(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        price: decimal.Decimal
        page: pydantic.HttpUrl  # type: ignore[name-defined]

    class Outer(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        picture: pathlib.Path
        inner: Inner
        none: Optional[int] = None

    class Whole(pydantic.RootModel[list[int]]):  # type: ignore[misc, name-defined]
        pass

    model = Outer(picture="a.png", inner=Inner(price="1.10", page="https://example.com/a"))
    text, files = _inputs.encode(model)
    assert text == b'{"picture":"","inner":{"price":1.10,"page":"https://example.com/a"},"none":null}'
    assert files == [("/picture", {"path": "a.png", "content_type": "image/png"})]
    assert _inputs.encode({"it": [Whole([1, 2])]})[0] == b'{"it":[[1,2]]}'


def test_a_secret_of_a_model_is_not_sent_as_asterisks() -> None:
    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        password: pydantic.SecretStr  # type: ignore[name-defined]

    with pytest.raises(TypeError, match=r'^arguments\["password"\]: pydantic\.types\.SecretStr is neither JSON nor a file$'):
        _inputs.encode(Model(password="fake"))


def test_models_of_version_1_are_objects() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        v1 = pytest.importorskip("pydantic.v1")

    Model = v1.create_model("Model", price=(decimal.Decimal, ...), page=(v1.HttpUrl, ...))
    Whole = v1.create_model("Whole", __root__=(list[int], ...))
    model = Model(price="1.10", page="https://example.com/a")
    assert _inputs.encode(model)[0] == b'{"price":1.10,"page":"https://example.com/a"}'
    assert _inputs.encode({"it": Whole(__root__=[1])})[0] == b'{"it":[1]}'


def test_images_as_data_urls_and_uploads() -> None:
    assert _storage.encode_image(gradient("RGB")).startswith("data:image/jpeg;base64,/9j/")
    assert _storage.encode_image(gradient("RGB"), "JPG").startswith("data:image/jpeg;base64,/9j/")
    assert _storage.encode_image(gradient("RGBA")).startswith("data:image/png;base64,iVBOR")
    assert _storage.encode_image(gradient("RGBA"), format="webp").startswith("data:image/webp;base64,UklGR")
    [made] = _storage.upload_options(image=gradient("P"), fallback_repository=[])
    assert opened(made).tobytes() == gradient("P").tobytes() and made["way"] == "automatic"
    for wrong in (b"bytes", None, pathlib.Path("a.png")):
        with pytest.raises(TypeError, match=r"an image must be a PIL\.Image\.Image or a numpy\.ndarray, not "):
            _media.encoded(wrong, "png")

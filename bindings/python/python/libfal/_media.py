"""Files of an input as uploads: paths, bytes, open files, pictures of PIL and of numpy.

Classes of other packages are looked up in sys.modules, so that nothing is imported.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys

from ._typing import imported
from ._values import path as path_text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

_CHUNK = 1 << 20
_MOST = 2 << 30
"""The bytes of an open file. A larger one, or one without an end, takes too much memory."""

_BEGINNINGS = [
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
]
"""How files begin: an offset, the bytes there, and the content type."""


_JPEG = ("1", "L", "RGB", "RGBX", "CMYK", "YCbCr")
"""The modes of PIL that JPEG can hold."""


def base64(data: Any) -> bytes:
    text: bytes = imported("binascii").b2a_base64(data, newline=False)
    return text


def known(module: str, name: str) -> type[Any] | None:
    """Returns a class of another package, if its module was imported."""
    # Reading an attribute could import more.
    cls = getattr(sys.modules.get(module), "__dict__", {}).get(name)
    return cls if isinstance(cls, type) else None


def upload(it: Any) -> dict[str, object] | None:
    """Returns the upload of a file, or None if the value is none."""
    if isinstance(it, os.PathLike):
        path = path_text("a path", it) or ""
        return made(path=path, content_type=type_of_name(path))
    if isinstance(it, (bytes, bytearray, memoryview)):
        return of_bytes(it if type(it) is bytes else memoryview(it).tobytes())
    if _is(it, "PIL.Image", "Image"):
        data, kind = encoded(it, None)
        return made(data=data, content_type=kind)
    if _is(it, "numpy", "ndarray") and it.ndim:
        return made(data=_png_of_array(it), content_type="image/png")
    return open_file(it) if isinstance(it, io.IOBase) else None


def check_file(upload: dict[str, object]) -> None:
    """Raises the exception of Python for a path that is no file that can be read."""
    path: Any = upload.get("path")
    if path is None:
        return
    kind = os.stat(path).st_mode
    refusal = errno.EISDIR if stat.S_ISDIR(kind) else 0 if os.access(path, os.R_OK) else errno.EACCES
    if refusal:
        raise OSError(refusal, os.strerror(refusal), path)


def open_file(it: Any) -> dict[str, object] | None:
    """Returns the upload of the rest of an open file, or None if the value has no function read()."""
    return _of_file(it) if callable(getattr(it, "read", None)) else None


def made(
    *, path: str | None = None, data: bytes | None = None, content_type: str | None = None, file_name: str | None = None
) -> dict[str, object]:
    """Returns an upload for the core, without options."""
    content = {"path": path, "data": data, "content_type": content_type, "file_name": file_name}
    return {name: value for name, value in content.items() if value is not None}


def of_bytes(data: bytes) -> dict[str, object]:
    return made(data=data, content_type=type_of_bytes(data))


def type_of_name(path: str) -> str | None:
    """Returns the content type by the extension of a file."""
    # A name with a colon could be taken for a URL.
    kind, encoding = imported("mimetypes").guess_type("/" + os.path.basename(path), strict=False)
    if encoding:
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(encoding)
    found: str | None = kind
    return found


def type_of_bytes(data: bytes) -> str | None:
    """Returns the content type by the first bytes of a file."""
    for offset, beginning, kind in _BEGINNINGS:
        if data.startswith(beginning, offset):
            return kind
    return None


def encoded(image: Any, format: str | None) -> tuple[bytes, str]:
    """Returns a PIL image or an array as a file, and its content type. None is the format that keeps what the image has. Of an animation,
    it takes the current image. An array becomes a PNG where a JPEG is asked for.
    """
    if _is(image, "numpy", "ndarray"):
        if format and format.upper() not in ("JPEG", "JPG", "PNG"):
            raise ValueError(f"an array becomes a PNG, not {format!r}; make a PIL image of it, which has every format")
        return _png_of_array(image), "image/png"
    if not _is(image, "PIL.Image", "Image"):
        raise TypeError(f"an image must be a PIL.Image.Image or a numpy.ndarray, not {type(image).__name__}")
    if 0 in image.size:
        raise ValueError(f"a PIL image of {image.width} x {image.height} has no pixels")
    # A copy: PIL writes to the object while it encodes it, and another thread may use it.
    picture = image.copy()
    mode = picture.mode
    format = {None: "", "JPG": "JPEG"}.get(format and format.upper(), format)
    options: dict[str, object] = {}
    if not format or (format.upper() == "JPEG" and mode not in _JPEG):
        is_jpeg = image.format in ("JPEG", "MPO") and mode in ("L", "RGB")
        format = "JPEG" if is_jpeg or mode in ("CMYK", "YCbCr") else "PNG"
        options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    if format.upper() == "PNG":
        picture = _for_png(picture)
    if format.upper() == "JPEG" and "icc_profile" in picture.info:
        options["icc_profile"] = picture.info["icc_profile"]
    with io.BytesIO() as buffer:
        picture.save(buffer, format=format, **options)
        return buffer.getvalue(), content_type_of(format)


def content_type_of(format: str) -> str:
    mime = getattr(sys.modules.get("PIL.Image"), "MIME", {})
    found: str = mime.get(format.upper(), f"image/{format.lower()}")
    return found


def _for_png(picture: Any) -> Any:
    """Converts an image to a mode that PNG has, without loss."""
    if picture.mode == "I;16N":
        # Before version 13, Pillow converts it to 8 bits.
        from_bytes = sys.modules["PIL.Image"].frombytes
        picture = from_bytes("I;16" if sys.byteorder == "little" else "I;16B", picture.size, picture.tobytes())
    mode = picture.mode
    if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        return picture
    if mode in ("La", "RGBa", "PA", "RGBX", "HSV"):
        return picture.convert({"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(mode, "RGB"))
    if mode.startswith("I"):
        wide = picture.convert("I")
        least, most = wide.getextrema()
        if 0 <= least and most <= 0xFFFF:
            return wide.convert("I;16")
        raise ValueError(f"a PIL image of mode {mode!r} must have values of 0 to 65535, not {least} to {most}")
    raise TypeError(f"a PIL image of mode {mode!r} is no picture that PNG can hold; convert it, for example to 'RGB'")


def _is(it: object, module: str, name: str) -> bool:
    cls = known(module, name)
    return cls is not None and isinstance(it, cls)


def _png_of_array(array: Any) -> bytes:
    """Returns an array as a PNG."""
    numpy = sys.modules["numpy"]
    kind, shape = array.dtype, array.shape
    is_float = kind.kind == "f"
    is_picture = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if not is_picture or hasattr(array, "mask") or not (is_float or kind in ("uint8", "bool")):
        raise TypeError(
            f"an array of shape {shape} and type {kind} is no picture, which has the shape (height, width) or (height, width, n) with 1, 3"
            " or 4 as n, and the type uint8, bool, or floats from 0 to 1; write array.tolist() for a list of numbers"
        )
    if not array.size:
        raise ValueError(f"an array of shape {shape} has no pixels")
    if is_float:
        if not (array.min() >= 0 and array.max() <= 1):
            raise ValueError(f"the floats of a picture must be from 0 to 1, not {array.min()} to {array.max()}")
        array = numpy.rint(array.astype("float64") * 255)
    if kind == "bool":
        array = array.astype("uint8") * 255
    height, width = shape[:2]
    samples = 1 if len(shape) == 2 else shape[2]
    pixels = array.astype("uint8").reshape(height, width * samples)
    # Each byte less the one of the pixel before it: PNG's filter 1, which packs better.
    rows = numpy.empty((height, 1 + width * samples), "uint8")
    rows[:, 0] = 1
    rows[:, 1:] = pixels
    rows[:, 1 + samples :] -= pixels[:, :-samples]
    packed: bytes = rows.tobytes()
    return _png(width, height, {1: 0, 3: 2, 4: 6}[samples], packed)


def _png(width: int, height: int, colours: int, rows: bytes) -> bytes:
    zlib = imported("zlib")

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum: int = zlib.crc32(name + data)
        return len(data).to_bytes(4, "big") + name + data + checksum.to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, colours, 0, 0, 0])
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"".join(parts)


def _of_file(file: Any) -> dict[str, object]:
    if isinstance(file, io.TextIOBase):
        raise TypeError('the file is open as text; open it with "rb"')
    data = _read(file)
    if not data and callable(getattr(file, "tell", None)) and _is_advanced(file):
        raise ValueError("the open file is at its end; call seek(0) first")
    name = getattr(file, "name", None)
    name = os.path.basename(name) if isinstance(name, str) and not name.startswith("<") else None
    kind = type_of_name(name) if name else None
    return made(data=data, content_type=kind or type_of_bytes(data), file_name=name)


def _read(file: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = file.read(_CHUNK)
        except io.UnsupportedOperation as cause:
            raise TypeError('the file is open for writing; open it with "rb"') from cause
        except (OSError, ValueError) as cause:
            raise ValueError(f"cannot read the open file: {cause}") from cause
        if not isinstance(part, (bytes, bytearray, memoryview)):
            close = getattr(part, "close", None)
            if close:
                # A coroutine that is not awaited warns.
                close()
            raise TypeError(f"read() of the file must return bytes, not {type(part).__name__}")
        if not part:
            return b"".join(parts)
        parts.append(bytes(part))
        size += len(part)
        if size > _MOST:
            raise ValueError(f"the open file has more than {_MOST} bytes; pass its path, which is not held in memory")


def _is_advanced(file: Any) -> bool:
    try:
        return bool(file.tell())
    except (OSError, ValueError):
        return False

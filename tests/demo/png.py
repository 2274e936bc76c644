"""Decodes a PNG with the standard library only, and prints its size: png.py FILE"""

from __future__ import annotations

import struct
import sys
import zlib

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunks(data: bytes):
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(kind + body) != crc:
            raise ValueError(f"the checksum of {kind!r} is wrong")
        yield kind, body
        at += 12 + length


def size(data: bytes) -> tuple[int, int]:
    """Returns the size in pixels. Raises ValueError unless every pixel is there."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("not a PNG")
    parts = list(chunks(data))
    if parts[0][0] != b"IHDR" or parts[-1][0] != b"IEND":
        raise ValueError("no beginning or no end")
    width, height, depth, color = struct.unpack_from(">IIBB", parts[0][1])
    pixels = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    if depth != 8 or len(pixels) != height * (1 + width * CHANNELS[color]):
        raise ValueError("pixels are missing")
    return width, height


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print("%dx%d" % size(file.read()))

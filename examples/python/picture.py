"""Makes a picture and saves it, or lists the account's keys.

Usage: picture.py [--size WxH] [--out FILE] [PROMPT] | picture.py keys
"""

from __future__ import annotations

import argparse
import sys

import libfal


def size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def make_picture(prompt: str, width: int, height: int, out: str) -> None:
    client = libfal.SyncClient(user_agent="picture-example/1.0")
    used = client.explain().used
    if used:
        print(f"key:      {used.source}, id {used.key_id}")

    inputs = {"prompt": prompt, "image_size": {"width": width, "height": height}}
    answer = client.with_raw_response.run("fal-ai/flux/schnell", inputs)
    print(f"request:  {answer.request_id}")

    image = answer.json()["images"][0]
    client.download(image["url"], out, overwrite=True)
    print(f"picture:  {out} ({image['width']}x{image['height']})")


def list_keys() -> None:
    for key in libfal.SyncClient().request("GET", "/v1/keys").json()["keys"]:
        print(f"{key['key_id']}  {key['alias']}")


def report(error: libfal.FalClientError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    print(f"do:    {error.remedy}", file=sys.stderr)
    if error.explanation:
        print(error.explanation, file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a picture and save it; the prompt `keys` lists your keys.")
    parser.add_argument("--size", type=size, default=(512, 512), metavar="WxH")
    parser.add_argument("--out", default="picture.png", metavar="FILE")
    parser.add_argument("prompt", nargs="?", default="a lighthouse at dusk", metavar="PROMPT")
    arguments = parser.parse_args()
    try:
        if arguments.prompt == "keys":
            list_keys()
        else:
            width, height = arguments.size
            make_picture(arguments.prompt, width, height, arguments.out)
    except libfal.FalClientError as error:
        report(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

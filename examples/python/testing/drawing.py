"""A program that makes pictures, for test_drawing.py to test."""

from __future__ import annotations

import libfal

client = libfal.SyncClient()


def draw(prompt: str) -> str:
    made = libfal.run("fal-ai/flux/schnell", {"prompt": prompt})
    url: str = made["images"][0]["url"]
    return url


def draw_later(prompt: str) -> str:
    """Submits a job and returns its id."""
    return client.submit("fal-ai/flux/dev", {"prompt": prompt}).request_id


def draw_patiently(prompt: str) -> str | None:
    """Returns None where fal is busy."""
    try:
        return draw(prompt)
    except libfal.ServiceError:
        return None

"""Prints the URL of a picture."""

import libfal

made = libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse"})
print(made["images"][0]["url"])

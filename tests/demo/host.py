"""Runs examples/c/host.c, whose plug-in waits for a job: the job is submitted once, survives every reload and is never cancelled.

usage: fal-emulator exec -- host.py HOST PLUGIN
"""

import http.client
import json
import os
import subprocess
import sys

PATIENCE = 60


def arrivals(query: str) -> int:
    emulator = http.client.HTTPConnection(os.environ["FAL_EMULATOR_HOST"], timeout=PATIENCE)
    emulator.request("GET", "/_emulator/requests?" + query)
    count = json.load(emulator.getresponse())["count"]
    emulator.close()
    return count


def main(host: str, plugin: str) -> None:
    ran = subprocess.run([host, plugin, "3"], capture_output=True, text=True, timeout=PATIENCE)
    print(ran.stdout + ran.stderr, end="")
    lines = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (0, ""), ran.returncode
    assert lines[0].startswith("unloaded; the job is ") and lines[:3] == [lines[0]] * 3, "the job changes"
    assert lines[3:] == ['result: {"done":true}', "unloaded; the job is done"]
    assert (arrivals("method=POST"), arrivals("method=PUT")) == (1, 0), "the job was submitted again, or cancelled"
    print("host: the job outlives the plug-in")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The samples in fal_client's README, with `import libfal as fal_client`. THEIR_SOURCE names the folder of its source distribution."""

import json
import os
import re
import urllib.request
from pathlib import Path

import pytest

README = (Path(os.environ["THEIR_SOURCE"]) / "README.md").read_text()
SAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LAST_LINES = [r"https://\S+", r"https://\S+", "a transcript", "a transcript", r"https://\S+"]


@pytest.fixture(autouse=True)
def whisper():
    """The emulator has no model for speech."""
    fault = {"path": "/fal-ai/whisper", "times": None, "action": {"type": "status", "status": 200, "body": {"text": "a transcript"}}}
    url = f"{os.environ['HTTPS_PROXY']}/_emulator/faults"
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(urllib.request.Request(url, json.dumps(fault).encode())).close()


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_sample_runs(programs, number):
    (programs.home / "path" / "to").mkdir(parents=True)
    (programs.home / "path" / "to" / "audio.wav").write_bytes(b"RIFF")
    sample = f"import os; os.chdir({str(programs.home)!r})\n" + SAMPLES[number]
    if programs.client == "libfal":
        sample = sample.replace("import fal_client", "import libfal as fal_client")
    printed = programs.output(sample, **{name: os.environ[name] for name in ("HTTPS_PROXY", "SSL_CERT_FILE", "NO_PROXY", "FAL_KEY")})
    assert re.fullmatch(LAST_LINES[number], printed.splitlines()[-1]), printed


def test_each_sample_is_known():
    assert len(SAMPLES) == len(LAST_LINES)

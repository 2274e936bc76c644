"""The inputs of all clients. The JavaScript client and libfal read the same inputs.json."""

import json
from pathlib import Path

_INPUTS = json.loads(Path(__file__).with_name("inputs.json").read_text())

ECHO, EVENTS, JOB, LONG_JOB = (_INPUTS[name] for name in ("echo", "events", "job", "long_job"))
SMALL = _INPUTS["small"].encode()

"""subscribe.py URL JOBS: submits jobs to the queue with fal_client and waits for them, one after another. Prints how many requests
each took, and how long after its end the result was there."""

import json
import sys
import time

import fal_client.client

from sent import INPUT, KEY, parts


def main():
    (host, endpoint), jobs = parts(sys.argv[1]), int(sys.argv[2])
    # The client knows https only.
    fal_client.client.QUEUE_URL_FORMAT = f"http://{host}/"
    client, found = fal_client.client.SyncClient(key=KEY), []
    for _ in range(jobs):
        result = client.subscribe(endpoint, INPUT)
        found.append({"requests": result["requests"], "late_ms": (time.time() - result["ended"]) * 1e3})
    print(json.dumps(found))


main()

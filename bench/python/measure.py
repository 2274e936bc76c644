"""What the programs print: the time and the CPU time of requests, as JSON."""

import json
import resource
import time


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(took, seconds, cpu_seconds):
    took.sort()
    at = lambda part: took[int((len(took) - 1) * part)] * 1e6  # noqa: E731
    print(
        json.dumps(
            {
                "requests": len(took),
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "median_us": at(0.5),
                "p95_us": at(0.95),
            }
        )
    )

"""Many asynchronous calls, cancelled at random, leave nothing behind. MANY_CALLS and MANY_CHILDREN set the numbers."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from pathlib import Path

import logs
import pytest
from conftest import Emulator, output

import libfal

CALLS = int(os.environ.get("MANY_CALLS", 1000))
CHILDREN = int(os.environ.get("MANY_CHILDREN", 50))
IN_FLIGHT = 32
#: Of 10,000 calls. A leak of one kilobyte for each call is found.
MOST_MEMORY = 10 << 20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def memory() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def some_calls(client: libfal.AsyncClient, count: int, chance: random.Random) -> dict[str, int]:
    """Makes this many calls. Returns how each ended."""
    ends = {"answered": 0, "cancelled": 0}
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            call = asyncio.ensure_future(client.run("emulator/echo", {"number": number, "data": "x" * chance.randrange(2000)}))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() * 0.01)
                call.cancel()
            try:
                answer = await call
            except asyncio.CancelledError:
                ends["cancelled"] += 1
            else:
                assert answer["body"]["number"] == number
                ends["answered"] += 1

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    assert len(asyncio.all_tasks()) == 1
    return ends


def test_cancelled_calls_leave_nothing(emulator: Emulator) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)

    async def calls() -> None:
        async with logs.async_client(key=emulator.api_key, emulator_host=emulator.address, log_level="info") as client:
            await some_calls(client, 200, chance)
            before = descriptors(), threads(), memory()
            ends = await some_calls(client, CALLS, chance)
            after = descriptors(), threads(), memory()
        assert min(ends.values()) > CALLS // 20, ends
        assert after[0] <= before[0] + IN_FLIGHT, f"descriptors: {before[0]}, then {after[0]}"
        assert after[1] <= before[1] + 1, f"threads: {before[1]}, then {after[1]}"
        assert after[2] - before[2] < MOST_MEMORY, f"memory: {before[2]}, then {after[2]}"

    started = descriptors()
    try:
        asyncio.run(calls())
    except BaseException:
        print(f"seed {seed}")
        raise
    libfal.shutdown()
    # The pair that woke the event loop is closed when the next loop needs one.
    assert descriptors() <= started + 2


def test_forked_children_answer_correctly(emulator: Emulator) -> None:
    """A process with three threads in calls forks again and again. Each child calls, and gets its own answer."""
    said = output(
        f"""
        import os, threading
        import logs

        client = logs.client(log_level="info")
        client.run("emulator/echo", {{"from": "parent"}})
        ended = threading.Event()
        wrong = []

        def call(name):
            number = 0
            while not ended.is_set():
                number += 1
                if client.run("emulator/echo", {{"from": [name, number]}})["body"] != {{"from": [name, number]}}:
                    wrong.append((name, number))

        threads = [threading.Thread(target=call, args=(name,)) for name in range(3)]
        for thread in threads:
            thread.start()
        for child in range({CHILDREN}):
            process = os.fork()
            if not process:
                code = 1
                try:
                    code = client.run("emulator/echo", {{"from": child}})["body"] != {{"from": child}}
                finally:
                    os._exit(code)
            wrong += [child] * (os.waitpid(process, 0)[1] != 0)
        ended.set()
        for thread in threads:
            thread.join()
        print(wrong)
        """,
        # Newer versions warn of forks in a process with threads.
        PYTHONWARNINGS="ignore::DeprecationWarning",
        **emulator.environment(),
    )
    assert said == "[]\n"

"""Importing libfal has no effect."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Emulator, output, script

import libfal

IN_OPEN = 0x20


@pytest.mark.skipif(sys.platform != "linux", reason="inotify and /proc")
def test_importing_and_making_a_client_read_no_key_and_start_no_thread(home: Path) -> None:
    config = home / ".fal" / "config.toml"
    config.parent.mkdir()
    config.write_text('[a]\nkey = "fake-id:fake-secret"\n')
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watch >= 0
    assert libc.inotify_add_watch(watch, os.fsencode(config.parent), IN_OPEN) >= 0

    def opened() -> list[int]:
        try:
            data = os.read(watch, 65536)
        except BlockingIOError:
            return []
        masks, at = [], 0
        while at < len(data):
            _, mask, _, length = struct.unpack_from("iIII", data, at)
            masks.append(mask)
            at += 16 + length
        return masks

    code = """
        import os
        def state():
            return sorted(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
        before = state()
        import libfal
        client = libfal.SyncClient(log=print, log_level="debug")
        print(before == state(), before, state(), flush=True)
        input()
        print(client.explain().used)
    """
    try:
        with script(code, FAL_PROFILE="a") as process:
            assert process.stdin and process.stdout
            assert process.stdout.readline().startswith("True ")
            assert opened() == []
            printed, complaints = process.communicate("\n", timeout=30)
        # Proves that the watch works: looking for the key opens the file.
        assert "profile: used, fake-id" in printed and complaints == ""
        assert opened()
    finally:
        os.close(watch)


def test_a_replaced_function_stays_and_a_method_is_named() -> None:
    code = """
        import libfal
        libfal.run = "mine"
        libfal.SyncClient
        print(libfal.run)
        for name in ("download", "platform", "request", "channel", "close", "nonsense", "_x"):
            try:
                getattr(libfal, name)
            except AttributeError as error:
                print(error)
    """
    known = "download platform request channel close".split()
    told = [f"module 'libfal' has no attribute '{name}': it is one of SyncClient, as in libfal.SyncClient().{name}" for name in known]
    unknown = [f"module 'libfal' has no attribute '{name}'" for name in ("nonsense", "_x")]
    assert output(code).splitlines() == ["mine", *told, *unknown]


# Modules of Python that would take most of the time of the import.
HEAVY = """asyncio ast collections contextlib copyreg dataclasses datetime dis enum functools inspect json linecache logging operator
    pathlib random re reprlib socket ssl subprocess tempfile threading tokenize traceback types typing urllib weakref""".split()


def test_importing_loads_no_heavy_module() -> None:
    # Without site, which may load anything.
    code = "import sys; sys.path.append(sys.argv[1]); before = set(sys.modules); import libfal; print(*set(sys.modules) - before)"
    command = [sys.executable, "-I", "-S", "-c", code, str(Path(libfal.__file__).parents[1])]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "libfal" in loaded
    assert set(HEAVY) & {name.partition(".")[0] for name in loaded} == set()


def test_a_call_loads_no_heavy_module(emulator: Emulator) -> None:
    code = """
        import os, sys
        before = set(sys.modules)
        import libfal
        print(libfal.run("emulator/echo", {"a": [1, 2.5, None, True, "\u00e4"]})["body"]["a"], libfal.explain().used.source)
        print(*set(sys.modules) - before)
    """
    first, loaded = output(code, **emulator.environment()).splitlines()
    assert first == "[1, 2.5, None, True, '\u00e4'] FAL_KEY"
    assert set(HEAVY) & {name.partition(".")[0] for name in loaded.split()} == set()


def test_importing_is_quick() -> None:
    def seconds(code: str) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            best = min(best, time.perf_counter() - started)
        return best

    extra = seconds("import libfal") - seconds("import json, dataclasses")
    print(f"import libfal takes {1000 * extra:.0f} ms")
    assert extra < 1


def test_a_package_that_is_imported_again_has_the_same_classes() -> None:
    code = """
        import pickle, sys, libfal
        first, client = libfal.FalClientError, libfal.SyncClient("fake-id:fake-secret")
        for name in [name for name in sys.modules if name.partition(".")[0] == "libfal"]:
            del sys.modules[name]
        import libfal
        for caller in (client, libfal.SyncClient("fake-id:fake-secret")):
            try:
                caller.run("::", {})
            except libfal.FalClientError as error:
                print(type(pickle.loads(pickle.dumps(error))) is libfal.InvalidArgumentError, libfal.FalClientError is first)
        libfal.SyncClient(app_token=libfal.AppToken("fake-token-of-thirty-characters"))
    """
    assert output(code) == "True True\n" * 2


def test_a_sub_interpreter_is_refused_and_harms_nothing(emulator: Emulator) -> None:
    code = """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import textwrap

        CODE = textwrap.dedent('''
            try:
                import libfal
            except ImportError as error:
                print("main interpreter" in str(error), flush=True)
        ''')
        run = getattr(interpreters, "run_string", None) or interpreters.exec
        for _ in range(2):
            sub = interpreters.create()
            run(sub, CODE)
            interpreters.destroy(sub)
            import libfal
            print(libfal.run("emulator/echo", {"a": 1})["body"], flush=True)
    """
    # Creating an interpreter raises warnings about the module itself.
    assert output(code, PYTHONWARNINGS="ignore", **emulator.environment()) == "True\n{'a': 1}\n" * 2

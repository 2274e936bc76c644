"""Programs with greenlets in place of threads, or with a main thread that has ended."""

from __future__ import annotations

import importlib.util

import pytest
from conftest import Emulator, output

PATCHES = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
}

# What a credential function does before it returns: nothing, or something that lets other greenlets run.
WORK = {
    "at once": "pass",
    "after a sleep": "time.sleep(0.05)",
    "after a socket": "socket.create_connection((host, int(port)), timeout=10).close()",
    "with a lock": "lock.acquire(); time.sleep(0.01); lock.release()",
    "of a thread": "threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]; "
    "[thread.start() for thread in threads]; [thread.join() for thread in threads]",
}

CODE = """
    {patch}
    import os, socket, sys, threading, time
    import libfal, logs
    host, port = os.environ["FAL_EMULATOR_HOST"].rsplit(":", 1)
    lock = threading.Lock()
    lines = []
    def credential():
        {work}
        return os.environ["FAL_TEST_KEY"]
    def log(level, line):
        time.sleep(0.001)
        lines.append(line)
    client = logs.client(credential=credential, log=log, log_level="debug")
    done = []
    def call(n):
        done.append(client.run("emulator/echo", {{"n": n}}, timeout=30)["body"]["n"])
    call(0)
    # Several greenlets of the program.
    callers = [threading.Thread(target=call, args=(n,)) for n in range(1, 5)]
    [caller.start() for caller in callers]
    [caller.join() for caller in callers]
    # A real thread of the program.
    {real}
    libfal.flush_log(10)
    print(sorted(done), bool(lines))
"""

REAL = {
    "gevent": "import gevent; gevent.get_hub().threadpool.spawn(call, 5).get()",
    "eventlet": "from eventlet import tpool; tpool.execute(call, 5)",
}


def environment(emulator: Emulator) -> dict[str, str]:
    return {"FAL_EMULATOR_HOST": emulator.address, "FAL_TEST_KEY": emulator.api_key}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("library", PATCHES)
def test_calls_work_where_threads_are_greenlets(emulator: Emulator, library: str, work: str) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    code = CODE.format(patch=PATCHES[library], work=WORK[work], real=REAL[library])
    assert output(code, **environment(emulator)) == "[0, 1, 2, 3, 4, 5] True\n"


@pytest.mark.parametrize("library", PATCHES)
def test_a_call_that_no_greenlet_can_answer_ends_with_its_time(emulator: Emulator, library: str) -> None:
    """The function waits for a greenlet of a thread that is itself blocked until the function returns."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    code = """
        {patch}
        import os, threading, time
        import libfal, logs
        given = []
        def give():
            time.sleep(0.2)
            given.append(os.environ["FAL_TEST_KEY"])
        def credential():
            while not given:
                time.sleep(0.01)
            return given[0]
        client = logs.client(credential=credential)
        threading.Thread(target=give).start()
        begun = time.monotonic()
        try:
            client.run("emulator/echo", {{}}, timeout=2)
            print("answered")
        except libfal.FalClientTimeoutError:
            print("late", time.monotonic() - begun < 10)
        # After the deadline the greenlet runs, so that the next call gets a credential.
        time.sleep(0.5)
        print(client.run("emulator/echo", {{}}, timeout=30)["body"])
    """.format(patch=PATCHES[library])
    assert output(code, **environment(emulator)) == "late True\n{}\n"


def test_threads_that_outlive_the_main_thread_go_on_calling(emulator: Emulator) -> None:
    code = """
        import atexit, os, threading, time
        import libfal, logs
        def credential():
            return os.environ["FAL_TEST_KEY"]
        # A client that was in use before the main thread ended, and new ones afterwards.
        old = logs.client(credential=credential)
        old.run("emulator/echo", {})
        def work():
            threading.main_thread().join()
            time.sleep(0.1)
            new = logs.client(credential=credential, log=lambda level, line: None, log_level="debug")
            for client in (old, new):
                print(client.run("emulator/echo", {}, timeout=30)["body"], flush=True)
                operation = client.run_start("emulator/echo", {})
                print(operation.wait(30), flush=True)
        threading.Thread(target=work).start()
        def last():
            try:
                print(logs.client(credential=credential).run("emulator/echo", {}, timeout=30)["body"])
            except libfal.FalClientError as error:
                print(type(error).__name__)
        atexit.register(last)
    """
    printed = output(code, **environment(emulator))
    assert printed == "{}\nTrue\n{}\nTrue\n{}\n"

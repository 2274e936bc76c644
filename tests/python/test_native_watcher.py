"""The watcher: it wakes an event loop, whatever becomes of it, of its operations and of the process."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import threading
import time

import pytest
from conftest import Emulator, output, script
from native import PATIENCE, code, core_of, given, outcome, request

from libfal import _libfal
from libfal._libfal import Core, Op, Watcher


@pytest.fixture
def core(emulator: Emulator) -> Core:
    return core_of(emulator.client())


def new() -> Watcher:
    return given(_libfal.watcher())  # type: ignore[no-any-return]


def is_awake(watcher: Watcher, seconds: float = PATIENCE) -> bool:
    return bool(select.select([watcher.fileno()], [], [], seconds)[0])


def until(watcher: Watcher, wanted: set[int]) -> None:
    """Waits until all these operations have had news."""
    seen: set[int] = set()
    while not wanted <= seen:
        assert is_awake(watcher), wanted - seen
        seen.update(given(watcher.ready()))
    assert seen <= wanted


def sleeps(watcher: Watcher) -> None:
    """Makes sure that it wakes no more. The last wake may come after what it is for was read."""
    until = time.monotonic() + PATIENCE
    while is_awake(watcher, 0.2):
        assert given(watcher.ready()) == []
        assert time.monotonic() < until


def test_it_wakes_for_each_end_and_then_sleeps(core: Core) -> None:
    watcher = new()
    ops = [given(core.run(request("emulator/echo", {"n": n}))) for n in range(50)]
    for number, op in enumerate(ops):
        assert watcher.watch(op, number, False) is None
    until(watcher, set(range(50)))
    assert [outcome(op)["body"]["n"] for op in ops] == list(range(50))
    sleeps(watcher)


def test_it_starts_plain_runs_and_wakes_for_their_ends(core: Core) -> None:
    watcher = new()
    ops = [given(watcher.run_plain(core, "emulator/echo", {"n": n}, PATIENCE, n)) for n in range(20)]
    until(watcher, set(range(20)))
    assert [given(op.output())["body"]["n"] for op in ops] == list(range(20))
    sleeps(watcher)
    assert watcher.run_plain(core, "emulator/echo", [], PATIENCE, 1) is NotImplemented
    assert code(watcher.run_plain(core, "no endpoint", {}, PATIENCE, 1)) == "FAL_E_INVALID_ARGUMENT"
    running = given(watcher.run_plain(core, "emulator/slow", {"ms": 60_000}, PATIENCE, 99))
    assert code(running.output()) == "FAL_E_PANIC"
    del running
    gc.collect()
    until(watcher, {99})
    watcher.close()
    assert code(watcher.run_plain(core, "emulator/echo", {}, PATIENCE, 1)) == "FAL_E_CLOSED"


def test_it_wakes_for_an_operation_that_has_ended_already(core: Core) -> None:
    watcher = new()
    op = given(core.run(request("emulator/echo")))
    assert op.wait(PATIENCE)
    watcher.watch(op, 2**64 - 1, True)
    until(watcher, {2**64 - 1})


def test_it_reports_each_batch_of_events_once(core: Core) -> None:
    watcher = new()
    op = given(core.stream(request("emulator/stream", {"events": list(range(1500))})))
    watcher.watch(op, 1, True)
    items: list[int] = []
    while True:
        assert is_awake(watcher)
        if given(watcher.ready()) == []:
            continue
        while (event := given(op.next(0.0))) is not None and event is not False:
            items.append(event.json())
        if event is False:
            break
    assert items == list(range(1500))


def test_many_wakes_without_a_reader_are_one(core: Core) -> None:
    watcher = new()
    ops = [given(core.run(request("emulator/echo"))) for _ in range(300)]
    for number, op in enumerate(ops):
        watcher.watch(op, number, True)
    for op in ops:
        assert given(op.wait(PATIENCE))
    until(watcher, set(range(300)))
    sleeps(watcher)


def test_a_closed_watcher_watches_nothing_and_has_no_descriptor(core: Core) -> None:
    watcher = new()
    op = given(core.run(request("emulator/slow", {"ms": 100})))
    watcher.watch(op, 1, True)
    before = socket_at(watcher.fileno())
    watcher.close()
    watcher.close()
    assert code(watcher.watch(op, 1, True)) == "FAL_E_CLOSED"
    assert code(watcher.ready()) == "FAL_E_CLOSED"
    assert outcome(op) == {"ms": 100}
    try:
        assert socket_at(watcher.fileno()) != before
    except FileNotFoundError:
        pass


def socket_at(descriptor: int) -> str:
    """Returns which socket this descriptor is."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


@pytest.mark.parametrize("first", ["watcher", "op", "ready"])
def test_it_may_go_before_or_after_its_operations(core: Core, first: str) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    for n in range(20):
        held: dict[str, Watcher | Op] = {"watcher": new(), "op": given(core.stream(request("emulator/llm", {"prompt": "a b c", "ms": n % 3})))}
        watcher = held["watcher"]
        assert isinstance(watcher, Watcher)
        watcher.watch(held["op"], n, True)  # type: ignore[arg-type]
        if first == "ready":
            is_awake(watcher)
            given(watcher.ready())
        else:
            del held[first]
        del held, watcher
    gc.collect()
    outcome(core.run(request("emulator/echo")))
    # Each had two sockets. Connections to the emulator may come and go.
    assert len(os.listdir("/proc/self/fd")) < descriptors + 30


def test_each_thread_may_have_its_own(core: Core) -> None:
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            watcher = new()
            for n in range(20):
                op = given(core.run(request("emulator/echo", {"n": [thread, n]})))
                watcher.watch(op, n, False)
                until(watcher, {n})
                assert outcome(op)["body"]["n"] == [thread, n]
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []


def test_it_wakes_asyncio(core: Core) -> None:
    async def main() -> list[int]:
        loop, watcher = asyncio.get_running_loop(), new()
        waiting: dict[int, asyncio.Future[None]] = {}

        def ready() -> None:
            for number in given(watcher.ready()):
                if number in waiting and not waiting[number].done():
                    waiting[number].set_result(None)

        async def call(number: int) -> int:
            op = given(core.run(request("emulator/echo", {"n": number})))
            waiting[number] = loop.create_future()
            watcher.watch(op, number, False)
            await asyncio.wait_for(waiting[number], PATIENCE)
            body: int = outcome(op)["body"]["n"]
            return body

        loop.add_reader(watcher.fileno(), ready)
        try:
            return await asyncio.gather(*map(call, range(100)))
        finally:
            loop.remove_reader(watcher.fileno())
            watcher.close()

    # Loops one after another.
    for _ in range(2):
        assert asyncio.run(main()) == list(range(100))


def test_what_belongs_to_the_parent_fails_in_a_child_and_goes_on_in_the_parent(emulator: Emulator) -> None:
    program = """
        import os, select, warnings
        import libfal, logs
        from libfal import _libfal
        from native import code, core_of, given, outcome, request
        core = core_of(logs.client())
        watcher = given(_libfal.watcher())
        op = given(core.run(request("emulator/slow", {"ms": 700})))
        stream = given(core.stream(request("emulator/llm", {"prompt": "a b c", "ms": 50})))
        session = given(core.websocket(request("emulator/ws"), {}))
        watcher.watch(op, 1, True)
        # From 3.12 on, a fork of a process with threads warns.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if not child:
            seen = [op.next(9.0), op.finish(9.0), op.wait(9.0), op.done(), stream.next(0.0), stream.next(9.0),
                    session.send(b"a"), session.send_bytes(b"a"), session.op().next(9.0), watcher.ready(), watcher.watch(op, 2, True)]
            assert {code(each) for each in seen} == {"FAL_E_FORKED"}, [code(each) for each in seen]
            assert op.ended() is None and op.request_id() is None and session.unsent() == op.dropped_events() == 0
            for each in (op.cancel, stream.discard_events, session.close, watcher.close):
                each()
            # The child has operations and a watcher of its own.
            own = given(_libfal.watcher())
            mine = given(core.run(request("emulator/echo", {"n": 1})))
            own.watch(mine, 3, True)
            assert select.select([own.fileno()], [], [], 30)[0]
            assert given(own.ready()) == [3]
            assert outcome(mine)["body"]["n"] == 1
            del op, stream, session, watcher
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert select.select([watcher.fileno()], [], [], 30)[0]
        assert given(watcher.ready()) == [1]
        print(outcome(op), session.send(b"a"), given(stream.next(9.0)).kind())
    """
    assert output(program, **emulator.environment()) == "{'ms': 700} None item\n"


@pytest.mark.parametrize("ms", [0, 5, 60_000])
def test_the_process_ends_while_a_watcher_is_awake(emulator: Emulator, ms: int) -> None:
    """Also with a thread that waits for it, and with operations that end meanwhile."""
    program = f"""
        import os, select, sys, threading
        import libfal, logs
        from libfal import _libfal
        from native import core_of, given, request
        core = core_of(logs.client())
        watchers = [given(_libfal.watcher()) for _ in range(3)]
        for number in range(30):
            op = given(core.run(request("emulator/slow", {{"ms": {ms} + number % 7}})))
            watchers[number % 3].watch(op, number, True)
        def work():
            while True:
                select.select([watchers[0].fileno()], [], [], 1)
                watchers[0].ready()
        threading.Thread(target=work, daemon=True).start()
        for number in range(20):
            threading.Thread(target=op.finish, args=(60.0,), daemon=True).start()
        select.select([watchers[1].fileno()], [], [], 0.05)
        print("end", flush=True)
    """
    assert output(program, **emulator.environment()) == "end\n"


def test_a_wake_to_a_descriptor_that_is_closed_elsewhere_harms_nothing(emulator: Emulator) -> None:
    program = """
        import os, signal
        import libfal, logs
        from libfal import _libfal
        from native import core_of, given, outcome, request
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        core = core_of(logs.client())
        watcher = given(_libfal.watcher())
        op = given(core.run(request("emulator/slow", {"ms": 100})))
        watcher.watch(op, 1, True)
        os.close(watcher.fileno())
        print(outcome(op), flush=True)
        print(watcher.ready(), flush=True)
        # The number must be free when it is closed again.
        os._exit(0)
    """
    assert output(program, **emulator.environment()) == "{'ms': 100}\n[1]\n"


FORKS = int(os.environ.get("FAL_TEST_FORKS", "40"))
"""How many children the last test forks. 1000 is the whole test."""


def test_children_that_are_forked_while_threads_call_neither_hang_nor_mix_answers(emulator: Emulator) -> None:
    program = f"""
        import os, signal, threading, warnings
        import libfal, logs
        from libfal import _libfal
        from native import code, core_of, given, outcome, request
        core = core_of(logs.client())
        ended, wrong = threading.Event(), []
        long = "x" * 6000
        def work(thread):
            n = 0
            watcher = given(_libfal.watcher())
            while not ended.is_set():
                n += 1
                body = {{"n": [thread, n], "long": long if n % 3 == 0 else ""}}
                op = given(core.run(request("emulator/echo", body)))
                watcher.watch(op, n, True)
                if outcome(op)["body"] != body:
                    wrong.append(body)
                watcher.ready()
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(3)]
        [thread.start() for thread in threads]
        mine = given(core.run(request("emulator/slow", {{"ms": 600_000}})))
        def child(n):
            # A hang ends the child.
            signal.alarm(60)
            assert code(mine.finish(30.0)) == "FAL_E_FORKED"
            for each in range(2):
                body = {{"child": [n, each], "long": long}}
                assert given(core.run_wait(request("emulator/echo", body), 30.0)).json()["body"] == body
            os._exit(7)
        # From 3.12 on, a fork of a process with threads warns.
        warnings.simplefilter("ignore", DeprecationWarning)
        ends = []
        for n in range({FORKS}):
            pid = os.fork()
            if not pid:
                try:
                    child(n)
                finally:
                    os._exit(1)
            ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        ended.set()
        [thread.join() for thread in threads]
        mine.cancel()
        print(set(ends), wrong)
    """
    with script(program, **emulator.environment()) as process:
        printed, complaints = process.communicate(timeout=60 + FORKS)
    assert (process.returncode, printed, complaints) == (0, "{7} []\n", "")


def test_forks_do_not_hang_while_tracemalloc_is_on(emulator: Emulator) -> None:
    """A thread that calls the log function for the first time then takes the GIL before a fork may go on."""
    program = """
        import os, signal, threading, warnings
        import libfal, logs
        client = logs.client()
        ended = threading.Event()
        def work():
            while not ended.is_set():
                client.run("emulator/slow", {"ms": 0})
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        # From 3.12 on, a fork of a process with threads warns.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A hang ends the process.
        signal.alarm(60)
        for n in range(100):
            if not (child := os.fork()):
                os._exit(0)
            os.waitpid(child, 0)
        ended.set()
        [thread.join() for thread in threads]
        print("ended")
    """
    assert output(program, PYTHONTRACEMALLOC="1", **emulator.environment()) == "ended\n"

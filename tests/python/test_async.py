"""AsyncClient: the same calls as SyncClient, in event loops of any kind."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import io
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import logs
import pytest
from conftest import Emulator, output, script

import libfal

LONG = {"ms": 600_000, "honour_cancel": True}
SLOW = {"ms": 60_000}


class WithoutReaders(asyncio.SelectorEventLoop):
    """Refuses what the loop of Windows refuses."""

    def add_reader(self, fd: object, callback: object, *args: object) -> None:
        raise NotImplementedError


def with_loop(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, Any]) -> Any:
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def uvloop(main: Coroutine[Any, Any, Any]) -> Any:
    return with_loop(pytest.importorskip("uvloop").new_event_loop(), main)


def trio(main: Coroutine[Any, Any, Any]) -> Any:
    async def start() -> Any:
        return await main

    return pytest.importorskip("trio").run(start)


def anyio(backend: str) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    def run(main: Coroutine[Any, Any, Any]) -> Any:
        async def start() -> Any:
            return await main

        return pytest.importorskip("anyio").run(start, backend=backend)

    return run


RUNNERS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {
    "asyncio": asyncio.run,
    "debug": lambda main: asyncio.run(main, debug=True),
    "without readers": lambda main: with_loop(WithoutReaders(), main),
    "uvloop": uvloop,
    "trio": trio,
    "anyio on asyncio": anyio("asyncio"),
    "anyio on trio": anyio("trio"),
}


@pytest.fixture(params=RUNNERS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return RUNNERS[request.param]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


def client(emulator: Emulator, **options: Any) -> libfal.AsyncClient:
    return logs.async_client(emulator_host=emulator.address, **{"key": emulator.api_key, **options})


def test_every_call(emulator: Emulator, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    told: list[Any] = []

    async def note(what: object) -> None:
        told.append(what)

    async def main() -> None:
        async with client(emulator) as it:
            assert (await it.run("emulator/echo", {"a": 1}))["body"] == {"a": 1}
            raw = await it.with_raw_response.run("emulator/echo", {"a": 1})
            assert raw.status_code == 200 and raw.json()["body"] == {"a": 1}
            handle = await it.submit("emulator/job", {"output": {"a": 2}, "ms": 50})
            assert isinstance(await handle.status(), libfal.Status)
            states = [state async for state in handle.iter_events(with_logs=True)]
            assert isinstance(states[-1], libfal.Completed)
            assert await handle.get() == await it.result("emulator/job", handle.request_id) == {"a": 2}
            twin = await it.get_handle("emulator/job", handle.request_id)
            assert twin == handle and await twin.status() == await it.status("emulator/job", handle.request_id)
            with pytest.raises(libfal.FalClientHTTPError):
                await handle.cancel()
            inputs = {"ms": 100, "logs": ["one"], "output": {"a": 3}}
            result = await it.subscribe("emulator/job", inputs, with_logs=True, on_enqueue=note, on_queue_update=note)
            assert result == {"a": 3}
            assert isinstance(told[0], str) and isinstance(told[-1], libfal.Completed) and len(told[-1].logs or []) == 1
            items: list[Any] = [item async for item in it.stream("emulator/stream", {"events": [1, "a", None]})]
            assert items == [1, "a", None]
            assert (await it.request("GET", "/v1/models")).status_code == 200
            url = await it.upload(b"abc", "text/plain", "a.txt", on_progress=lambda *_: told.append("sent"))
            assert await it.download(url) == b"abc" and "sent" in told
            assert (await it.check()).accepted and it.known_scope() == "API"
            used = (await it.explain()).used
            assert used and used.key_id == emulator.key_id
            assert (await it.platform("models.pricing", endpoint_id="fal-ai/flux/dev"))["prices"]
            assert (await it.mint_token("emulator/echo")).text
        with pytest.raises(libfal.UsageError, match="closed"):
            await it.run("emulator/echo", {})

    run(main())


def test_many_calls_at_once(emulator: Emulator, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    it = client(emulator, log=None)
    numbers = iter(range(96))
    done: list[int] = []

    async def work() -> None:
        for n in numbers:
            assert (await it.run("emulator/echo", {"n": n}))["body"]["n"] == n
            done.append(n)

    async def main() -> None:
        await at_once([work for _ in range(16)])

    run(main())
    assert sorted(done) == list(range(96))


async def at_once(works: list[Callable[[], Awaitable[None]]]) -> None:
    """Runs tasks of the library whose loop runs."""
    if (trio := sys.modules.get("trio")) and in_trio():
        async with trio.open_nursery() as nursery:
            for work in works:
                nursery.start_soon(work)
    else:
        await asyncio.gather(*(work() for work in works))


def in_trio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def arrived(emulator: Emulator, **filters: Any) -> list[dict[str, Any]]:
    return emulator.arrivals(**filters)


def closed(emulator: Emulator) -> bool:
    """Whether the client closed the connection of the first request, now or within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if emulator.arrivals()[0]["outcome"] != "pending":
            return bool(emulator.arrivals()[0]["outcome"] == "client_closed")
        time.sleep(0.005)
    return False


def test_cancelling_a_task_cancels_the_call(emulator: Emulator) -> None:
    async def main() -> None:
        task = asyncio.create_task(client(emulator).run("emulator/slow", SLOW))
        await asyncio.to_thread(emulator.arrivals, wait_for=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed(emulator)
        # Only what runs now: nothing is left.
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("way", ["cancel", "timeout", "trio", "exception of a function"])
def test_leaving_a_wait_for_a_job_cancels_the_job(emulator: Emulator, way: str) -> None:
    it = client(emulator)

    async def by_cancelling() -> None:
        task = asyncio.create_task(it.subscribe("emulator/job", LONG))
        await asyncio.to_thread(emulator.arrivals, path="*/status*", wait_for=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def by_timeout() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(it.subscribe("emulator/job", LONG), 0.5)

    async def in_trio() -> None:
        trio = pytest.importorskip("trio")
        with trio.move_on_after(0.5) as scope:
            await it.subscribe("emulator/job", LONG)
        assert scope.cancelled_caught

    async def fail(_status: libfal.Status) -> None:
        raise KeyError("mine")

    async def by_exception() -> None:
        with pytest.raises(KeyError, match="mine"):
            await it.subscribe("emulator/job", LONG, on_queue_update=fail)

    if way == "trio":
        pytest.importorskip("trio").run(in_trio)
    else:
        ways = {"cancel": by_cancelling, "timeout": by_timeout, "exception of a function": by_exception}
        asyncio.run(ways[way]())
    assert [arrival["method"] for arrival in arrived(emulator, path="*/cancel", wait_for=1)] == ["PUT"]


def test_the_limit_of_the_whole_call(emulator: Emulator) -> None:
    async def main() -> None:
        with pytest.raises(libfal.FalClientTimeoutError) as caught:
            await client(emulator).subscribe("emulator/job", LONG, client_timeout=0.5)
        assert caught.value.timeout == 0.5 and caught.value.request_id
        with pytest.warns(UserWarning, match="exceeds client_timeout") as warned:
            await client(emulator).subscribe("emulator/job", {}, client_timeout=60, start_timeout=70)
        assert warned[0].filename == __file__

    asyncio.run(main())
    assert len(arrived(emulator, path="*/cancel", wait_for=1)) == 1


@pytest.mark.parametrize("kind", ["asyncio", "without readers", "uvloop", "trio"])
def test_the_limit_of_the_whole_call_ends_a_function_of_the_program(emulator: Emulator, kind: str) -> None:
    it, told = client(emulator), []

    async def never(_status: libfal.Status) -> None:
        try:
            await pause(3600)
        finally:
            told.append("ended")

    async def briefly(status: libfal.Status) -> None:
        await pause(0.01)
        told.append(type(status).__name__)

    async def fail(_status: libfal.Status) -> None:
        await pause(0.01)
        raise KeyError("mine")

    async def main() -> None:
        with pytest.raises(libfal.FalClientTimeoutError) as caught:
            await it.subscribe("emulator/job", LONG, on_queue_update=never, client_timeout=0.3)
        assert caught.value.request_id and told.pop() == "ended" and set(told) <= {"ended"}
        await it.subscribe("emulator/job", {"ms": 50}, on_queue_update=briefly, client_timeout=60)
        assert told[-1] == "Completed"
        with pytest.raises(KeyError, match="mine"):
            await it.subscribe("emulator/job", LONG, on_queue_update=fail, client_timeout=60)
        if not in_trio():
            waiting = asyncio.ensure_future(it.subscribe("emulator/job", LONG, on_queue_update=never, client_timeout=60))
            await asyncio.wait([waiting], timeout=0.3)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert told[-1] == "ended"
            assert asyncio.all_tasks() == {asyncio.current_task()}

    RUNNERS[kind](main())
    assert len(arrived(emulator, path="*/cancel", wait_for=2)) >= 2


async def pause(seconds: float) -> None:
    await (sys.modules["trio"] if in_trio() else asyncio).sleep(seconds)


def test_leaving_a_stream_ends_it(emulator: Emulator) -> None:
    async def main() -> None:
        items: Any = client(emulator).stream("emulator/stream", {"events": [1, 2, 3], "ms": 60_000})
        # A request of an earlier test may arrive late.
        assert [it for it in emulator.arrivals() if it["path"].startswith("/emulator/stream")] == []
        async for item in items:
            assert item == 1
            break
        await items.aclose()
        with pytest.raises(StopAsyncIteration):
            await items.__anext__()
        assert closed(emulator)
        emulator.control("DELETE", "requests")
        async for _ in client(emulator).stream("emulator/stream", {"events": [1, 2, 3], "ms": 60_000}):
            break
        gc.collect()
        assert closed(emulator)
        with pytest.raises(libfal.FalClientTimeoutError, match="0.2 s") as caught:
            [item async for item in client(emulator).stream("emulator/stream", {"events": [1, 2], "ms": 60_000}, timeout=0.2)]
        assert caught.value.timeout == 0.2 and caught.value.may_have_executed

    asyncio.run(main())


def test_loops_one_after_another_and_side_by_side(emulator: Emulator) -> None:
    it = client(emulator)

    async def main(n: int) -> int:
        results = await asyncio.gather(*(it.run("emulator/echo", {"n": 10 * n + k}) for k in range(10)))
        assert [result["body"]["n"] for result in results] == [10 * n + k for k in range(10)]
        return n

    assert [asyncio.run(main(n)) for n in range(5)] == list(range(5))
    done: list[int] = []
    threads = [threading.Thread(target=lambda n=n: done.append(asyncio.run(main(n)))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_no_descriptor_and_no_task_is_left(emulator: Emulator) -> None:
    it = client(emulator, log=None)

    async def main() -> None:
        await asyncio.gather(*(it.run("emulator/echo", {}) for _ in range(8)))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    gc.collect()
    before = descriptors()
    for _ in range(50):
        asyncio.run(main(), debug=False)
    gc.collect()
    assert descriptors() <= before + 8


def test_a_loop_that_is_closed_with_calls_under_way(emulator: Emulator) -> None:
    code = """
        import asyncio, gc, warnings, libfal, logs
        warnings.simplefilter("ignore", ResourceWarning)
        client = logs.async_client()
        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(client.run("emulator/slow", {"ms": 60_000})) for _ in range(4)]
        tasks += [loop.create_task(client.subscribe("emulator/job", {"ms": 600_000}))]
        loop.run_until_complete(asyncio.sleep(0.5))
        loop.set_exception_handler(lambda *_: None)
        loop.close()
        for task in tasks:
            task._log_destroy_pending = False
        del tasks, task, loop
        gc.collect()
        print(asyncio.run(client.run("emulator/echo", {"a": 1}), debug=False)["body"])
    """
    assert output(code, **emulator.environment()) == "{'a': 1}\n"
    assert len(arrived(emulator, path="*/cancel", wait_for=1)) == 1


@pytest.mark.parametrize("loop", ["asyncio.new_event_loop()", "WithoutReaders()"])
@pytest.mark.parametrize("end", ["loop.close()", ""])
def test_a_loop_that_is_forgotten_goes_with_its_calls(emulator: Emulator, loop: str, end: str) -> None:
    """No other loop follows."""
    code = f"""
        import asyncio, gc, warnings, weakref, libfal, logs
        from test_async import WithoutReaders
        warnings.simplefilter("ignore", ResourceWarning)
        client = logs.async_client()
        loop = {loop}
        loop.set_exception_handler(lambda *_: None)
        task = loop.create_task(client.subscribe("emulator/job", {{"ms": 600_000}}))
        loop.run_until_complete(asyncio.sleep(0.5))
        task._log_destroy_pending = False
        known = weakref.ref(loop)
        {end}
        del task, loop
        gc.collect()
        print(known())
        input()
    """
    with script(code, **emulator.environment()) as process:
        assert process.stdout and process.stdout.readline() == "None\n"
        assert len(arrived(emulator, path="*/cancel", wait_for=1, timeout_ms=10_000)) == 1
        assert process.communicate("\n", timeout=30) == ("", "")


def test_a_loop_without_readers_may_be_closed_at_once(emulator: Emulator) -> None:
    it = client(emulator)
    before = descriptors()
    for n in range(8):
        loop = WithoutReaders()
        loop.set_exception_handler(lambda *_: None)
        assert loop.run_until_complete(it.run("emulator/echo", {"n": n}))["body"] == {"n": n}
        loop.close()
        del loop
    gc.collect()
    assert asyncio.run(it.run("emulator/echo", {}))["body"] == {}
    assert descriptors() <= before + 8


def test_a_fork_inside_a_loop(emulator: Emulator) -> None:
    code = """
        import asyncio, os, warnings, libfal, logs
        warnings.simplefilter("ignore", DeprecationWarning)
        client = logs.async_client()
        async def main():
            running = [asyncio.ensure_future(client.run("emulator/slow", {"ms": 300})) for _ in range(4)]
            await client.run("emulator/echo", {})
            if not (child := os.fork()):
                try:
                    print(asyncio.run(client.run("emulator/echo", {"n": 1}), debug=False)["body"], flush=True)
                finally:
                    os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print([result["ms"] for result in await asyncio.gather(*running)])
            print((await client.run("emulator/echo", {"n": 2}))["body"])
        asyncio.run(main(), debug=False)
    """
    assert output(code, **emulator.environment()) == "{'n': 1}\n[300, 300, 300, 300]\n{'n': 2}\n"


def test_children_of_a_process_with_a_loop(emulator: Emulator) -> None:
    code = """
        import asyncio, multiprocessing, warnings, libfal, logs
        warnings.simplefilter("ignore", DeprecationWarning)
        client = logs.async_client()
        async def call(n):
            return (await client.run("emulator/echo", {"n": n}))["body"]["n"]
        def work(n):
            return asyncio.run(call(n), debug=False)
        assert work(-1) == -1
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(pool.map(work, range(12)))
            pool.close()
            pool.join()
    """
    assert output(code, **emulator.environment()) == f"{list(range(12))}\n"


def test_ctrl_c_ends_a_loop_and_cancels_the_job(emulator: Emulator) -> None:
    code = """
        import asyncio, libfal, logs
        asyncio.run(logs.async_client().subscribe("emulator/job", {"ms": 600_000}), debug=False)
    """
    with script(code, **emulator.environment()) as process:
        arrived(emulator, path="*/status*", wait_for=1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in complaints and time.monotonic() - sent < 10
    assert len(arrived(emulator, path="*/cancel", wait_for=1)) == 1


def test_calls_that_are_cancelled_at_random_leave_nothing(emulator: Emulator) -> None:
    it = client(emulator, log=None)
    chance = random.Random(7)
    outcomes = {"done": 0, "cancelled": 0}

    async def call(slots: asyncio.Semaphore) -> None:
        async with slots:
            task = asyncio.ensure_future(it.run("emulator/slow", {"ms": chance.randrange(4)}))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 200)
                task.cancel()
            try:
                await task
                outcomes["done"] += 1
            except asyncio.CancelledError:
                outcomes["cancelled"] += 1

    async def main() -> None:
        slots = asyncio.Semaphore(32)
        await asyncio.gather(*(call(slots) for _ in range(1000)))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    gc.collect()
    assert sum(outcomes.values()) == 1000 and outcomes["cancelled"] > 50
    assert [op for op in gc.get_objects() if type(op).__name__ in ("Iteration", "_Waker")] == []


class Picture(io.BytesIO):
    """A file that can be read only after the loop has run."""

    def __init__(self) -> None:
        super().__init__(b"abc")
        self.has_run = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        assert self.has_run.wait(10)
        return super().read(size)


@pytest.mark.parametrize("kind", ["run", "upload", "stream", "channel", "channel.stream", "realtime"])
def test_the_loop_runs_while_an_input_is_encoded(emulator: Emulator, kind: str) -> None:
    it, picture = client(emulator), Picture()

    async def call() -> None:
        if kind == "run":
            await it.run("emulator/echo", {"image": picture})
        elif kind == "upload":
            await it.upload(picture, "text/plain")
        elif kind == "stream":
            assert [item async for item in it.stream("emulator/stream", {"events": [1], "image": picture})]
        elif kind == "realtime":
            async with it.realtime("emulator/realtime") as connection:
                await connection.send({"image": picture})
        elif kind == "channel":
            async with it.channel("emulator/echo") as channel:
                await channel.run({"image": picture})
        else:
            async with it.channel("emulator/stream", path="stream") as channel:
                assert [item async for item in channel.stream({"events": [1], "image": picture})]

    async def main() -> None:
        task = asyncio.ensure_future(call())
        await asyncio.sleep(0.05)
        picture.has_run.set()
        await task

    asyncio.run(main(), debug=False)


def test_two_tasks_that_iterate_one_stream_send_once(emulator: Emulator) -> None:
    async def main() -> None:
        picture = Picture()
        items: Any = client(emulator).stream("emulator/stream", {"events": [1, 2], "image": picture})
        with pytest.raises(libfal.InvalidArgumentError, match="timeout"):
            client(emulator).stream("emulator/stream", {"image": picture}, timeout=-1)
        tasks = [asyncio.ensure_future(items.__anext__()) for _ in range(2)]
        await asyncio.sleep(0.05)
        picture.has_run.set()
        assert sorted(await asyncio.gather(*tasks)) == [1, 2]

    asyncio.run(main(), debug=False)
    assert len(arrived(emulator, path="/emulator/stream*")) == 1


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_program_ends_whose_input_is_never_read(emulator: Emulator, library: str) -> None:
    """Nobody writes to the pipe. Other inputs are read meanwhile, more than there are threads."""
    pytest.importorskip(library)
    code = f"""
        import asyncio, io, os, sys, libfal, logs
        client = logs.async_client()
        reading, writing = os.pipe()
        os.dup2(reading, 0)
        pipe = sys.stdin.buffer

        async def with_asyncio():
            try:
                await asyncio.wait_for(client.run("emulator/echo", {{"image": pipe}}), 0.3)
            except asyncio.TimeoutError:
                print("over")
            await asyncio.gather(*(client.run("emulator/echo", {{"image": io.BytesIO(b"abc")}}) for _ in range(60)))

        async def with_trio():
            import trio
            with trio.move_on_after(0.3) as scope:
                await client.run("emulator/echo", {{"image": pipe}})
            print("over" * scope.cancelled_caught)
            async with trio.open_nursery() as nursery:
                for _ in range(60):
                    nursery.start_soon(client.run, "emulator/echo", {{"image": io.BytesIO(b"abc")}})

        if {library!r} == "asyncio":
            asyncio.run(with_asyncio(), debug=False)
        else:
            import trio
            trio.run(with_trio)
        print("done")
    """
    assert output(code, **emulator.environment()) == "over\ndone\n"
    assert len(arrived(emulator, method="POST", path="/emulator/echo*")) == 60


def test_without_a_loop_nothing_is_sent(emulator: Emulator) -> None:
    coroutine = client(emulator).run("emulator/echo", {})
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)
    assert emulator.arrivals() == []


def test_the_module_has_the_functions_of_its_client(emulator: Emulator) -> None:
    code = """
        import asyncio, libfal as fal_client
        async def main():
            handle = await fal_client.submit_async("emulator/job", {"output": {"a": 1}})
            print(await fal_client.result_async("emulator/job", handle.request_id))
            print(await fal_client.subscribe_async("emulator/job", {"output": {"a": 2}}))
            print([item async for item in fal_client.stream_async("emulator/stream", {"events": [1]})])
        asyncio.run(main(), debug=False)
        print((asyncio.run(fal_client.run_async("emulator/echo", {"a": 3}), debug=False))["body"])
    """
    assert output(code, **emulator.environment()) == "{'a': 1}\n{'a': 2}\n[1]\n{'a': 3}\n"


def test_importing_loads_no_event_loop() -> None:
    loaded = output("import sys, libfal; libfal.run; print([name for name in ('asyncio', 'trio', 'socket', 'selectors') if name in sys.modules])")
    assert loaded == "[]\n"


@pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="trio is not installed")
def test_trio_and_asyncio_side_by_side(emulator: Emulator) -> None:
    import trio

    it = client(emulator)

    async def call() -> Any:
        return (await it.run("emulator/echo", {"a": 1}))["body"]

    for _ in range(3):
        assert trio.run(call) == asyncio.run(call()) == {"a": 1}

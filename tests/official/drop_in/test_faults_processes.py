"""fal_client does not bear forks, pools of processes, a second event loop, or a user without a home directory."""

import select
import time

import pytest
from hostile import reply


@pytest.mark.fault("the pool hangs")
def test_an_error_crosses_a_pool_of_processes(hostile, programs):
    fal = hostile(lambda request: reply({"detail": "the prompt is too long"}, 422))
    code = """
        import multiprocessing, os, time, fal_client

        def call(number):
            return fal_client.run("fal-ai/flux/dev", {"number": number})

        pool = multiprocessing.get_context("fork").Pool(1)
        result = pool.apply_async(call, (1,))
        while pool._result_handler.is_alive() and not result.ready():
            time.sleep(0.01)
        if result.ready():
            try:
                result.get()
            except fal_client.FalClientHTTPError as error:
                print(error.status_code, error)
            pool.terminate()
        else:
            print("the thread that unpickles results has died: the pool hangs", flush=True)
            pool._pool[0].kill()
            os._exit(0)
    """
    said = programs.output(code, **fal.variables)
    assert said.startswith("422 ") and "the prompt is too long" in said, said


@pytest.mark.fault("Event loop is closed")
def test_a_client_serves_a_second_event_loop(hostile, programs):
    fal = hostile(lambda request: reply({"number": request.json["number"]}))
    code = """
        import asyncio, fal_client
        client = fal_client.AsyncClient()
        for number in (1, 2):
            print(asyncio.run(client.run("fal-ai/flux/dev", {"number": number}))["number"])
    """
    assert programs.output(code, **fal.variables).split() == ["1", "2"]


@pytest.mark.fault("the parent was given the answer for the child")
def test_a_fork_shares_no_connection(hostile, programs):
    """The child asks and is stopped. Then the parent asks. Then fal answers the child."""

    def answer(request):
        if request.json["asker"] == "child":
            # The next request of the parent arrives on another connection, or as bytes of this one.
            while not fal.has_arrived(3, seconds=0.01) and not select.select([request.socket], [], [], 0)[0]:
                pass
        return reply({"answer": f"the answer for the {request.json['asker']}"})

    fal = hostile(answer)
    program = programs.start(
        """
        import os, signal, sys, fal_client

        def ask(asker):
            return fal_client.run("fal-ai/flux/dev", {"asker": asker})["answer"]

        ask("parent")
        child = os.fork()
        if not child:
            ask("child")
            os._exit(0)
        sys.stdin.readline()
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        print(ask("parent"))
        os.kill(child, signal.SIGKILL)
        """,
        **fal.variables,
    )
    assert fal.has_arrived(2)
    program.say("the child has asked")
    ended = program.end()
    assert ended.code == 0, ended.errors
    said = ended.output.strip()
    assert said == "the answer for the parent", f"the parent was given {said}"


@pytest.mark.fault("Could not determine home directory")
def test_a_user_without_a_home_directory_can_import_it(hostile, programs):
    fal = hostile(lambda request: reply({"answer": 42}))
    # Containers run as a user that has no entry in the list of users.
    code = """
        import pwd
        def unknown(user):
            raise KeyError(f"getpwuid(): uid not found: {user}")
        pwd.getpwuid = unknown
        import fal_client
        print(fal_client.run("fal-ai/flux/dev", {})["answer"])
    """
    assert programs.output(code, HOME="", **fal.variables) == "42"

"""fal_client sends what it should not send, and waits when it should not wait."""

import threading
import time

import pytest
from hostile import events, reply
from test_faults_keys import ID, JOB


@pytest.mark.fault(r"\d+ POSTs were sent")
def test_a_call_that_times_out_is_sent_once(hostile, programs):
    fal = hostile(lambda request: request.until_closed())
    code = """
        import time, fal_client
        time.sleep = lambda seconds: None  # Between the attempts.
        try:
            fal_client.run("fal-ai/flux/dev", {}, timeout=0.3)
        except Exception as error:
            print("timed out" if "imeout" in type(error).__name__ else error)
    """
    assert programs.output(code, **fal.variables) == "timed out"
    sent = fal.count("POST")
    assert sent <= 1, f"{sent} POSTs were sent"


@pytest.mark.fault("a job was submitted after the call had timed out")
def test_nothing_is_submitted_after_the_time_limit(hostile, programs):
    def answer(request):
        if fal.count("POST") > 1:
            return reply(JOB)
        # Held until the test has seen the end of the call.
        ended.wait(30)
        return reply({}, 429)

    ended = threading.Event()
    fal = hostile(answer)
    program = programs.start(
        """
        import sys, fal_client
        try:
            fal_client.subscribe("fal-ai/flux/dev", {}, client_timeout=1.1)
        except fal_client.FalClientTimeoutError:
            print("timed out", flush=True)
        sys.stdin.readline()
        """,
        **fal.variables,
    )
    assert program.line() == "timed out"
    ended.set()
    was_submitted = fal.has_arrived(2, "POST", seconds=2)
    program.say("end")
    assert not was_submitted, "a job was submitted after the call had timed out"
    assert program.end().code == 0


@pytest.mark.fault("the program cannot end: it asks for the status on and on")
def test_a_program_ends_after_a_time_limit(hostile, programs):
    def answer(request):
        if request.path.endswith("/status/stream"):
            request.until_closed()
            return None
        return reply(JOB if request.method == "POST" else {"status": "IN_PROGRESS", "logs": None})

    fal = hostile(answer)
    program = programs.start(
        """
        import fal_client
        try:
            fal_client.subscribe("fal-ai/flux/dev", {}, client_timeout=1.1)
        except fal_client.FalClientTimeoutError:
            print("timed out", flush=True)
        """,
        **fal.variables,
    )
    assert program.line() == "timed out"
    asked = fal.count("GET")
    while program.process.poll() is None and fal.count("GET") < asked + 10:
        time.sleep(0.01)
    assert fal.count("GET") < asked + 10, "the program cannot end: it asks for the status on and on"
    assert program.end().code == 0


@pytest.mark.fault("asked again too early")
def test_the_time_in_retry_after_is_waited_for(hostile, programs):
    def answer(request):
        times.append(time.monotonic())
        return reply({}, 429, Retry_After="1") if len(times) == 1 else reply({"status": "COMPLETED", "logs": None})

    times = []
    fal = hostile(answer)
    programs.output(f"import fal_client; fal_client.status('fal-ai/flux', '{ID}')", **fal.variables)
    first, second = times
    # fal_client waits for 0.15 s at most.
    assert second - first >= 1, "asked again too early"


@pytest.mark.fault("KeyError: '(queue_position|logs)'")
@pytest.mark.parametrize("status, name", [("IN_QUEUE", "Queued"), ("IN_PROGRESS", "InProgress"), ("COMPLETED", "Completed")])
def test_a_status_may_be_short(hostile, programs, status, name):
    fal = hostile(lambda request: reply({"status": status}))
    code = f"import fal_client; print(isinstance(fal_client.status('fal-ai/flux', '{ID}'), fal_client.{name}))"
    assert programs.output(code, **fal.variables) == "True"


@pytest.mark.fault("ValueError: Unknown status: PAUSED")
def test_an_unknown_status_is_no_end(hostile, programs):
    def answer(request):
        if request.method == "POST":
            return reply(JOB)
        if request.path.endswith("/status/stream"):
            return events('data: {"status": "PAUSED"}\n\ndata: {"status": "COMPLETED", "logs": []}\n\n')
        if request.path.endswith("/status"):
            asked.append(request)
            return reply({"status": "PAUSED" if len(asked) == 1 else "COMPLETED", "logs": None})
        return reply({"answer": 42})

    asked = []
    fal = hostile(answer)
    assert programs.output("import fal_client; print(fal_client.subscribe('fal-ai/flux/dev', {}))", **fal.variables) == "{'answer': 42}"


@pytest.mark.fault("the request went to /")
@pytest.mark.parametrize("name", ["../../../acme/other", "..", "1/../../../other"])
@pytest.mark.parametrize("call", ["status", "result", "cancel"])
def test_a_request_id_is_no_path(hostile, programs, call, name):
    """An id may be part of a URL that is encoded, but not change which job or app the URL names."""

    def answer(request):
        return reply({"status": "COMPLETED", "logs": None})

    fal = hostile(answer)
    ended = programs.run(f"print('begun', flush=True); import fal_client; fal_client.{call}('fal-ai/flux', '{name}')", **fal.variables)
    assert ended.output == "begun\n"
    wrong = [path for path in (arrival.path for arrival in fal.arrivals) if not is_about_a_job(path)]
    assert not wrong, f"the request went to {wrong[0]}"


def is_about_a_job(path):
    parts = path.split("/")
    return parts[:4] == ["", "fal-ai", "flux", "requests"] and len(parts) <= 7 and not {".", "..", "%2E%2E", "%2e%2e"} & set(parts)

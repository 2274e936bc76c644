"""fal_client sends the key to hosts that are not fal's, and shows it."""

import base64
import json
import time

import pytest
from hostile import ELSEWHERE, reply

SECRET = "fake-secret"
ID = "0b1f8d46-6a5e-4d2f-9d4b-0c9d2a8f7e11"
JOB = {
    "request_id": ID,
    "response_url": f"https://queue.fal.run/fal-ai/flux/requests/{ID}",
    "status_url": f"https://queue.fal.run/fal-ai/flux/requests/{ID}/status",
    "cancel_url": f"https://queue.fal.run/fal-ai/flux/requests/{ID}/cancel",
}


@pytest.mark.fault("the key went to elsewhere.example")
@pytest.mark.parametrize(
    "name, call", [("status_url", "status()"), ("response_url", "get()"), ("cancel_url", "cancel()")], ids=["status", "get", "cancel"]
)
def test_a_url_in_an_answer_gets_no_key(hostile, programs, name, call):
    def answer(request):
        if request.method == "POST":
            return reply({**JOB, name: f"https://{ELSEWHERE}/taken"})
        return reply({"status": "COMPLETED", "logs": None})

    fal = hostile(answer)
    programs.run(f"import fal_client; fal_client.submit('fal-ai/flux/dev', {{}}).{call}", **fal.variables)
    assert fal.lines()[0] == "POST queue.fal.run/fal-ai/flux/dev"
    taken = [arrival for arrival in fal.arrivals if arrival.host == ELSEWHERE and "authorization" in arrival.headers]
    assert not taken, f"the key went to {ELSEWHERE}"


@pytest.mark.fault("the key went to storage.googleapis.com")
def test_a_signed_url_gets_no_key(hostile, programs):
    def answer(request):
        if request.host == "rest.fal.ai":
            place = "https://storage.googleapis.com/fal/file"
            return reply({"upload_url": f"{place}?X-Goog-Signature=fake-signature-1", "file_url": place})
        return reply(b"")

    fal = hostile(answer)
    upload = "import fal_client; print(fal_client.upload(b'text', 'text/plain', repository='fal'))"
    assert programs.output(upload, **fal.variables) == "https://storage.googleapis.com/fal/file"
    (put,) = (arrival for arrival in fal.arrivals if arrival.method == "PUT")
    assert put.body == b"text"
    assert "authorization" not in put.headers, f"the key went to {put.host}"


@pytest.mark.fault("the error shows the secret")
@pytest.mark.parametrize("key", ["fake-id:fake-secret-with-an-end\n", "fake-id:fake-secret-with\n-a-break"], ids=["end", "break"])
def test_a_key_with_a_newline_is_not_shown(hostile, programs, key):
    fal = hostile(lambda request: reply({}))
    # fal_client tries ten times, and sleeps in between.
    code = """
        import time, fal_client
        time.sleep = lambda seconds: None
        print("begun", flush=True)
        fal_client.run("fal-ai/flux/dev", {})
    """
    ended = programs.run(code, FAL_KEY=key, **fal.variables)
    assert ended.output == "begun\n"
    assert SECRET not in ended.errors, "the error shows the secret"


@pytest.mark.fault("the secret is shown")
@pytest.mark.parametrize(
    "shown",
    [
        "dataclasses.asdict(client)",
        "vars(client)",
        "traceback.TracebackException.from_exception(error, capture_locals=True).format()",
        "[frame.frame.f_locals for frame in inspect.getinnerframes(error.__traceback__)]",
    ],
    ids=["asdict", "vars", "report", "locals"],
)
def test_no_secret_is_shown(hostile, programs, shown):
    """Error reporters send the representations of local variables to other services."""
    fal = hostile(lambda request: reply({"detail": "refused"}, 422))
    code = f"""
        import dataclasses, inspect, os, traceback
        import fal_client
        client = fal_client.SyncClient(key=os.environ["FAL_KEY"])
        try:
            client.upload(b"text", "text/plain", repository="fal", fallback_repository=["fal"])
        except fal_client.FalClientError as caught:
            error = caught
        try:
            print(*{shown}, sep="")
            print({shown})
        except TypeError:
            pass
    """
    assert SECRET not in programs.output(code, **fal.variables), "the secret is shown"
    assert fal.count() == 1


def login(home, access_token):
    """Writes the file of `fal auth login` as the official command line tool does."""
    path = home / ".fal" / "auth0_token"
    path.parent.mkdir()
    path.write_text(f"fake-secret-refresh\n{access_token}")
    path.chmod(0o644)
    return path


def token(seconds, name):
    """Returns an access token that is valid for this time."""
    claims = json.dumps({"exp": int(time.time()) + seconds, "sub": name}).encode()
    return f"fake-secret.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.fake"


@pytest.mark.fault("the file of the login is open to others: 0o644")
def test_a_renewed_login_is_private(hostile, programs):
    def answer(request):
        if request.host == "auth.fal.ai":
            return reply({"access_token": token(3600, "renewed"), "refresh_token": "fake-secret-renewed", "expires_in": 3600})
        return reply({})

    path = login(programs.home, token(-60, "old"))
    fal = hostile(answer)
    programs.output("import fal_client; fal_client.run('fal-ai/flux/dev', {})", FAL_KEY="", **fal.variables)
    assert fal.lines() == ["POST auth.fal.ai/oauth/token", "POST fal.run/fal-ai/flux/dev"]
    assert path.read_text().startswith("fake-secret-renewed")
    mode = path.stat().st_mode & 0o777
    assert mode == 0o600, f"the file of the login is open to others: {mode:#o}"


@pytest.mark.fault("the old token was sent on")
def test_a_token_is_renewed_at_the_end_of_its_life(hostile, programs):
    """A program that runs for longer than a token lives keeps its client."""
    first, second = token(3600, "first"), token(3600, "second")

    def answer(request):
        if request.host == "auth.fal.ai":
            return reply({"access_token": second, "refresh_token": "fake-secret-renewed", "expires_in": 3600})
        valid = first if len(fal.arrivals) == 1 else second
        if valid in request.headers["authorization"]:
            return reply({})
        return reply({"detail": "bearer: invalid or expired token"}, 401, X_Fal_Request_Id=ID)

    login(programs.home, first)
    fal = hostile(answer)
    code = """
        import fal_client
        for _ in range(2):
            try:
                fal_client.run("fal-ai/flux/dev", {})
            except fal_client.FalClientError as error:
                print(error.status_code)
    """
    assert programs.output(code, FAL_KEY="", **fal.variables) == "", "the old token was sent on"

"""Runs the official clients' own code on a login that libfal shares with them.

    login.py read FOLDER     exits with 0 if both clients read the tokens given on standard input, one per line
    login.py hold FOLDER     takes the CLI's lock, prints "held", and keeps it until standard input ends
    login.py lock FOLDER     takes the Python client's lock and prints "locked"
    login.py cli FOLDER HOST      prints "token" and the access token that the CLI gets
    login.py client FOLDER HOST   the same for the Python client

HOST is the address of fal-emulator, which stands in for auth.fal.ai. tests/rust/login/official.rs runs this program.
"""

import os
import sys


def main():
    action, folder, *rest = sys.argv[1:]
    # Both clients read the variable when they are imported.
    os.environ["FAL_HOME_DIR"] = folder
    globals()[action](*rest)


def read():
    import fal.auth.local
    import fal_client.auth

    wanted = tuple(sys.stdin.read().splitlines())
    readers = {"the CLI": fal.auth.local.load_token, "the Python client": fal_client.auth._read_auth_tokens}
    wrong = [name for name, load in readers.items() if load() != wanted]
    if wrong:
        sys.exit(f"other tokens were read by {' and '.join(wrong)}")


def hold():
    import fal.auth.local

    with fal.auth.local.lock_token():
        print("held", flush=True)
        sys.stdin.read()


def lock():
    import fal_client.auth

    with fal_client.auth._token_lock():
        print("locked", flush=True)


def cli(host):
    import fal.auth

    redirect(host)
    # The keys for this check would come from the real issuer, over TLS.
    fal.auth.auth0.validate_id_token = lambda token: None
    print("token", fal.auth._fetch_access_token(), flush=True)


def client(host):
    import fal_client.auth

    redirect(host)
    print("token", fal_client.auth._load_bearer_token_from_login(), flush=True)


def redirect(host):
    """Redirects requests for auth.fal.ai to the emulator."""
    import httpx

    post = httpx.post

    def to_emulator(url, **arguments):
        url = httpx.URL(url)
        assert url.host == "auth.fal.ai", url
        return post(f"http://{host}{url.path}", headers={"Host": url.host}, **arguments)

    httpx.post = to_emulator


if __name__ == "__main__":
    main()

"""Prints, as JSON, what an official client finds in this environment: probe.py fal_client|fal"""

import json
import re
import sys


def main():
    """Looks for a credential as the client does before each request."""
    import httpx

    def no_request(*_, **__):
        raise Renewal

    httpx.post = no_request
    try:
        found = credentials(sys.argv[1])
    except Renewal:
        found = "login"
    except Exception as error:
        found = "nothing" if type(error).__name__ in NO_CREDENTIALS else "error"
    print(json.dumps(found))


class Renewal(BaseException):
    """The client has found a login, and starts to renew it."""


NO_CREDENTIALS = ("MissingCredentialsError", "UnauthenticatedException")


def credentials(package):
    if package == "fal":
        from fal.auth import fetch_auth_credentials
    else:
        from fal_client.auth import fetch_auth_credentials
    found = fetch_auth_credentials()
    if found.scheme == "Bearer":
        return "login"
    key_id, colon, _ = found.token.partition(":")
    if not colon:
        # It may be the secret itself, so it is not shown.
        return "key without an id"
    shown = key_id if re.fullmatch(r"[\w-]+", key_id) else json.dumps(key_id)
    return f"key {shown}"


if __name__ == "__main__":
    main()

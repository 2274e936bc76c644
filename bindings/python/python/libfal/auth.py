"""The name that programs import from fal_client.auth. Its functions that return a key have no counterpart."""

from . import MissingCredentialsError

__all__ = ["MissingCredentialsError"]

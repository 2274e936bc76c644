"""The secrets of a notebook in Google Colab."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from . import _credential

if TYPE_CHECKING:
    from ._libfal import Question


def is_here() -> bool:
    """Whether this program is a notebook in Colab: its shell is Colab's, as the official client has it."""
    ipython = sys.modules.get("IPython")
    try:
        shell = ipython.get_ipython() if ipython else None
    except Exception:
        return False
    return "google.colab" in str(type(shell))


def answer(question: Question) -> None:
    """Ask the notebook for its secret FAL_KEY. Its user may have to grant access."""
    why = "the notebook's secret FAL_KEY is not to be had"
    try:
        secret = importlib.import_module("google.colab.userdata").get("FAL_KEY")
        if isinstance(secret, str) and secret.strip():
            question.key(secret.strip(), None)
        else:
            question.absent("the notebook's secret FAL_KEY is empty")
    except BaseException as error:  # There is none, or access to it is not granted.
        why = f"{why}: {_credential.reason(error)}"
    finally:
        # The first answer counts.
        question.absent(why)

"""The secrets of a notebook in Google Colab."""

from __future__ import annotations

import sys

from . import _credential
from ._typing import imported

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._libfal import Question


def is_here() -> bool:
    """Returns whether the program runs in a Colab notebook, by the check of the official client: the class of its shell."""
    ipython = sys.modules.get("IPython")
    try:
        shell = ipython.get_ipython() if ipython else None
    except Exception:
        return False
    return "google.colab" in str(type(shell))


def answer(question: Question) -> None:
    """Asks the notebook for its secret FAL_KEY. The user may have to grant access."""
    why = "cannot read the notebook's secret FAL_KEY"
    try:
        secret = imported("google.colab.userdata").get("FAL_KEY")
        if isinstance(secret, str) and secret.strip():
            question.key(secret.strip(), None)
        else:
            question.absent("the notebook's secret FAL_KEY is empty")
    except BaseException as error:  # The secret does not exist, or access is denied.
        why = f"{why}: {_credential.reason(error)}"
    finally:
        # Has no effect if the question was answered before.
        question.absent(why)

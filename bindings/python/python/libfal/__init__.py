"""fal.ai for programs: find the key, say where it came from, run requests.

    import libfal

    print(libfal.explain())
    picture = libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse at dusk"})
    print(picture["images"][0]["url"])

The names are those of fal_client: import libfal as fal_client.
"""

import sys as _sys

try:
    from . import _libfal
except ImportError as _refused:
    if "subinterpreters" not in str(_refused):
        raise
    # The same text as in the module's own check, for CPython versions that load it.
    raise ImportError("libfal works in the main interpreter of a process, and in no sub-interpreter") from None

# A program that deletes the package from sys.modules and imports it again gets the same classes, because the native library is loaded
# once in a process.
_sys.modules.update(_libfal.modules)

from ._libfal import __version__
from ._typing import Any as _Any, imported as _imported  # type: ignore[attr-defined]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import _public
    from ._public import *

    __all__ = ["__version__"]
    __all__ += _public.__all__

del TYPE_CHECKING


def _attribute(name: str) -> object:
    """Returns a name that is used for the first time. The first public one loads the package."""
    if name in ("auth", "client", "webhooks"):
        return _imported(f"libfal.{name}")
    # The import of a module of the package asks for its name first.
    if name.startswith("_") and name != "__all__":
        raise AttributeError(f"module 'libfal' has no attribute {name!r}")
    public = vars(_imported("libfal._public"))
    _libfal.modules.update({name: module for name, module in _sys.modules.items() if name.startswith("libfal.")})
    # _Any is for typing.get_type_hints() of the classes.
    # A name that the program has replaced stays.
    for public_name, value in {"_Any": _Any, "__all__": public["__all__"], **{it: public[it] for it in public["__all__"]}}.items():
        globals().setdefault(public_name, value)
    if name in globals():
        return globals()[name]
    hint = f": it is one of SyncClient, as in libfal.SyncClient().{name}" if hasattr(public["SyncClient"], name) else ""
    raise AttributeError(f"module 'libfal' has no attribute {name!r}{hint}")


def _names() -> list[str]:
    return sorted({*globals(), *_attribute("__all__")})  # type: ignore[misc]


# Type checkers would take a function with the name __getattr__ for the definition of every name.
globals().update(__getattr__=_attribute, __dir__=_names)

"""The commands and their summaries, and the text of libfal --help."""

from __future__ import annotations

from . import _codes

GROUPS = {
    "models": {
        "run": "run a model, wait, and print its result",
        "submit": "put a job into the queue and print its id",
        "status": "print where a job is",
        "result": "wait for a job and print its result",
        "cancel": "cancel a job",
    },
    "files": {
        "upload": "upload files and print their URLs",
        "download": "save files that a result names",
    },
    "keys": {
        "explain": "show where a key is looked for, and which one is used",
        "check": "ask fal whether it accepts the key",
        "profiles": "list the keys that are stored on this computer",
        "profiles store": "store a key under a name",
        "profiles use": "choose the stored key that programs use",
        "profiles remove": "remove a stored key",
        "keys list": "list the API keys of the account",
        "keys create": "create an API key",
        "keys revoke": "revoke an API key",
    },
    "tools": {
        "doctor": "look for what could keep calls from working",
        "platform": "call any operation of fal's Platform API",
        "webhook listen": "receive and verify webhooks on this computer",
    },
}
ALIASES = {"profiles list": "profiles"}
COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}


def overview() -> str:
    groups = "\n".join(f"{title}:\n{_table(commands)}" for title, commands in GROUPS.items())
    codes = _table({str(code): meaning for code, meaning in _codes.MEANINGS.items()}, 5)
    return f"""\
usage: libfal COMMAND [ARGUMENT ...]

Run models of fal.ai, and find out why a call does not work.

{groups}
'libfal COMMAND --help' shows the arguments of a command and an example.

options of every command:
  --json                print one JSON document on standard output
  --profile NAME        use the stored key of this name
  --timeout SECONDS     give up after this time
  -v, --verbose         print what libfal sends, without secrets

Results go to standard output, everything else to standard error. With --json,
an error is a document, too: {{"error": {{"code", "message", "remedy", ...}}}}.

the key:
  libfal uses FAL_KEY, FAL_KEY_FILE or FAL_KEY_COMMAND of the environment, or a
  stored key. 'libfal explain' lists all sources. A key is never an argument:
  other users of a computer can read the arguments of a program.

a first run:
  libfal profiles store default --use       asks for the key, and stores it
  libfal check
  libfal run fal-ai/flux/schnell prompt="a lighthouse" --out pictures

exit codes:
{codes}"""


def _table(rows: dict[str, str], width: int = 17) -> str:
    return "".join(f"  {name:<{width}} {text}\n" for name, text in rows.items())


def is_group(word: str) -> bool:
    """Whether only two words name a command: this one and another."""
    return word not in COMMANDS and any(_below(word))


def group(word: str) -> str:
    """Returns the help text of the commands that begin with a word."""
    commands = _table({name: COMMANDS[name] for name in _below(word)})
    return f"usage: libfal {word} COMMAND [ARGUMENT ...]\n\n{commands}\n'libfal {word} COMMAND --help' shows the arguments of a command and an example.\n"


def _below(word: str) -> list[str]:
    return [name for name in COMMANDS if name.startswith(f"{word} ")]


def unknown(words: list[str]) -> tuple[str, str]:
    """Returns what is wrong with a name that no command has, and what to do."""
    from difflib import get_close_matches

    word = words[0]
    if is_group(word):
        return f"a command after {word!r} is missing", f"Write one of: {', '.join(f'libfal {name}' for name in _below(word))}."
    if "/" in word:
        return f"no command is named {word!r}", "To run a model write: libfal run MODEL."
    if word in ("auth", "login"):
        what = "Store a key with 'libfal profiles store default --use'. libfal also uses the login of fal's own command, 'fal auth login'."
        return f"no command is named {word!r}", what
    near = get_close_matches(word, COMMANDS, 1)
    found = f"Did you mean 'libfal {near[0]}'? " if near else ""
    return f"no command is named {word!r}", f"{found}Run 'libfal --help' for the list."

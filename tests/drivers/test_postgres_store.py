"""The PostgreSQL store of the documentation, on a real server; skipped without PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatfsm.testing.store_checks import check_store, store_cases

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
POSTGRES = shutil.which("postgres")
EXAMPLE = Path(__file__).parents[2] / "docs/examples/postgres_store.py"


def user() -> str | None:
    """Return the user for the server process, which refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server of this module, which listens on a socket in a new folder only."""
    owner = user()
    if POSTGRES is None or owner is None:
        pytest.skip("there is no PostgreSQL server")
    programs = Path(POSTGRES).resolve().parent
    # A socket needs a short path, and the server's user must be able to enter the folder.
    with tempfile.TemporaryDirectory(prefix="chatfsm-pg-", dir="/tmp") as name:
        folder = Path(name)
        as_owner: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(owner)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            as_owner |= {"user": owner, "group": entry.pw_gid, "extra_groups": []}
        initdb = [programs / "initdb", "-D", "data", "-U", "app", "--auth=trust", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, **as_owner)
        serve = [programs / "postgres", "-D", "data", "-k", name, "-c", "listen_addresses="]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(serve, stdout=log, stderr=log, **as_owner)
        address = f"host={name} user=app dbname=postgres"
        try:
            wait_for(address)
            yield address
        finally:
            server.terminate()
            server.wait(20)


def wait_for(address: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return


def test_the_store_of_the_documentation_passes_the_kit(address: str) -> None:
    """The store passes all cases, and a lost connection ends its leases."""
    spec = importlib.util.spec_from_file_location("postgres_store", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert check_store(lambda: module.PostgresStore(address)).passed == len(store_cases())
    killed, heir = module.PostgresStore(address), module.PostgresStore(address)
    killed.lease("a")
    process = killed._connection.info.backend_pid
    heir._connection.execute("SELECT pg_terminate_backend(%s, 10000)", [process])
    heir.lease("a")
    heir.close()
    killed._thread.shutdown()
    killed._connection.close()

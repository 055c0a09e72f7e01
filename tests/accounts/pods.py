"""The container of a CronJob, as far as a machine without Kubernetes can run it; the bookmarks on an object store.

Each pod has a new copy of the project, read-only where this process may mount, and what the manifest gives the
container: its arguments, its variables and the key of its account. The object store is moto's server.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.works_with.environments import Environment, prepare_environment

from .account_server import AccountServer
from .engine import DEPLOY, Engine, wait_for

MOTO = ("moto[server]==5.2.5",)
_BUCKET = "states"
_READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && mount -t tmpfs none .meltano && exec "$@"'


def check_pods(engine: Engine, server: AccountServer, environments: Path) -> Iterator[str]:
    """Yield what is wrong with exit statuses, and with what a second pod of an account knows of the first."""
    with _object_store(prepare_environment("moto", MOTO, environments)) as store:
        counts = []
        for number, (account, expected) in enumerate((("north", 0), ("north", 0), ("spent", 3), ("refused", 2))):
            before = len(server.accounts[account].requests)
            status = _run_pod(engine, account, engine.folder / f"pod-{number}", store)
            counts.append(len(server.accounts[account].requests) - before)
            print(f"pod of {account}: exit status {status}, {counts[-1]} requests", flush=True)
            if status != expected:
                yield f"the pod of {account} ended with {status}, not {expected}"
        if not counts[0] > counts[1] > 0:
            yield "the second pod of north did not continue where the first one ended"
        with urllib.request.urlopen(f"{store}/{_BUCKET}?list-type=2") as answer:
            listing = answer.read().decode()
        if listing.count("<Key>") != 1 or "north/state.json" not in listing:
            yield f"on the object store: {listing}"


def _run_pod(engine: Engine, account: str, folder: Path, store: str) -> int:
    """Run the container of an account's CronJob. Return its exit status."""
    container = _container(account, engine.folder)
    shutil.copytree(engine.folder / "project", folder, ignore=shutil.ignore_patterns(".meltano", ".fieldpulse"))
    (folder / ".meltano").mkdir()
    variables = {each["name"]: each["value"] for each in container["env"]} | {
        "TAP_FIELDPULSE_API_KEY_FILE": str(engine.keys / account),  # the manifest mounts it
        "MELTANO_PROJECT_ROOT": str(folder),
        "MELTANO_STATE_BACKEND_URI": f"s3://{_BUCKET}/fieldpulse",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_ENDPOINT_URL_S3": store,
    }
    wrapper = ("unshare", "--mount", "sh", "-c", _READ_ONLY, "sh") if os.geteuid() == 0 else ()
    with (engine.folder / "pods.log").open("ab") as log:
        return subprocess.run(
            [*wrapper, *container["args"]],
            cwd=folder,
            env=os.environ | engine.variables | variables,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode


def _container(account: str, folder: Path) -> Any:
    """Return the container of the CronJob that `accounts.sh` prints for an account."""
    accounts = folder / f"{account}.txt"
    accounts.write_text(f"{account}\n")
    command = ["sh", str(DEPLOY / "kubernetes" / "accounts.sh"), str(accounts)]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return yaml.safe_load(text.removeprefix("---"))["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


@contextmanager
def _object_store(environment: Environment) -> Iterator[str]:
    """Run an S3 server with an empty bucket, and return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [environment.folder / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("the object store", lambda: _is_bucket_made(url), 60)
        yield url
    finally:
        process.terminate()
        process.wait()


def _is_bucket_made(url: str) -> bool:
    request = urllib.request.Request(f"{url}/{_BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(request) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False

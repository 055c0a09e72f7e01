"""The pod of a CronJob that `deploy/kubernetes/accounts.sh` prints, as far as Podman runs it.

The kubelet's part is done here: a volume of a secret has links to a folder with a date, an `emptyDir` belongs to
`fsGroup`, and a `subPath` is a folder in it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.accounts.checks import wrong_rows
from tests.accounts.engine import wait_for

from .machine import Machine
from .podman import ROOT, Container

_PAGE = ROOT / "docs" / "operations" / "many-accounts.md"
_NAMES = ("north", "south")


@dataclass(frozen=True)
class Pods:
    """The pods of the accounts; `specs` has the specification of each by its name."""

    machine: Machine
    image: str
    specs: dict[str, Any]
    keys: dict[str, str]

    def start(self, account: str, number: int = 0) -> Container:
        """Start a new pod of an account."""
        pod, name = self.specs[account], f"{account}-{number}"
        (container,) = pod["containers"]
        folder = self.machine.folder / name
        security, context = container["securityContext"], pod["securityContext"]
        assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
        options = [
            "--read-only",
            "--read-only-tmpfs=false",
            "--security-opt=no-new-privileges",
            *(f"--cap-drop={capability}" for capability in security["capabilities"]["drop"]),
            f"--user={context['runAsUser']}",
            f"--group-add={context['fsGroup']}",
            f"--memory={container['resources']['limits']['memory'].removesuffix('i')}",
            *(f"--volume={volume}" for volume in self._volumes(pod, container, folder)),
            "--add-host=db.internal:127.0.0.1",
            *(f"--env-file={self.machine.folder / each['secretRef']['name']}" for each in container["envFrom"]),
            *(f"--env={each['name']}={each['value']}" for each in container["env"]),
        ]
        return self.machine.start(name, self.image, options, container["args"])

    def _volumes(self, pod: Any, container: Any, folder: Path) -> Iterator[str]:
        """Yield the mounts, as `--volume` has them."""
        group = pod["securityContext"]["fsGroup"]
        for volume in pod["volumes"]:
            path = folder / volume["name"]
            if "secret" in volume:
                self._write_secret(volume["secret"], path, group)
            for mount in (each for each in container["volumeMounts"] if each["name"] == volume["name"]):
                source = path / mount.get("subPath", "")
                if "emptyDir" in volume:
                    _make_for_group(source, group)
                yield f"{source}:{mount['mountPath']}:{'ro' if mount.get('readOnly') else 'rw'}"

    def _write_secret(self, secret: Any, path: Path, group: int) -> None:
        (path / "..today").mkdir(parents=True)
        (path / "..data").symlink_to("..today")
        for item in secret["items"]:
            file = path / "..today" / item["path"]
            file.write_text(self.keys[item["key"]])
            os.chown(file, 0, group)
            file.chmod(secret["defaultMode"])
            (path / item["path"]).symlink_to(f"..data/{item['path']}")


def _make_for_group(folder: Path, group: int) -> None:
    """Make a folder into which only the group may write, beside root. The kubelet lets others write, too."""
    folder.mkdir(parents=True)
    os.chown(folder, 0, group)
    folder.chmod(0o2770)


def _new_pods(machine: Machine, image: str) -> Pods:
    """Print the jobs of the accounts, and write the secret that they share, as the page has it."""
    accounts = machine.folder / "accounts.txt"
    accounts.write_text("".join(f"{name}\n" for name in _NAMES))
    command = ["sh", str(ROOT / "deploy" / "kubernetes" / "accounts.sh"), str(accounts)]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    jobs = [job for job in yaml.safe_load_all(text) if job]
    specs = {
        job["metadata"]["labels"]["account"]: job["spec"]["jobTemplate"]["spec"]["template"]["spec"] for job in jobs
    }
    shared = re.findall(r"^(\w+)=(.*:)password(@db\.internal.*)$", _PAGE.read_text("utf-8"), re.MULTILINE)
    variables = {name: f"{before}{machine.password}{behind}" for name, before, behind in shared}
    machine.write_variables("fieldpulse-environment", machine.variables | variables)
    return Pods(machine, image, specs, {name: machine.server.accounts[name].key for name in _NAMES})


def check_pods(machine: Machine, image: str) -> Iterator[str]:
    """Yield what is wrong with the pods: two accounts at once, a second run, a wrong key, a signal."""
    pods = _new_pods(machine, image)
    counts = {name: machine.requests_of(name) for name in _NAMES}
    first = [pods.start(name) for name in _NAMES]
    for name, container in zip(_NAMES, first, strict=True):
        yield from container.problems(0)
        yield from wrong_rows(machine.rows, name, machine.server.accounts[name])
        counts[name] = machine.requests_of(name)
    again = pods.start("north", 2)
    yield from again.problems(0)
    if not 0 < machine.requests_of("north") - counts["north"] < counts["north"]:
        yield "the second pod of north did not continue where the first one ended"
    yield from _check_the_end(pods)
    pods.keys["north"] = "not-the-key-of-north"
    yield from pods.start("north", 4).problems(2)


def _check_the_end(pods: Pods) -> Iterator[str]:
    """Yield what is wrong if the kubelet ends a pod that waits for a response."""
    server, north = pods.machine.server, "north"
    server.slow.add(north)
    container = pods.start(north, 3)
    wait_for("a request of the pod", lambda: north in server.waiting, 120)
    container.stop(pods.specs[north]["terminationGracePeriodSeconds"])
    server.slow.clear()
    yield from container.problems(128 + signal.SIGTERM)

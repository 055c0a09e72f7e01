"""Podman: the images of the Dockerfile, and their containers on the network of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = re.findall(r"^FROM (\S+:\S+) AS ", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[0]
_STAND_IN = "localhost/fieldpulse-base"
_SUITE = "trixie"  # the Debian whose own Python is that of the base
_APT = 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'  # as in Debian's images: no cache in a layer
_FROM_HOST = [Path("/etc/pip.conf"), Path("/etc/ssl/certs")]  # how this machine reaches package indexes
_LIMITS = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]  # Podman's own are above those of some machines
_SECONDS = 600


def check_tools() -> None:
    """Raise SystemExit if this machine cannot build and run the image."""
    if os.geteuid() != 0:
        raise SystemExit("Root builds the image: debootstrap and limits of memory need it.")
    if missing := [name for name in ("podman", "debootstrap", "git") if not shutil.which(name)]:
        raise SystemExit(f"Not installed: {', '.join(missing)}. They are packages of Debian.")


def prepare_base() -> str:
    """Return the image that the stages begin with: the one that the Dockerfile names, else a stand-in of Debian."""
    if _podman("image", "exists", BASE, status=None) == 0 or _podman("pull", "--quiet", BASE, status=None) == 0:
        return BASE
    if _podman("image", "exists", _STAND_IN, status=None) != 0:
        _make_stand_in()
    return _STAND_IN


def _make_stand_in() -> None:
    with tempfile.TemporaryDirectory(prefix="fieldpulse-base-") as folder:
        packages = "--include=python3,python3-venv,ca-certificates"
        _run("debootstrap", "--variant=minbase", packages, _SUITE, folder)
        root = Path(folder)
        (root / "usr/bin/python").symlink_to("python3")
        (root / "etc/apt/apt.conf.d/docker-clean").write_text(_APT)
        for path in (*root.glob("var/cache/apt/**/*.*"), *root.glob("var/lib/apt/lists/*_*")):
            path.unlink()
        archive = f"{folder}.tar"
        try:
            _run("tar", "-C", folder, "-cf", archive, ".")
            _podman("import", "--quiet", archive, _STAND_IN)
        finally:
            Path(archive).unlink(missing_ok=True)


def build(stage: str, base: str) -> str:
    """Build a stage of the Dockerfile from what is committed. Return the image's name."""
    image = f"localhost/fieldpulse-check:{stage}"
    options = [f"--volume={path}:{path}:ro" for path in _FROM_HOST if path.exists()]
    if base != BASE:
        options.append(f"--build-context={BASE}=container-image://{base}")
    with tempfile.TemporaryDirectory(prefix="fieldpulse-clone-") as folder:
        _run("git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", folder)
        _podman("build", "--network=host", *options, f"--target={stage}", f"--tag={image}", folder)
    return image


def megabytes(image: str) -> float:
    """Return the size of an image with that of its base, in units of 1,000,000 bytes."""
    return int(output_of("image", "inspect", "--format={{.Size}}", image)) / 1e6


class Container:
    """A container that goes on until its command ends; what it prints is in a file."""

    def __init__(self, name: str, image: str, options: Iterable[str], command: Iterable[str], log: Path) -> None:
        """Start it on the network of this machine."""
        self.name, self.log, self._began_at = f"fieldpulse-check-{name}", log, time.monotonic()
        own = ["--rm", "--replace", f"--name={self.name}", "--network=host", *_LIMITS]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                ["podman", "run", *own, *options, image, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def remove(self) -> None:
        """End it at once, if it goes on."""
        _podman("rm", "--force", "--ignore", self.name)

    def stop(self, seconds: int) -> None:
        """Send SIGTERM to process 1, and SIGKILL after some seconds."""
        _podman("stop", f"--time={seconds}", self.name, status=None)

    @property
    def output(self) -> str:
        """Return what it has printed."""
        return self.log.read_text("utf-8", errors="replace")

    def problems(self, expected: int) -> Iterator[str]:
        """Wait for its end, print its exit status, and yield what is wrong if that is not the expected one."""
        status = self._process.wait(timeout=_SECONDS)
        print(f"   {self.name}: exit status {status}, {time.monotonic() - self._began_at:.0f} s", flush=True)
        if status != expected:
            yield f"{self.name} ended with {status}, not {expected}:\n{self.output[-3000:]}"


def remove(volume: str) -> None:
    """Remove a named volume, if there is one."""
    _podman("volume", "rm", "--force", volume)


def output_of(*arguments: str) -> str:
    """Run Podman, and return what it prints."""
    return subprocess.run(["podman", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _podman(*arguments: str, status: int | None = 0) -> int:
    return _run("podman", *arguments, status=status)


def _run(*command: str, status: int | None = 0) -> int:
    """Run a command, and return its exit status. Raises: SystemExit with its output if it is not the expected one."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if status is not None and result.returncode != status:
        raise SystemExit(f"{' '.join(command)}: exit status {result.returncode}\n{result.stdout[-4000:]}")
    return result.returncode

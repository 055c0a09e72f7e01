"""Build the container image from what is committed, and run it as `deploy/` says: `python -m tests.image`.

The images and the stand-in of their base stay in Podman's store, so that the next build is quick. Exit status 1:
something is not as it should be.
"""

from __future__ import annotations

import logging
import signal
import sys
from itertools import chain

from . import podman
from .machine import run_machine
from .pods import check_pods
from .services import check_services


def main() -> int:
    """Build and check both stages. Return the exit status."""
    podman.check_tools()
    logging.disable()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends what it started
    base = podman.prepare_base()
    print(f"── The base is {base}: {podman.megabytes(base):.0f} MB", flush=True)
    images = {stage: podman.build(stage, base) for stage in ("plugins", "meltano")}
    for image in images.values():
        print(f"   {image}: {podman.megabytes(image):.0f} MB", flush=True)
    problems = []
    with run_machine() as machine:
        for problem in chain(check_services(machine, images), check_pods(machine, images["meltano"])):
            print(f"WRONG: {problem}", flush=True)
            problems.append(problem)
    print(f"{len(problems)} things are wrong." if problems else "The image is right.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())

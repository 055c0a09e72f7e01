"""Runs a program and writes what it cost: RESULT PROGRAM ARGUMENT….

A process of its own, and a small one: Linux counts the size of the process that forked into the peak of its child.
"""

import json
import os
import sys
import time

began_at = time.monotonic()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.monotonic() - began_at
with open(sys.argv[1], "w", encoding="utf-8") as file:  # noqa: PTH123  pathlib would double its size
    json.dump([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000], file)
sys.exit(os.waitstatus_to_exitcode(status))

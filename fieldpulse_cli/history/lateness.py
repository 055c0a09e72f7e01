"""Whether a pipeline is late: it has not run at the times at which it usually does.

A pipeline that runs every night but not on weekends must not be late on a Sunday, and a sync of every five minutes
should be late before the evening. So the time since the last run is laid over the two weeks before: if a run began in
this span of both weeks, another was due by now. Begins vary by minutes, and by an hour when the clocks change: what is
near either end of the span does not count.

That takes two weeks of history, and a pipeline that runs at least weekly. Another one is late after twice its longest
pause, if its pauses are regular. Runs by hand are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

_WEEKS = (timedelta(weeks=1), timedelta(weeks=2))
_WEEKLY = timedelta(days=8)
_MAX_GRACE, _MIN_GRACE, _GRACE_IN_PAUSES = timedelta(hours=2), timedelta(minutes=15), 6
_MIN_RUNS, _MAX_RATIO = 5, 4
_MIN_PAUSE = timedelta(days=4)  # a long weekend
_RETIRED_AFTER = timedelta(days=30)


def is_late(begins: Sequence[datetime], at: datetime) -> bool:
    """Return whether a run was due. `begins` are those of all its runs, the latest first.

    A pipeline without a run for 30 days has been given up, and is not late.
    """
    if len(begins) < _MIN_RUNS or at - begins[0] > _RETIRED_AFTER:
        return False
    last = begins[0]
    pauses = [later - earlier for later, earlier in pairwise(begins)]
    usual = sorted(pauses)[len(pauses) // 2]
    if usual > _WEEKLY or begins[-1] > last - max(_WEEKS):
        is_regular = max(pauses) <= _MAX_RATIO * usual
        return is_regular and at - last > max(2 * max(pauses), _MIN_PAUSE)
    grace = min(max(_GRACE_IN_PAUSES * usual, _MIN_GRACE), _MAX_GRACE)
    return all(any(last + grace < begin + week < at - grace for begin in begins) for week in _WEEKS)

"""Heat: a phone that has become warm is slower, and then a figure says nothing. Pauses, waiting, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from edgekit import core
from edgekit.core import Progress
from edgekit.errors import DeviceFailed
from edgekit.targets.android.adb.facts import Heat, heat
from edgekit.targets.android.adb.phone import Phone

#: Android's thermal status from which on it is waited for, and that at which nothing is measured at all.
_LIGHT, _SEVERE = 1, 3
#: Degrees Celsius of the battery above which phones slow down whatever they tell.
_HOT = 45.0
#: Seconds: between two looks at a hot phone, waited at most, and paused at most between two processes.
_LOOK, _PATIENCE, _PAUSE = 15.0, 300.0, 5.0
#: The allowed share of the highest clock below which a process counts as slowed down.
_SLOWED = 0.95
_LOW_BATTERY = 20

sleep = time.sleep


class Guard:
    """Looks at the phone before each process.

    Attributes:
        seen: its heat at those moments, in order. waited: seconds of waiting for it to cool down.
    """

    def __init__(self, phone: Phone, tell: Progress) -> None:
        self._phone, self._tell = phone, tell
        self._last = 0.0
        self.seen: list[Heat] = []
        self.waited = 0.0

    def ready(self) -> None:
        """Pause as long as the last process took, and wait while the phone is hot.

        Raises:
            DeviceFailed: it does not cool down, or it is gone.
        """
        if self.seen:
            sleep(min(_PAUSE, self._last))
        waited = 0.0
        while True:
            now = heat(self._phone)
            if not _is_hot(now) or waited >= _PATIENCE:
                break
            self._tell(f"waiting for the phone to cool down ({_format_heat(now)})", 0, 0)
            sleep(_LOOK)
            waited += _LOOK
        self.waited += waited
        if (now.status or 0) >= _SEVERE:
            raise DeviceFailed(
                f"the phone is too hot to be measured ({_format_heat(now)}), and {waited:.0f} s did not change it.",
                hint="Let it cool down, out of its case and off the charger, then run the same command again.",
            )
        self.seen.append(now)

    def look(self) -> None:
        """See once more how hot it is, after the last process."""
        self.seen.append(heat(self._phone))

    def took(self, seconds: float) -> None:
        """Tell how long a process took, for the next pause."""
        self._last = seconds

    def facts(self) -> list[core.Facts]:
        """`seen`, JSON-able."""
        return [asdict(heat) for heat in self.seen]


def _is_hot(now: Heat) -> bool:
    return (now.status or 0) >= _LIGHT or (now.battery or 0.0) > _HOT


def _format_heat(now: Heat) -> str:
    parts = [] if now.status is None else [f"thermal status {now.status}"]
    parts += [] if now.battery is None else [f"battery {now.battery:.0f} degrees"]
    return ", ".join(parts)


def doubts(seen: Sequence[Heat], first: float, last: float) -> list[str]:
    """Reasons to distrust what was measured.

    Args:
        seen: before each process, and after the last. first, last: medians of the first and the last process of the
            same kind, in seconds.
    """
    causes = []
    if all(heat.status is None and heat.clock is None for heat in seen):
        causes.append("neither the phone's thermal state nor its clocks can be read: throttling would not be noticed")
    worst = max((heat.status or 0 for heat in seen), default=0)
    if worst >= _LIGHT:
        causes.append(f"the phone throttled itself for heat while it was measured (thermal status {worst})")
    slowest = min((heat.clock for heat in seen if heat.clock is not None), default=1.0)
    if slowest < _SLOWED:
        causes.append(f"a cluster's clock was limited to {slowest:.0%} of its highest while it was measured")
    if any(heat.saver for heat in seen):
        causes.append("the phone saves power: switch its battery saver off")
    levels = [heat.level for heat in seen if heat.level is not None and heat.powered is False]
    if levels and min(levels) < _LOW_BATTERY:
        causes.append(f"the battery was down to {min(levels)} %: some phones slow down then")
    if last > 1.1 * first > 0:
        causes.append(f"the last process was {last / first - 1:.0%} slower than the first: the phone grew warm or busy")
    return causes

"""Who is served, and when: one after the other, in the order of coming, not too much for anyone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Buckets kept at once; of more visitors the least recent one gets a full bucket again.
MOST_BUCKETS = 10_000
POLL_SECONDS = 0.2  # a visitor notices no shorter delay; each poll wakes a thread


class Queue:
    """First come, first served; each one is shown how many are before it."""

    def __init__(self) -> None:
        self._tickets: deque[object] = deque()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        """How many are here, the one who is being served among them."""
        return len(self._tickets)

    @contextmanager
    def turn(self, waiting: Callable[[int], None]) -> Iterator[None]:
        """Keeps the turn, once it has come.

        Until then `waiting(place)` is called about five times a second; place 1 is next. What it
        raises leaves the queue.
        """
        ticket = object()
        with self._moved:
            self._tickets.append(ticket)
        try:
            while (place := self._place(ticket)) > 0:
                waiting(place)
                with self._moved:
                    self._moved.wait_for(lambda: self._tickets[0] is ticket, POLL_SECONDS)
            yield
        finally:
            with self._moved:
                self._tickets.remove(ticket)
                self._moved.notify_all()

    def _place(self, ticket: object) -> int:
        with self._moved:
            return self._tickets.index(ticket)


class Allowance:
    """A token bucket per visitor: `burst` at once, `per_minute` in the long run."""

    def __init__(self, burst: float, per_minute: float) -> None:
        self.burst = burst
        self.per_second = per_minute / 60
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, visitor: str) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there will be."""
        now = time.monotonic()
        with self._lock:
            # Popped and put back at the end, so that the first entry is the one used longest ago.
            level, then = self._buckets.pop(visitor, (self.burst, now))
            # Filled by the time that has passed; no timer is needed.
            level = min(self.burst, level + (now - then) * self.per_second)
            granted = level >= 1
            self._buckets[visitor] = (level - 1 if granted else level, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - level) / self.per_second

"""A process drops, for good, all rights that it does not need to read one file.

Decoders are large, old and written in C. So they run where a flaw in them reaches as little as
possible: bounded processor time and memory, no file but the one, no network. Some of it depends
on the kernel; `confine` returns what is in force. Only Linux is confined; `Bounds` can be named
everywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from detector.sandbox.seccomp import refuse_calls

with suppress(ImportError):  # Windows has none
    import resource

# linux/prctl.h, linux/sched.h
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
# linux/landlock.h; the numbers of the calls are the same on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_ONLY, PATH_BENEATH = 1, 1
# LANDLOCK_ACCESS_FS_READ_FILE; directories cannot be listed without another right.
READ_FILE = 1 << 2
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # by version: how many rights on files there are
TCP_RIGHTS, SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
# Versions of Landlock's ABI.
TCP_FROM, SCOPES_FROM = 4, 6


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading one file may cost. `cpu_seconds` is the process's own time, which may later
    be raised up to `most_cpu_seconds`; `wall_seconds` how long the caller waits for it in all,
    `memory` bytes of address space beyond what the process begins with."""

    # Seconds to open a file; `reader` raises them for decoding, by the number of pixels.
    cpu_seconds: int = 60
    most_cpu_seconds: int = 60
    wall_seconds: float = 120.0
    memory: int = 2 * 2**30
    open_files: int = 32


def leave_network() -> bool:
    """Move this process, and all that it will fork, where there is no network; whether the
    kernel allows that. Must be called from the only thread."""
    return int(ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)) == 0


def confine(bounds: Bounds, readable: Path, *, offline: bool) -> list[str]:
    """Apply all limits to this process; from now on it can open `readable` and nothing else.

    Must be called from the only thread. `offline` is the result of `leave_network`. Returns what is
    in force, in words.
    """
    libc = ctypes.CDLL(None)
    # Ends with the fork server, even if that is killed.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _limit(bounds)
    in_force = ["processor time, memory and open files bounded", "no new files"]
    libc.unshare(CLONE_NEWUSER)  # drops the rights over the namespace it was forked in
    # Both Landlock and seccomp require it of a process without privileges.
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = _landlock(libc, readable)
    # Last: the filter would refuse the calls above.
    filtered = refuse_calls()
    if version:
        in_force.append("no other file can be read")
    if offline or filtered:
        in_force.append("no network")
    elif version >= TCP_FROM:
        in_force.append("no TCP connections")
    if filtered:
        in_force.append("no programs, no other processes, no change to files")
    return in_force


def _limit(bounds: Bounds) -> None:
    # First field of statm: the address space in pages, as RLIMIT_AS counts it.
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for what, most, beyond in (
        (resource.RLIMIT_AS, now + bounds.memory, 0),
        (resource.RLIMIT_NOFILE, bounds.open_files, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        # At the soft limit SIGXCPU, which the exit status shows; at the hard one SIGKILL.
        (resource.RLIMIT_CPU, bounds.cpu_seconds, bounds.most_cpu_seconds + 1 - bounds.cpu_seconds),
    ):
        _, hard = resource.getrlimit(what)
        hard = most + beyond if hard == resource.RLIM_INFINITY else min(most + beyond, hard)
        resource.setrlimit(what, (min(most, hard), hard))


def allow(cpu_seconds: int) -> None:
    """Let this process take so much time in all, as far as its bounds let it be raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(cpu_seconds, hard), hard))


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "tcp", "scopes")]


class _Beneath(ctypes.Structure):
    # The kernel's structure is packed: 12 bytes, not 16.
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _landlock(libc: ctypes.CDLL, readable: Path) -> int:
    """Landlock's version; 0 where the kernel lacks it, and then nothing is restricted."""
    version = max(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_ONLY), 0)
    if not version:
        return 0
    rights = max(count for since, count in FILE_RIGHTS.items() if since <= version)
    rules = _Ruleset((1 << rights) - 1)
    rules.tcp = TCP_RIGHTS if version >= TCP_FROM else 0
    rules.scopes = SCOPES if version >= SCOPES_FROM else 0
    # A kernel rejects fields that are unknown to it, so only those of its version are passed.
    size = 24 if version >= SCOPES_FROM else 16 if version >= TCP_FROM else 8
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    with suppress(OSError):  # a file that is not there needs no permission
        # O_PATH names the file without opening it for reading.
        file = os.open(readable, os.O_PATH)
        beneath = ctypes.byref(_Beneath(READ_FILE, file))
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, beneath, 0)
        os.close(file)
    restricted = libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return version if restricted else 0

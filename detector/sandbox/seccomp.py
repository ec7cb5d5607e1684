"""System calls that a confined process may no longer make, by libseccomp where that is installed.

The list names what reading a file never needs, which is refused with EPERM: new sockets, other
programs and processes, any change to the file system, and the parts of the kernel in which most
of its flaws were found. All else stays allowed, since which calls a decoder makes depends on the
C library's version. Calls by another architecture's numbers end the process, as libseccomp has it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

REFUSED = {
    "the network": "socket socketpair bind listen accept accept4 connect",
    "programs": "fork vfork execve execveat",
    "other processes": "kill tkill ptrace process_vm_readv process_vm_writev process_madvise kcmp "
    "pidfd_open pidfd_getfd pidfd_send_signal migrate_pages move_pages setns",
    "names and rights of files": "creat link linkat symlink symlinkat unlink unlinkat rename "
    "renameat renameat2 mkdir mkdirat rmdir mknod mknodat truncate chmod fchmod fchmodat fchmodat2 "
    "chown lchown fchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr "
    "fremovexattr utime utimes futimesat utimensat",
    "file systems": "mount umount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig "
    "fsmount fspick mount_setattr swapon swapoff quotactl quotactl_fd name_to_handle_at "
    "open_by_handle_at fanotify_init fanotify_mark inotify_init inotify_init1 inotify_add_watch",
    "shared memory by name": "shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd "
    "msgrcv msgctl mq_open mq_unlink memfd_create memfd_secret",
    "the kernel": "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
    "add_key request_key keyctl unshare init_module finit_module delete_module kexec_load "
    "kexec_file_load reboot acct syslog personality modify_ldt iopl ioperm vhangup uselib "
    "sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex",
}
"""Calls by what they reach. A name that an architecture or the library lacks is left out."""

# seccomp.h
# SCMP_ACT_ALLOW and SCMP_ACT_ERRNO, to whose lower bits the error is added.
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
# SCMP_CMP_NE and SCMP_CMP_MASKED_EQ.
NOT_EQUAL, MASKED = 1, 7
CLONE_THREAD = 0x00010000  # linux/sched.h
# __NR_SCMP_ERROR: the architecture or the library has no call of that name.
UNKNOWN = -1


class _Condition(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def load() -> ctypes.CDLL | None:
    """The library, or None where it is not installed. Before the process is confined."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Condition),
    ]
    library.seccomp_load.argtypes = library.seccomp_release.argtypes = [ctypes.c_void_p]
    return library


LIBRARY = load()


def refuse_calls() -> bool:
    """Refuse them to this process, for good; whether library and kernel allow that.

    Must be called from the only thread; it may still begin others.
    """
    if LIBRARY is None:
        return False
    with _filter(LIBRARY) as rules:
        refuse = [(name, errno.EPERM, None) for names in REFUSED.values() for name in names.split()]
        conditional = [
            # abort() signals its own process.
            ("tgkill", errno.EPERM, _Condition(0, NOT_EQUAL, os.getpid())),
            # New threads use clone, whose flags a filter can test; clone3's are behind a pointer.
            ("clone", errno.EPERM, _Condition(0, MASKED, CLONE_THREAD, 0)),
            # As if the kernel lacked it: the C library then falls back to clone.
            ("clone3", errno.ENOSYS, None),
        ]
        for name, error, condition in (*refuse, *conditional):
            number = LIBRARY.seccomp_syscall_resolve_name(name.encode())
            if number != UNKNOWN:
                count = 0 if condition is None else 1
                LIBRARY.seccomp_rule_add_array(rules, REFUSE | error, number, count, condition)
        return bool(LIBRARY.seccomp_load(rules) == 0)


@contextmanager
def _filter(library: ctypes.CDLL) -> Iterator[int | None]:
    rules = library.seccomp_init(ALLOW)
    try:
        yield rules
    finally:
        library.seccomp_release(rules)

"""Become a program that does not outlive its parent. Run by path: ``python -I -S launch.py … -- program``.

Arguments: the parent's pid, the number of the signal to get when the parent dies, ``uid:gid`` to become or ``-``, the
number of a capability to keep across that or ``-``, then ``--`` and the program with its arguments.

A process of its own does this, because code between fork and exec in a Python with threads may deadlock, and because
changing the user clears the parent-death signal (prctl(2)): the order matters.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _become(libc: ctypes.CDLL, uid: int, gid: int, capability: int | None) -> None:
    """Give up root for ``uid``; keep one capability, also for the program that follows (capabilities(7), *ambient*)."""
    if capability is not None and libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot keep capabilities")
    os.setgroups([gid])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability is None:
        return
    mask = 1 << capability
    data = (_Data * 2)(_Data(mask, mask, mask), _Data(0, 0, 0))
    if libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), data):
        raise OSError(ctypes.get_errno(), "cannot set capabilities")
    if libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot raise an ambient capability")


def main(arguments: list[str]) -> None:
    """See the module's docstring. Ends silently where the parent is gone already."""
    parent, death_signal, account, capability, separator, *program = arguments
    if separator != "--" or not program:
        sys.exit("usage: launch.py PARENT SIGNAL UID:GID|- CAPABILITY|- -- PROGRAM [ARGUMENT …]")
    libc = ctypes.CDLL(None, use_errno=True)
    if account != "-":
        uid, gid = (int(number) for number in account.split(":"))
        _become(libc, uid, gid, None if capability == "-" else int(capability))
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    # The parent may have died before the signal was asked for.
    if os.getppid() != int(parent):
        sys.exit(0)
    os.execv(program[0], program)  # noqa: S606 - the caller gives the whole program, no shell is meant


if __name__ == "__main__":
    main(sys.argv[1:])

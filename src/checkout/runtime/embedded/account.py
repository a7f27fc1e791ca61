"""The account that PostgreSQL runs under where we are root, which it refuses to run as."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

CAP_DAC_OVERRIDE = 1


@dataclass(frozen=True)
class Account:
    """A user to become, with or without the capability to pass directories that are closed to it."""

    name: str
    uid: int
    gid: int
    passes_closed_directories: bool = False

    def launch_arguments(self) -> tuple[str, str]:
        """What ``launch.py`` wants: ``uid:gid`` and the capability or ``-``."""
        return f"{self.uid}:{self.gid}", str(CAP_DAC_OVERRIDE) if self.passes_closed_directories else "-"


def unprivileged_account(existing: Path, *reached: Path) -> Account | None:
    """None for an ordinary user, who runs servers as themselves; for root, the user to become.

    That is the owner of ``existing`` (data made earlier) where it is not root, else ``postgres``, else ``nobody``: a
    user that exists already, since initdb wants a name and making a user is not ours to do. Where one of the
    ``reached`` paths is closed to it (a checkout under /root, say) it keeps the one capability that opens them, rather
    than that we loosened the permissions of directories that are not ours.

    Raises PermissionError, with what to do, where such a path is closed and root has not got that capability to give.
    """
    if os.geteuid() != 0:
        return None
    entry = _entry(existing)
    closed = next((path for path in reached if not _reaches(entry, path)), None)
    if closed is not None and not _have(CAP_DAC_OVERRIDE):
        raise PermissionError(
            f"PostgreSQL does not run as root, and the user {entry.pw_name} cannot reach {closed}: "
            "use a directory that others may pass, or run as an ordinary user"
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, passes_closed_directories=closed is not None)


def _entry(existing: Path) -> pwd.struct_passwd:
    candidates: list[int | str] = ["postgres", "nobody"]
    if existing.exists() and existing.stat().st_uid != 0:
        candidates.insert(0, existing.stat().st_uid)
    for candidate in candidates:
        try:
            return pwd.getpwuid(candidate) if isinstance(candidate, int) else pwd.getpwnam(candidate)
        except KeyError:
            continue
    raise PermissionError("PostgreSQL does not run as root, and there is no user nobody or postgres to run it as")


def _reaches(entry: pwd.struct_passwd, path: Path) -> bool:
    """Whether every directory above ``path`` lets the user pass. (Supplementary groups are given up: not looked at.)"""
    for directory in path.resolve().parents:
        status = directory.stat()
        if status.st_uid == entry.pw_uid:
            needed = stat.S_IXUSR
        elif status.st_gid == entry.pw_gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def _have(capability: int) -> bool:
    """Whether this process holds a capability and may pass it on (permitted, and in the bounding set)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    masks = {
        name: int(value, 16) for name, _, value in (line.partition(":\t") for line in lines) if name.startswith("Cap")
    }
    return all(masks.get(name, 0) >> capability & 1 for name in ("CapPrm", "CapBnd"))

"""Limits for code from a page: what it does must not outlast it.

The limits guard against accidents, not against an attacker: an author's block
that hangs, forks, floods its output, calls the network or writes outside its
folder is stopped and reported.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

FORKS = 100
FILE_BYTES = 32 * 1024**2
DATA_BYTES = 4 * 1024**3
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_PR_SET_CHILD_SUBREAPER, _PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 36, 1, 38


class Refused(PermissionError):
    """A block tried what no block may do."""


def own_network() -> bool:
    """Move this process to a network of its own that has only loopback.

    Returns False where the system does not allow it; then only the audit hook
    keeps Python code off the network.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return False
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNET if uid == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return False
    if uid != 0:
        with contextlib.suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control,
    ):
        # SIOCGIFFLAGS and SIOCSIFFLAGS from linux/sockios.h, IFF_UP from linux/if.h.
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, 0x8913, request))[1]
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))
        return True
    return False


def own_writes(folder: Path) -> bool:
    """Let this process and its descendants change files in ``folder`` only.

    Uses Landlock (Linux 5.13; landlock(7)). Returns False where the system has
    none; then only the audit hook guards files, and only in Python code.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    create, add, restrict_self = 444, 445, 446
    version = libc.syscall(create, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    # WRITE_FILE, REMOVE_*, MAKE_*; REFER and TRUNCATE came later.
    access = 1 << 1 | sum(1 << bit for bit in range(4, 13))
    access |= (version >= 2) << 13 | (version >= 3) << 14
    rules = libc.syscall(create, struct.pack("Q", access), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    try:
        for path in (folder, "/dev", "/proc"):
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
            libc.syscall(add, rules, 1, struct.pack("=Qi", access, handle), 0)
            os.close(handle)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(restrict_self, rules, 0) == 0
    finally:
        os.close(rules)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Let this process be killed when its parent ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def kill_descendants(spare: set[int] = frozenset()) -> None:  # type: ignore[assignment]
    """Kill and reap all descendants, but for the processes in ``spare``."""
    for _ in range(50):
        victims = [pid for pid in children(os.getpid()) if pid not in spare]
        if not victims:
            return
        for victim in victims:
            for pid in [*descendants(victim), victim]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        for victim in victims:
            with contextlib.suppress(OSError):
                os.waitpid(victim, 0)


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        texts = [(task / "children").read_text() for task in tasks]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]


def descendants(pid: int) -> list[int]:
    """Return the descendants of a process, the deepest first."""
    found = []
    for child in children(pid):
        found += [*descendants(child), child]
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def fork_counter() -> mmap.mmap:
    """Return a counter that all descendants of this process share."""
    return mmap.mmap(-1, 8)


def restrict(folder: str, forks: mmap.mmap) -> None:
    """Set limits and hooks on this process and its future children.

    ``folder`` is where files may be written, ``forks`` counts processes.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    root = os.path.realpath(folder) + os.sep

    def inside(path: object) -> bool:
        if isinstance(path, int) or path is None:
            return True
        name = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return (name + os.sep).startswith((root, "/dev/", "/proc/self/"))

    def hook(event: str, args: tuple) -> None:
        if event == "open":
            path, mode, flags = args
            writes = set(mode or "") & set("wax+") or (
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            )
            if writes and not inside(path):
                raise Refused(f"a block writes to its own folder only, not {path}")
        elif event in _CHANGES:
            for path in args[:2] if event in ("os.rename", "os.link") else args[:1]:
                if not inside(path):
                    raise Refused(f"a block changes its own folder only, not {path}")
        elif event in ("os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"):
            count = struct.unpack("q", forks[:8])[0] + 1
            forks[:8] = struct.pack("q", count)
            if count > FORKS:
                raise Refused(f"a block starts at most {FORKS} processes")
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            _only_loopback(args[1])
        elif event == "socket.getaddrinfo" and args[0] not in _LOCAL:
            raise Refused(f"a block reaches this machine only, not {args[0]}")

    sys.addaudithook(hook)


_CHANGES = {
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.chown",
    "shutil.rmtree",
    "shutil.move",
}
_LOCAL = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::", b"localhost"}


def _only_loopback(address: object) -> None:
    if not isinstance(address, tuple) or not address:
        return
    host = str(address[0])
    if host not in _LOCAL and not host.startswith("127."):
        raise Refused(f"a block reaches this machine only, not {host}")

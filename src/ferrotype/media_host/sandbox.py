"""What the media process gives up before it looks at a stranger's file (Linux).

`leave_network` moves it into a network of its own that has no way out; `close_doors` then forbids,
by a seccomp filter, opening files, sockets and processes altogether. Either alone keeps it off
the network; where the kernel grants both, both are used.
"""

import ctypes
import errno
import platform
import resource
import struct
import sys

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_ALLOW = 0x7FFF_0000
_REFUSE = 0x0005_0000 | errno.EPERM
_KILL = 0x8000_0000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld abs, jeq, jge, ret
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # offsets in struct seccomp_data
_OTHER_TABLE = 0x4000_0000  # x86-64's second numbering of the same calls (x32)

# Opening, making, renaming and removing files; sockets; processes; other processes' memory.
_NEW_CALLS = (424, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 435, 437, 438, 440, 442)
_CALLS_X86_64 = (
    *(2, 41, 42, 43, 44, 46, 49, 50, 53, 56, 57, 58, 59, 62, 76, 82, 83, 84, 85, 86, 87, 88, 90),
    *(92, 94, 101, 133, 155, 161, 165, 166, 200, 234, 240, 248, 249, 250, 257, 258, 259, 260, 263),
    *(264, 265, 266, 268, 272, 288, 298, 304, 307, 308, 310, 311, 316, 321, 322, 323),
)
_CALLS_AARCH64 = (
    *(33, 34, 35, 36, 37, 38, 39, 40, 41, 45, 51, 53, 54, 56, 97, 117, 129, 130, 131, 180, 198),
    *(199, 200, 201, 202, 203, 206, 211, 217, 218, 219, 220, 221, 241, 242, 265, 268, 269, 270),
    *(271, 276, 280, 281, 282),
)
_CALLS = {
    "x86_64": (0xC000_003E, _CALLS_X86_64 + _NEW_CALLS),
    "aarch64": (0xC000_00B7, _CALLS_AARCH64 + _NEW_CALLS),
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def leave_network() -> bool:
    """Move into a fresh network without any way out; tell whether the kernel let us."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def set_limits(*, memory: int, cpu: int, file: int) -> None:
    """Cap bytes of address space, seconds of CPU, bytes of each written file; no core, no child."""
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, file),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def close_doors() -> bool:
    """Forbid opening files, sockets and processes from now on; tell whether the kernel agreed."""
    table = _CALLS.get(platform.machine())
    if sys.platform != "linux" or table is None:
        return False
    code = _filter(*table)
    program = _Program(len(code) // 8, code)
    prctl = ctypes.CDLL(None).prctl
    return bool(
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    )


def _filter(architecture: int, calls: tuple[int, ...]) -> bytes:
    """Assemble: kill on a foreign architecture, EPERM for the calls listed, else allow."""
    refuse_at = len(calls) + 1  # instructions from the first comparison's successor
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, refuse_at, 0, _OTHER_TABLE),
    ]
    steps += [(_EQUAL, refuse_at - 1 - i, 0, call) for i, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)

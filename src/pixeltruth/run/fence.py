"""Keeps a process from writing outside given folders, whatever code runs in it: Linux's Landlock.

Opening a .blend can make Blender write simulation caches beside it, and switching a cache off deletes what is in it. No
setting prevents that; the kernel does. Numbers and layouts follow Linux's `include/uapi/linux/landlock.h`.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG, _PATH_BENEATH, _PR_SET_NO_NEW_PRIVS = 1, 1, 38

_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 4, 1 << 5, 1 << 13, 1 << 14
_MAKE_ANY = sum(1 << bit for bit in range(6, 13))  # devices, folders, files, sockets, pipes, links


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def allow_writes_in(folders: Iterable[Path]) -> bool:
    """From now on this process and its children change files beneath these folders only; reading stays free.

    Args:
        folders: Those that do not exist are left out.

    Returns:
        Whether the system can do it: Linux 5.13 or newer can, if Landlock is on.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return False
    access = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_ANY
    access |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rules = libc.syscall(_CREATE_RULESET, ctypes.byref(_Ruleset(access)), ctypes.sizeof(_Ruleset), 0)
    try:
        for folder in folders:
            _allow(libc, rules, folder, access=access)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, folder: Path, *, access: int) -> None:
    if not folder.is_dir():
        return
    handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(_PathBeneath(access, handle)), 0)
    finally:
        os.close(handle)

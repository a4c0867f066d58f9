"""Become another program that ends with its parent: `launch.py PARENT SIGNAL UID GID COMMAND...`.

Run as a script, so that nothing has to happen between fork and exec in the parent. Imports the standard
library only. UID and GID are -1 to stay the same user.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PARENT_IS_GONE = 120


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    # After the change of user, which would clear it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(_PARENT_IS_GONE)
    os.execvp(command[0], command)  # noqa: S606  replacing this process is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])

"""A command that draws on a terminal until a key ends it.

usage: live.py KEY WANT COMMAND...: the key (q, or int for Ctrl-C) is pressed when WANT was drawn. It is to end with 0,
and to leave the terminal as it was."""
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios


def main():
    key = b"\x03" if sys.argv[1] == "int" else sys.argv[1].encode()
    want = sys.argv[2].encode()
    outer, inner = pty.openpty()
    found = termios.tcgetattr(inner)

    def child():
        os.setsid()
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(sys.argv[3:], stdin=inner, stdout=inner, stderr=inner,
                               preexec_fn=child)
    drawn = b""
    while want not in drawn:
        if not select.select([outer], [], [], 60)[0]:
            process.kill()
            print("drew this, and no", want, drawn.decode(errors="replace"))
            return 1
        drawn += os.read(outer, 65536)
    os.write(outer, key)
    code = process.wait(timeout=60)
    if not drawn.startswith(b"\x1b[H\x1b[J"):
        print("does not begin with a clean screen:", drawn[:80])
        return 1
    if termios.tcgetattr(inner) != found:
        print("left the terminal changed")
        return 1
    if code:
        print("ended with", code, drawn.decode(errors="replace"))
    return 1 if code else 0


sys.exit(main())

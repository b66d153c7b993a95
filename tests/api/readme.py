"""Runs the Python example of the README: prints what differs from what it says. readme.py README"""

import contextlib
import io
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    block = re.search(r"^    import neap\n(?:    .*\n)+", file.read(), re.M)
code = re.sub(r"^    ", "", block.group(0), flags=re.M)
expected = re.findall(r"^ *print\(.*\) +# (.*)$", code, re.M)
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(compile(code, sys.argv[1], "exec"), {})
found = printed.getvalue().splitlines()
if not expected or found != expected:
    sys.exit("the README says %r, and it is %r" % (expected, found))

"""`make setup`: make sure that everything is there which this checkout needs on this machine."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - asked before any import that an older version cannot read
    sys.exit(f"Python 3.11 or later is needed; this is {sys.version.split()[0]}: make setup PYTHON=python3.11")

from deploylib.toolchain.setup import main

sys.exit(main())

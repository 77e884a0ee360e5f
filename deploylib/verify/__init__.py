"""Whether a release could succeed: what it needs of an account, asked without changing anything.

`definitions` says what a task definition and a service need and `network` what routes mean (pure); `whole`, `roles`,
`images` and `subjects` ask one question each; `examination` asks all of them, `quickly` the few of a deploy's start.
"""

from __future__ import annotations

from deploylib.verify.check import Check, State, notices, refuse_missing
from deploylib.verify.examination import examine
from deploylib.verify.quickly import quick
from deploylib.verify.whole import Doors

__all__ = ["Check", "Doors", "State", "examine", "notices", "quick", "refuse_missing"]

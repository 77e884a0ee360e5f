"""An account as a whole: its cluster, its ledger and lock, its clock, what we may do there."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import lease, ledger, permissions, simulation
from deploylib.errors import ContractError
from deploylib.images import builders
from deploylib.images.distribution import Registries
from deploylib.verify import mending
from deploylib.verify.check import Check, missing, ok, skipped, warning
from deploylib.verify.roles import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.credentials import Credentials
    from deploylib.verify.images import Registry

NEAR_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ways to registries and to this machine's time; tests have their own."""

    registries: Callable[[Credentials], Registry] = lambda known: Registries(credentials=known)
    clock: Clock = time


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """An account that let us in, with its contract; *caller* is our ARN."""

    account: Account
    environment: Environment
    contract: Contract
    caller: str
    doors: Doors

    @property
    def mend(self) -> str:
        """The command that mends infrastructure."""
        return mending.mends(self.environment)

    @property
    def place(self) -> Place:
        """What turns names into ARNs."""
        account = self.environment.account
        return Place(
            partition=self.caller.split(":")[1],
            region=account.region,
            account_id=account.id,
            repository=self.contract.repository,
        )

    @property
    def questions(self) -> Mapping[str, Callable[[], Check]]:
        """The questions, by what they are about."""
        return {
            "cluster": self.cluster,
            "ledger": self.ledger,
            "lock": self.lock,
            "clock": self.clock,
            "permissions": self.permissions,
            **({"builder": self.builder} if self.environment.images.engine != "local" else {}),
        }

    def builder(self) -> Check:
        """Look for the project that builds the images."""
        return ok("builder", builders.described(self.environment, self.contract))

    def cluster(self) -> Check:
        """Ask whether the cluster takes tasks."""
        found = self.account.ecs.describe_clusters(clusters=[self.contract.cluster])["clusters"]
        name = self.contract.cluster.rpartition("/")[2]
        if not found or found[0].get("status") != "ACTIVE":
            return missing("cluster", f"{name} is {found[0].get('status') if found else 'not there'}", self.mend)
        return ok("cluster", name)

    def ledger(self) -> Check:
        """Read the newest release."""
        try:
            newest = ledger.entries(self.account.dynamodb, self.contract.ledger, limit=1)
        except ContractError as error:
            own = self.environment.contract is None
            return missing("ledger", str(error), self.mend if own else mending.table(self.contract.ledger))
        return ok(
            "ledger", f"{self.contract.ledger}, " + (f"release {newest[0].number}" if newest else "no release yet")
        )

    def lock(self) -> Check:
        """Look who has the lease; nobody is disturbed."""
        held = lease.holder(self.account.dynamodb, self.contract.ledger)
        return ok("lock", f"held by {held.name}" if held and not held.gone else "free")

    def clock(self) -> Check:
        """Compare this machine's time with AWS's, which is in the head of each answer, in whole seconds."""
        key: Any = {"kind": {"S": lease.KIND}, "number": {"N": "0"}}
        answer = self.account.dynamodb.get_item(TableName=self.contract.ledger, Key=key)
        said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        if not said:
            return skipped("clock", "AWS did not say what time it is")
        apart = abs(self.doors.clock.time() - email.utils.parsedate_to_datetime(said).timestamp())
        if apart > NEAR_SECONDS:
            found = f"{apart:.0f} s from AWS's, which refuses requests that are five minutes off"
            return warning("clock", found, "set this machine's clock: sudo timedatectl set-ntp true")
        return ok("clock", "agrees with AWS's")

    def permissions(self) -> Check:
        """Ask IAM for each action of a release."""
        if simulation.is_root(self.caller):
            return ok("permissions", "the account's root may do everything")
        if not (self.environment.root / permissions.SOURCE).is_file():
            return skipped("permissions", f"no {permissions.SOURCE} here")
        listed = permissions.read(self.environment.root)
        refused = simulation.lacking(self.account.iam, self.caller, self.environment, listed)
        if refused:
            return missing("permissions", f"{self.caller} may not {', '.join(refused)}", self.mend)
        return ok("permissions", f"all {len(listed.entries)} that a release needs")

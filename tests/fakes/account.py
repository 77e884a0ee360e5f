"""An account that looks like `deploylib.aws.Account`, made of fakes under one clock."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from tests.fakes.clock import FakeClock
from tests.fakes.codebuild import FakeCodeBuild
from tests.fakes.codedeploy import FakeCodeDeploy
from tests.fakes.dynamodb import FakeDynamo
from tests.fakes.ec2 import FakeEc2
from tests.fakes.ecr import FakeEcr
from tests.fakes.ecs import FakeEcs
from tests.fakes.elbv2 import FakeElbv2
from tests.fakes.iam import FakeIam
from tests.fakes.logs import FakeLogs
from tests.fakes.s3 import FakeS3
from tests.fakes.schedules import FakeEvents, FakeScheduler
from tests.fakes.secretsmanager import FakeSecretsManager
from tests.fakes.ssm import FakeSsm
from tests.fakes.sts import FakeSts

if TYPE_CHECKING:
    from deploylib.aws import Account
    from deploylib.sign_in import Way
    from tests.fakes.access import Policy
    from tests.fakes.door import Call


class FakeAccount:
    """The clients of one account. `calls` counts as the real one does; `log` has every call in order."""

    def __init__(
        self, *, account_id: str = "111111111111", region: str = "ap-northeast-1", cluster: str = "guestbook-stg"
    ) -> None:
        self.clock = FakeClock()
        self.calls: Counter[str] = Counter()
        self.log: list[Call] = []
        self.account_id, self.region = account_id, region
        self.logs = FakeLogs(self.clock, calls=self.calls, log=self.log)
        self.sts = FakeSts(self.clock, account_id=account_id, calls=self.calls, log=self.log)
        self.iam = FakeIam(self.clock, calls=self.calls, log=self.log)
        self.way: Way | None = None
        self.ssm = FakeSsm(self.clock, calls=self.calls, log=self.log)
        self.ecr = FakeEcr(self.clock, account_id=account_id, region=region, calls=self.calls, log=self.log)
        self.s3 = FakeS3(self.clock, calls=self.calls, log=self.log)
        self.codebuild = FakeCodeBuild(
            self.clock,
            ecr=self.ecr,
            logs=self.logs,
            group=f"/{cluster.replace('-', '/', 1)}/build",
            calls=self.calls,
            log=self.log,
        )
        self.dynamodb = FakeDynamo(self.clock, calls=self.calls, log=self.log)
        self.ec2 = FakeEc2(self.clock, calls=self.calls, log=self.log)
        self.secretsmanager = FakeSecretsManager(self.clock, calls=self.calls, log=self.log)
        self.events = FakeEvents(self.clock, calls=self.calls, log=self.log)
        self.scheduler = FakeScheduler(self.clock, calls=self.calls, log=self.log)
        self.ecs = FakeEcs(
            self.clock,
            cluster=cluster,
            account_id=account_id,
            region=region,
            logs=self.logs,
            calls=self.calls,
            log=self.log,
        )
        self.elbv2 = FakeElbv2(self.clock, ecs=self.ecs, calls=self.calls, log=self.log)
        self.codedeploy = FakeCodeDeploy(self.clock, ecs=self.ecs, calls=self.calls, log=self.log)

    @property
    def writes(self) -> tuple[Call, ...]:
        """Every call that changes something, of whatever client, in order."""
        return tuple(one for one in self.log if one.writes)

    @property
    def wrote(self) -> tuple[str, ...]:
        """The names of the operations in `writes`."""
        return tuple(one.operation for one in self.writes)

    @property
    def account(self) -> Account:
        """This, as the type that the code under test wants."""
        return cast("Account", self)

    def restrict(self, policy: Policy) -> None:
        """From now on the caller may do what *policy* says, and nothing else."""
        here = (
            self.logs,
            self.sts,
            self.ssm,
            self.ecr,
            self.dynamodb,
            self.events,
            self.scheduler,
            self.ecs,
            self.elbv2,
            self.codedeploy,
            self.codebuild,
            self.s3,
        )
        for client in here:
            client.policy = policy

    def forget_calls(self) -> None:
        """Start counting and logging anew: what set the scene does not count."""
        self.calls.clear()
        self.log.clear()

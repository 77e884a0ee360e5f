"""Everything that can go wrong in a way we understand: one leaf per different next step for the user."""

from __future__ import annotations


class Terminated(KeyboardInterrupt):  # it is none of ours to report, but a Ctrl-C that nobody typed
    """SIGTERM, which a CI system sends: there is nobody to ask."""


class DeployError(Exception):
    """A failure we understand, with the next thing to try."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(DeployError):
    """The configuration or the command line is wrong; nothing was changed."""

    exit_code = 2


class ToolMissingError(DeployError):
    """A program that this machine needs is not there, does not answer or is too old."""

    exit_code = 2


class ContractError(DeployError):
    """Terraform has not published what a deploy reads, or published it in another version."""

    exit_code = 2


class RefusedError(DeployError):
    """A guard stopped the command before it wrote anything."""

    exit_code = 3


class ImageError(DeployError):
    """An image could not be built, tested or pushed; `image` is the one of several that stopped the others."""

    exit_code = 4
    image = ""


class MigrationError(DeployError):
    """The migration failed; no service was touched."""

    exit_code = 5


class TaskError(DeployError):
    """A one-off task did not start, or did not end in time."""


class CommandError(DeployError):
    """The command of `inv run` ended with an exit code of its own, which is passed on."""

    def __init__(self, message: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class RolledBackError(DeployError):
    """The rollout failed and the previous release is serving."""

    exit_code = 6


class NotRestoredError(DeployError):
    """The rollout failed and the previous release is not (fully) serving: a person is needed."""

    exit_code = 7


class NotServingError(NotRestoredError):
    """The rollout is complete, yet the requests that prove it did not get the right answers."""


class SupersededError(DeployError):
    """Another deployment took over while ours was rolling out."""

    exit_code = 8


class OutdatedError(DeployError):
    """A `--check` found something out of date."""

    exit_code = 9


class ProcessError(DeployError):
    """A program that we ran ended with an exit code that we did not expect."""

    def __init__(self, program: str, exit_code: int, output: str, *, hint: str = "") -> None:
        super().__init__(f"{program} ended with exit code {exit_code}\n{output}".rstrip(), hint=hint)
        self.returncode = exit_code
        self.output = output


TRANSIENT = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "500",  # and so on: of an answer that is none of AWS's, a proxy's perhaps
        "502",
        "503",
        "504",
        "EndpointConnectionError",
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ConnectTimeoutError",
        "ProxyConnectionError",
        "SSLError",  # a connection that was cut while it began
    }
)


class AwsError(DeployError):
    """An AWS API refused a call, or did not answer. `code` is AWS's own error code, or botocore's name for it."""

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code

    @property
    def transient(self) -> bool:
        """Whether the same call may well succeed in a moment: what only watches, waits."""
        return self.code in TRANSIENT


class TerraformError(DeployError):
    """Terraform ended with an error; its own text was shown or is in the message."""

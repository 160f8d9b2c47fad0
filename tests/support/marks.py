"""Owners for tests: ours, and everybody who must be left alone."""

from dataclasses import dataclass, field, replace

from vmwright.ids import DeploymentId, InstanceId, Mark, OperationId, Whose, new_id


def _mark(deployment: DeploymentId) -> Mark:
    return Mark(
        deployment=deployment,
        instance=InstanceId(new_id()),
        operation=OperationId(new_id()),
        attempt=1,
    )


def whose_create(mark: Mark) -> Whose:
    """What the undo of the create with this mark may touch."""
    return Whose(deployment=mark.deployment, instance=mark.instance, operation=mark.operation)


def whose_delete(mark: Mark) -> Whose:
    """What a delete of the instance with this mark may touch."""
    return Whose(deployment=mark.deployment, instance=mark.instance)


@dataclass
class Marks:
    """The marks of one test in one deployment."""

    deployment: DeploymentId
    ours: Mark = field(init=False)

    def __post_init__(self) -> None:
        self.ours = _mark(self.deployment)

    @property
    def next_attempt(self) -> Mark:
        return replace(self.ours, attempt=self.ours.attempt + 1)

    @property
    def other_operation(self) -> Mark:
        return replace(self.ours, operation=OperationId(new_id()))

    @property
    def other_instance(self) -> Mark:
        return _mark(self.deployment)

    @property
    def other_deployment(self) -> Mark:
        return replace(self.ours, deployment=DeploymentId(new_id()))

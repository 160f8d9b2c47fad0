"""Who may do what: rules of oslo.policy, with defaults that a file may replace."""

import functools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from oslo_config import cfg
from oslo_policy import opts as policy_options
from oslo_policy import policy

from vmwright.admission.caller import Caller
from vmwright.admission.rules import (
    ATTACH_NETWORK,
    ATTACH_VOLUME,
    CREATE,
    DEBTS,
    DELETE,
    FORCED_HOST,
    GIVE_UP,
    METRICS,
    OPERATE,
    RESOURCES,
    RUN,
    ZERO_DISK_FLAVOR,
)
from vmwright.errors import Forbidden, InvalidRequest

_MOST_ANSWERS = 4096
"""Of questions that are remembered to be answered with yes."""

_PLAIN_CHECKS = policy.RuleCheck.__module__

_OURS = "vmwright:"
_OWNER = "rule:admin_or_owner"
_VERB: list[policy.Operation] = [{"path": "/v1/instances", "method": "POST"}]


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default; the generator of oslo.policy writes the sample from it."""
    return [*_rules_of_builds(), *_rules_of_verbs()]


def _rules_of_builds() -> list[policy.RuleDefault]:
    return [
        policy.RuleDefault("admin_required", "role:admin", "Whoever operates the deployment."),
        policy.RuleDefault(
            "admin_or_owner",
            "role:admin or (role:member and project_id:%(project_id)s)",
            "Operators, and members of the project that the thing belongs to; who is only a "
            "reader there looks.",
        ),
        policy.DocumentedRuleDefault(CREATE, _OWNER, "Build instances.", _VERB),
        policy.DocumentedRuleDefault(
            ATTACH_NETWORK, _OWNER, "Build instances with networks or ports.", _VERB
        ),
        policy.DocumentedRuleDefault(
            ATTACH_VOLUME, _OWNER, "Build instances with block devices.", _VERB
        ),
        policy.DocumentedRuleDefault(
            FORCED_HOST, "rule:admin_required", "Choose the host of an instance.", _VERB
        ),
        policy.DocumentedRuleDefault(
            ZERO_DISK_FLAVOR,
            "rule:admin_required",
            "Build instances of a flavor without a disk from an image: their root disks have "
            "whatever size the image has, and no host counts it.",
            _VERB,
        ),
    ]


def _rules_of_verbs() -> list[policy.RuleDefault]:
    return [
        policy.DocumentedRuleDefault(
            DELETE,
            _OWNER,
            "Delete instances.",
            [{"path": "/v1/instances/{id}", "method": "DELETE"}],
        ),
        policy.DocumentedRuleDefault(
            RUN,
            _OWNER,
            "Resume, retry and cancel operations; those of other projects need "
            "vmwright:operate, too.",
            [{"path": "/v1/operations/{id}", "method": "POST"}],
        ),
        policy.DocumentedRuleDefault(
            RESOURCES,
            _OWNER,
            "Make, change and delete what is a project's or a user's: volumes, snapshots, ports, "
            "key pairs, security groups, server groups.",
            [{"path": "/v1/{noun}", "method": "POST"}],
        ),
        *_operators_rules(),
    ]


def _operators_rules() -> list[policy.RuleDefault]:
    return [
        policy.DocumentedRuleDefault(
            OPERATE,
            "rule:admin_required",
            "Look after the deployment: register, change and delete images, flavors, networks "
            "and hosts, set quotas and see those of other projects, serve, audit, pay debts, make "
            "tokens.",
            [{"path": "/v1/{noun}", "method": "POST"}],
        ),
        policy.DocumentedRuleDefault(
            GIVE_UP,
            "rule:admin_required",
            "Skip a task that an operation is stuck in, or abandon an operation that is stuck or "
            "parked: what it leaves on hosts is owed.",
            [{"path": "/v1/operations/{id}", "method": "POST"}],
        ),
        policy.DocumentedRuleDefault(
            DEBTS,
            "rule:admin_required",
            "See what is owed on hosts, and drop what nobody will ever pay.",
            [
                {"path": "/v1/debts", "method": "GET"},
                {"path": "/v1/debts/{id}", "method": "DELETE"},
            ],
        ),
        policy.DocumentedRuleDefault(
            METRICS,
            "rule:admin_required or role:monitor",
            "See the deployment in numbers: how many operations stand where, what hosts hold.",
            [{"path": "/metrics", "method": "GET"}],
        ),
    ]


Stamp = tuple[int, ...]
"""What changes with a file."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What was found to be allowed by one set of rules."""

    stamp: Stamp | None
    lasts: bool = False
    """Whether the same question always has the same answer."""
    allowed: set[tuple[Any, ...]] = field(default_factory=set)


class Policy:
    """Answers whether a caller may do something. Thread-safe; a file that changes is read again."""

    def __init__(self, policy_file: Path | None = None) -> None:
        """`InvalidRequest` if the file is named and is not there, or is no set of rules."""
        self._file = policy_file
        if policy_file is not None and not policy_file.is_file():
            raise InvalidRequest(
                f"policy file {str(policy_file)!r} does not exist",
                hint="correct [DEFAULT] policy_file, or leave it out for the defaults",
            )
        conf = cfg.ConfigOpts()
        conf([], project="vmwright", default_config_files=[], default_config_dirs=[])
        policy_options.set_defaults(conf, policy_file=str(policy_file or "no-policy-file"))
        conf.set_override("policy_dirs", [], "oslo_policy")
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.register_defaults(list_rules())
        self._reading = threading.Lock()
        self._known = _Known(stamp=None)
        self._up_to_date()

    def require(self, caller: Caller, rules: Iterable[str], target: Mapping[str, str]) -> None:
        """Raise `Forbidden` that names the first of the rules that does not hold."""
        known = self._up_to_date()
        for rule in rules:
            question = (rule, caller, *target.items())
            if question in known.allowed:
                continue
            self._enforcer.authorize(
                rule,
                dict(target),
                {
                    "project_id": caller.project,
                    "user_id": caller.user,
                    "roles": sorted(caller.roles),
                },
                do_raise=True,
                exc=cast("type[Exception]", functools.partial(_forbidden, rule, caller)),
            )
            if known.lasts and len(known.allowed) < _MOST_ANSWERS:
                known.allowed.add(question)

    def _up_to_date(self) -> "_Known":
        """What was answered by the rules as they are. They are read again once the file has
        changed."""
        stamp = _stamp(self._file)
        known = self._known
        if stamp is None or stamp != known.stamp:
            with self._reading:
                self._read()
                rules = self._enforcer.rules.values()
                known = _Known(stamp=stamp, lasts=all(map(_asks_nobody, rules)))
                self._known = known
        return known

    def _read(self) -> None:
        """Take in the file, if it has changed. What oslo.policy only logs, and then denies to
        everybody, is refused here."""
        try:
            self._enforcer.load_rules()
            self._enforcer.check_rules(raise_on_violation=True)
        except policy.InvalidDefinitionError as error:
            what, _, _ = str(error).partition(" Check logs")
            raise self._broken(f"{what} They refer to others in a circle, or to none") from None
        except (ValueError, TypeError, AttributeError, OSError) as error:
            reason = " ".join(str(error).split())
            raise self._broken(f"it is no mapping of rules ({reason})") from error
        for name, rule in self._enforcer.file_rules.items():
            # A name of its own may stand for a part of other rules; one of ours asks for nothing.
            if name.startswith(_OURS) and name not in self._enforcer.registered_rules:
                raise self._broken(f"there is no rule {name!r}")
            if "!" in str(rule.check) and "!" not in str(rule.check_str):
                raise self._broken(f"{name}: {rule.check_str!r} is not a rule")

    def _broken(self, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"policy file {str(self._file)!r}: {what}",
            hint="docs/reference/policy.yaml.sample shows every rule with its default",
        )


def _stamp(file: Path | None) -> Stamp | None:
    """None if the file is not there any more."""
    if file is None:
        return ()
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _asks_nobody(check: Any) -> bool:
    """Whether a rule only looks at the question: others ask servers, or are plug-ins."""
    if type(check).__module__ != _PLAIN_CHECKS:
        return False
    parts = [*getattr(check, "rules", ()), *filter(None, [getattr(check, "rule", None)])]
    return all(map(_asks_nobody, parts))


def _forbidden(rule: str, caller: Caller, *_: object, **__: object) -> Forbidden:
    return Forbidden(
        f"policy does not allow {rule} to user {caller.user!r} of project {caller.project!r}",
        hint="ask an administrator, who may change the rule in the policy file",
    )

"""Security groups and their rules: what may reach an instance."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import Id, NameOrId
from vmwright.inventory.security_groups import NewRule, NewSecurityGroup
from vmwright.resources.group import SecurityGroup, SecurityGroupRule, SecurityGroupWithRules

router = APIRouter(tags=["security groups"])


@router.post("/security-groups", status_code=201)
def create_security_group(controller: Speaking, body: NewSecurityGroup) -> SecurityGroup:
    """Make a group that lets everything out and nothing in."""
    made = controller.inventory.security_groups.create(body.name, body.description)
    return SecurityGroup.model_validate(made)


@router.get("/security-groups")
def list_security_groups(controller: Speaking) -> list[SecurityGroup]:
    """Every group of the project, its default one first."""
    groups = controller.inventory.security_groups.list()
    return [SecurityGroup.model_validate(one) for one in groups]


@router.get("/security-groups/{group}")
def show_security_group(controller: Speaking, group: NameOrId) -> SecurityGroupWithRules:
    """A group with its rules."""
    groups = controller.inventory.security_groups
    known = groups.get(group)
    rules = [SecurityGroupRule.model_validate(rule) for rule in groups.rules(known.id)]
    return SecurityGroupWithRules.model_validate({**vars(known), "rules": rules})


@router.delete("/security-groups/{group}", status_code=204)
def delete_security_group(controller: Speaking, group: NameOrId) -> None:
    """Forget a group that no living instance is in and no other group's rule names."""
    controller.inventory.security_groups.delete(group)


@router.post("/security-groups/{group}/rules", status_code=201)
def create_security_group_rule(
    controller: Speaking, group: NameOrId, body: NewRule
) -> SecurityGroupRule:
    """Let more through. What is not said may be anything."""
    made = controller.inventory.security_groups.add_rule(group, **body.model_dump())
    return SecurityGroupRule.model_validate(made)


@router.get("/security-groups/{group}/rules")
def list_security_group_rules(controller: Speaking, group: NameOrId) -> list[SecurityGroupRule]:
    """The rules of a group, oldest first."""
    rules = controller.inventory.security_groups.rules(group)
    return [SecurityGroupRule.model_validate(rule) for rule in rules]


@router.get("/security-group-rules/{rule}")
def show_security_group_rule(controller: Speaking, rule: Id) -> SecurityGroupRule:
    """One rule."""
    return SecurityGroupRule.model_validate(controller.inventory.security_groups.rule(rule))


@router.delete("/security-group-rules/{rule}", status_code=204)
def delete_security_group_rule(controller: Speaking, rule: Id) -> None:
    """Forget a rule."""
    controller.inventory.security_groups.remove_rule(rule)

"""Specs that differ in little are made from each other."""

from vmwright.spec import Spec

SPEC = {
    "name": "vm",
    "hostname": "vm",
    "project": "p",
    "image": None,
    "flavor": "f",
    "vcpus": 1,
    "ram_mib": 64,
    "root_gib": 1,
    "nics": (),
    "volumes": (),
    "metadata": {"a": "b"},
    "key": None,
    "config_drive": True,
    "user_data": None,
}


def test_one_that_was_changed_is_as_if_it_had_been_made_so():
    spec = Spec.parse(**SPEC)
    changed = spec.changed(name="other", admin_password="secret-id")
    made = Spec.parse(**{**SPEC, "name": "other", "admin_password": "secret-id"})
    assert changed == made
    assert changed == spec.model_copy(update={"name": "other", "admin_password": "secret-id"})
    assert changed.model_fields_set == made.model_fields_set
    assert changed.to_store() == made.to_store()
    assert Spec.from_store(changed.to_store()) == made
    assert (spec.name, spec.admin_password) == ("vm", None)

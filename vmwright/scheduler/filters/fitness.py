"""Whether a host can run the instance: room, processor, hypervisor, traits."""

from collections.abc import Iterator

from vmwright.scheduler.values import HostState, RequestSpec

_TRAIT = "trait:"

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "i386": "i686", "x86": "i686"}
"""Other names for what `uname -m` says."""

_ALSO_RUNS = {"x86_64": "i686", "kvm": "qemu"}
"""Who runs the one runs the other."""


class Capacity:
    """Lets pass hosts with room for vCPUs, memory and disk. The claim checks it again."""

    name = "capacity"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if (
            request.vcpus <= host.vcpus.free
            and request.memory_mib <= host.memory_mib.free
            and request.disk_gib <= host.disk_gib.free
        ):
            return None
        room = (
            ("vCPUs", request.vcpus, host.vcpus),
            ("MiB memory", request.memory_mib, host.memory_mib),
            ("GiB disk", request.disk_gib, host.disk_gib),
        )
        short = [
            f"{wanted} {what} wanted, {resource.free} free"
            for what, wanted, resource in room
            if wanted > resource.free
        ]
        return ", ".join(short)


class ImageProperties:
    """Lets pass the architecture and hypervisor that the image says it needs."""

    name = "image_properties"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if not request.image_properties:
            return None
        needs = (
            ("architecture", ("hw_architecture", "architecture"), host.architecture),
            ("hypervisor", ("img_hv_type", "hypervisor_type"), host.hypervisor_type),
        )
        for what, names, there in needs:
            asked = (request.image_properties.get(name) for name in names)
            wanted = next(filter(None, asked), None)
            if wanted is not None and not _runs(there, wanted.lower()):
                return f"the image needs {what} {wanted}, the host's is {there or 'not known'}"
        return None


class Traits:
    """Lets pass what flavor and image require, and not what they forbid."""

    name = "traits"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if not request.extra_specs and not request.image_properties:
            return None
        for source, trait, rule in _trait_rules(request):
            if rule not in ("required", "forbidden"):
                return f"the {source} says of trait {trait} neither required nor forbidden"
            if rule == "required" and trait not in host.traits:
                return f"it lacks trait {trait}, which the {source} requires"
            if rule == "forbidden" and trait in host.traits:
                return f"it has trait {trait}, which the {source} forbids"
        return None


def _runs(there: str | None, wanted: str) -> bool:
    wanted = _ARCHITECTURES.get(wanted, wanted)
    return there is not None and wanted in (there, _ALSO_RUNS.get(there))


def _trait_rules(request: RequestSpec) -> Iterator[tuple[str, str, str]]:
    """Who rules on which trait, and what."""
    sources = {"flavor": request.extra_specs, "image": request.image_properties}
    for source, properties in sources.items():
        for key, rule in properties.items():
            if key.startswith(_TRAIT):
                yield source, key.removeprefix(_TRAIT), rule

"""A guest on a real libvirt: vmwright beside a bare script with the same calls, and virt-install.

    python benchmarks/real_build.py [ROUNDS]

Each round builds one guest by each of them, in turn, on one private libvirtd without KVM, from
nothing but an image and a network that are there to a guest that libvirt says runs: with an
address reserved, a root disk on the image, a data volume and a config drive. It is removed before
the next one is built. Then ten are built at once, by vmwright and by ten threads of the script; at
last ten builds want one new image at once, and its uploads are counted. Prints one JSON object a
line; needs root and what scripts/private-host asks for.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from benchmarks.real_scripts import Bare, Model, Names, VirtInstall, uploads_counted  # noqa: E402
from tests.support.demo_guest import demo_guest  # noqa: E402
from tests.support.private_host import PrivateHost, missing, private_host  # noqa: E402
from tests.support.real_lab import RealLab  # noqa: E402
from vmwright.controller import Controller  # noqa: E402
from vmwright.persistence.records import Operation  # noqa: E402
from vmwright.request import CreateRequest  # noqa: E402
from vmwright.states import OperationState  # noqa: E402
from vmwright.waiting import Wait  # noqa: E402

BUILDS = 10
IMAGE_MIB = 64
TIMEOUT = 300.0


def main(arguments: list[str]) -> int:
    rounds = int(arguments[0]) if arguments else 7
    if reason := missing():
        for variant in ("vmwright", "bare", "virt-install", "ten"):
            say(variant, why_not=reason)
        return 0
    with tempfile.TemporaryDirectory(prefix="vmw-") as directory:
        place = Path(directory)
        with private_host(place / "host") as machine, deployment(place, machine) as controller:
            model = model_of(controller)
            compare(controller, model, place, rounds)
            compare_crowds(controller, model, max(1, rounds // 3))
            crowd_wants_a_new_image(controller, place)
    return 0


def say(variant: str, **figures: Any) -> None:
    sys.stdout.write(json.dumps({"variant": variant} | figures) + "\n")
    sys.stdout.flush()


@contextmanager
def deployment(place: Path, machine: PrivateHost) -> Iterator[Controller]:
    """A controller of this machine, with all that builds need; its threads are as many as they."""
    home = place / "lab"
    home.mkdir()
    settings = RealLab(home, uri=machine.uri).settings
    operations = replace(
        settings.operations, parallel=BUILDS, threads_per_host=BUILDS, late_effect=1.0
    )
    # Tests have debts paid many times a second.
    settings = replace(settings, operations=operations, reconcile_interval=5.0)
    with Controller(settings) as controller:
        inventory, demo = controller.inventory, demo_guest()
        host = inventory.ensure_default_host()
        inventory.set_host(host.name, vcpu_ratio=100, memory_ratio=10, disk_ratio=100)
        inventory.create_image("demo", demo.disk[1], "qcow2", wait=Wait(TIMEOUT))
        inventory.create_flavor("small", 1, 128, 1)
        inventory.create_network("net1", "10.77.0.0/24")
        yield controller


def compare(controller: Controller, model: Model, place: Path, rounds: int) -> None:
    """Each of them builds a guest a round."""
    bare, others = Bare(model), {}
    if shutil.which("virt-install"):
        others["virt-install"] = VirtInstall(model, place)
    else:
        say("virt-install", why_not="it is not installed (apt install virtinst)")
    contest: dict[str, Callable[[], float]] = {
        "vmwright": lambda: by_vmwright(controller),
        "bare": lambda: by_script(bare),
        **{name: partial(by_script, script) for name, script in others.items()},
    }
    alternate(contest, rounds, warm_up=1)


def alternate(contest: dict[str, Callable[[], float]], rounds: int, warm_up: int = 0) -> None:
    """Have each measured once a round, in an order that turns."""
    seconds: dict[str, list[float]] = {variant: [] for variant in contest}
    for number in range(rounds + warm_up):
        for variant in list(contest) if number % 2 else list(reversed(contest)):
            took = contest[variant]()
            if number >= warm_up:
                seconds[variant].append(took)
    for variant, all_took in seconds.items():
        p50 = round(statistics.median(all_took), 4)
        say(variant, rounds=rounds, p50_s=p50, seconds=[round(took, 4) for took in all_took])


def compare_crowds(controller: Controller, model: Model, rounds: int) -> None:
    """Ten builds at once: vmwright's, and ten threads of the script, each with a connection."""
    scripts = [Bare(model) for _ in range(BUILDS)]

    def by_scripts() -> float:
        names = [Names.next() for _ in scripts]
        with ThreadPoolExecutor(BUILDS) as threads:
            begun = perf_counter()
            list(threads.map(lambda pair: pair[0].build(pair[1]), zip(scripts, names, strict=True)))
            took = perf_counter() - begun
        for name in names:
            scripts[0].remove(name)
        return took

    alternate(
        {"ten by vmwright": lambda: crowd(controller, "demo"), "ten by bare": by_scripts}, rounds
    )


def model_of(controller: Controller) -> Model:
    """What the scripts build: a guest as vmwright builds it."""
    operation = ended(controller, controller.create(request("model")))
    model = Model.of(controller.settings.libvirt.connection_uri, operation.instance_id)
    ended(controller, controller.delete("model"))
    return model


def request(name: str, image: str = "demo") -> CreateRequest:
    wish = {"name": name, "image": image, "flavor": "small", "volumes": [{"size": 1}]}
    return CreateRequest.parse(**wish, networks=[{"network": "net1"}])


def ended(controller: Controller, operation: Operation) -> Operation:
    known = controller.wait(operation.id, timeout=TIMEOUT)
    assert known.state is OperationState.DONE, known
    return known


def by_vmwright(controller: Controller) -> float:
    begun = perf_counter()
    ended(controller, controller.create(request("guest")))
    took = perf_counter() - begun
    ended(controller, controller.delete("guest"))
    return took


def by_script(script: Bare) -> float:
    names = Names.next()
    begun = perf_counter()
    script.build(names)
    took = perf_counter() - begun
    script.remove(names)
    return took


def crowd(controller: Controller, image: str) -> float:
    """Seconds from the first request to the last guest that runs."""
    begun = perf_counter()
    names = [f"crowd{number}" for number in range(BUILDS)]
    for operation in [controller.create(request(name, image)) for name in names]:
        ended(controller, operation)
    took = perf_counter() - begun
    for operation in [controller.delete(name) for name in names]:
        ended(controller, operation)
    return took


def crowd_wants_a_new_image(controller: Controller, place: Path) -> None:
    """Builds that want one image at once, which the host has not seen: it is uploaded once."""
    source = place / "new.raw"
    source.write_bytes(os.urandom(IMAGE_MIB << 20))
    controller.inventory.create_image("new", source, "raw", wait=Wait(TIMEOUT))
    with uploads_counted() as uploads:
        took = crowd(controller, "new")
    sent = sum(length for _name, length in uploads)
    assert sent, "an upload that nobody saw cannot be counted"
    say("ten", builds=BUILDS, uploads=round(sent / (IMAGE_MIB << 20), 2), p50_s=round(took, 4))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/python3
"""What a guest has become after its first boot, as one line of JSON on its console.

A test gives it to the guest as user data: it runs there, at the end of the first boot.
"""

import json
import os
import subprocess
from pathlib import Path

PASSWORD = "correct horse battery"
"""What the test asks for as the password of the guest's administrator."""
ASSIGNED = Path("/run/cloud-init/instance-data-sensitive.json")
BY_ID = Path("/dev/disk/by-id")


def answer(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def addresses() -> dict[str, list[str]]:
    """The IPv4 addresses with their prefixes, by the MAC of the interface."""
    links = json.loads(answer("ip", "-json", "address", "show"))
    return {
        link["address"]: [
            f"{address['local']}/{address['prefixlen']}"
            for address in link["addr_info"]
            if address["family"] == "inet"
        ]
        for link in links
        if link["ifname"] != "lo"
    }


def disks() -> dict[str, int]:
    """The size in bytes of each disk that has a serial number, by its lasting name."""
    found = {path.name: Path("/sys/block", path.resolve().name, "size") for path in BY_ID.iterdir()}
    return {name: 512 * int(size.read_text()) for name, size in found.items()}


def admits(password: str) -> bool:
    """Whether the default user's password is this."""
    import crypt  # the guest's Python has it, newer ones have not

    stored = answer("getent", "shadow", "debian").split(":")[1]
    return crypt.crypt(password, stored) == stored


def report() -> dict[str, object]:
    told = json.loads(ASSIGNED.read_text())
    root = os.statvfs("/")
    return {
        "instance": told["v1"]["instance_id"],
        "from": told["v1"]["subplatform"],
        "devices": told["ds"]["meta_data"].get("devices"),
        "hostname": answer("hostname").strip(),
        "addresses": addresses(),
        "gateways": [
            route.get("gateway")
            for route in json.loads(answer("ip", "-json", "-4", "route", "show", "default"))
        ],
        "keys": Path("/home/debian/.ssh/authorized_keys").read_text().splitlines(),
        "admits": admits(PASSWORD),
        "greeting": Path("/etc/greeting").read_text(),
        "disks": disks(),
        "root_mib": root.f_blocks * root.f_frsize >> 20,
    }


if __name__ == "__main__":
    with Path("/dev/ttyS0").open("w") as console:
        try:
            print(f"\nGUEST-REPORT {json.dumps(report())}", file=console)
        except Exception as error:  # noqa: BLE001  nobody else hears of it
            print(f"\nGUEST-FAILED {error!r}", file=console)
        print("GUEST-DONE", file=console)

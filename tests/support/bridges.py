"""Linux bridges inside private hosts."""

from tests.support.private_host import PrivateHost


def add_bridge(host: PrivateHost, name: str, address: str) -> None:
    """Make a bridge on which the host itself has this address, such as ``192.0.2.1/24``.

    Nothing survives the host's power-off.
    """
    host.run("ip", "link", "add", name, "type", "bridge")
    host.run("ip", "address", "add", address, "dev", name)
    host.run("ip", "link", "set", name, "up")

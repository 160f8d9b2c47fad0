"""Every command and where it is written: modules are imported only when they are needed."""

from importlib.metadata import EntryPoint

from cliff.command import Command
from cliff.commandmanager import CommandManager

from vmwright.errors import InvalidRequest

_GROUP = "vmwright.cli"
_COMMANDS = {
    "create": "create:Create",
    "spec": "create:Spec",
    "plan": "plan:Plan",
    "list": "instances:List",
    "show": "instances:Show",
    "delete": "instances:Delete",
    "console": "console:Console",
    "operation list": "operations:List",
    "operation show": "operations:Show",
    "operation wait": "operations:Await",
    "operation resume": "operations:ResumeOne",
    "operation cancel": "operations:Cancel",
    "operation retry": "operations:Retry",
    "operation skip": "operations:Skip",
    "operation abandon": "operations:Abandon",
    "watch": "watch:Watch",
    "debt list": "debts:List",
    "debt drop": "debts:Drop",
    "resume": "operations:Resume",
    "serve": "serve:Serve",
    "graph": "graph:Graph",
    "audit": "audit:Audit",
    "image create": "images:Create",
    "image list": "images:List",
    "image show": "images:Show",
    "image set": "images:Set",
    "image unset": "images:Unset",
    "image delete": "images:Delete",
    "flavor create": "flavors:Create",
    "flavor list": "flavors:List",
    "flavor show": "flavors:Show",
    "flavor set": "flavors:Set",
    "flavor unset": "flavors:Unset",
    "flavor delete": "flavors:Delete",
    "network create": "networks:Create",
    "network list": "networks:List",
    "network show": "networks:Show",
    "network set": "networks:Set",
    "network delete": "networks:Delete",
    "port create": "ports:Create",
    "port list": "ports:List",
    "port show": "ports:Show",
    "port delete": "ports:Delete",
    "volume create": "volumes:Create",
    "volume list": "volumes:List",
    "volume show": "volumes:Show",
    "volume delete": "volumes:Delete",
    "volume snapshot create": "snapshots:Create",
    "volume snapshot list": "snapshots:List",
    "volume snapshot show": "snapshots:Show",
    "volume snapshot delete": "snapshots:Delete",
    "host create": "hosts:Create",
    "host list": "hosts:List",
    "host show": "hosts:Show",
    "host set": "hosts:Set",
    "host drain": "hosts:Drain",
    "host delete": "hosts:Delete",
    "availability zone list": "hosts:ListZones",
    "keypair create": "key_pairs:Create",
    "keypair list": "key_pairs:List",
    "keypair show": "key_pairs:Show",
    "keypair delete": "key_pairs:Delete",
    "security group create": "security_groups:Create",
    "security group list": "security_groups:List",
    "security group show": "security_groups:Show",
    "security group delete": "security_groups:Delete",
    "security group rule create": "security_group_rules:Create",
    "security group rule list": "security_group_rules:List",
    "security group rule delete": "security_group_rules:Delete",
    "server group create": "server_groups:Create",
    "server group list": "server_groups:List",
    "server group show": "server_groups:Show",
    "server group delete": "server_groups:Delete",
    "token create": "tokens:Create",
    "token list": "tokens:List",
    "token delete": "tokens:Delete",
    "quota show": "quotas:Show",
    "quota set": "quotas:Set",
    "db version": "database:Version",
    "db check": "database:Check",
    "db upgrade": "database:Upgrade",
    "db restored": "database:Restored",
    "complete": "guidance:Complete",
    "help": "guidance:Help",
}


class Commands(CommandManager):
    """The commands by name. Names are never abbreviated: ``d`` must not come to mean delete."""

    def __init__(self) -> None:
        super().__init__()
        self.restore()

    def restore(self) -> None:
        """Put every command of ours in its place, over whatever was added since."""
        for name, place in _COMMANDS.items():
            self.commands[name] = EntryPoint(name, f"{_GROUP}.{place}", _GROUP)

    def find_command(self, argv: list[str]) -> tuple[type[Command], str, list[str]]:
        """The longest command that the words begin with, its name, and the words that are left.

        Raises `InvalidRequest` that names the commands that come close.
        """
        for length in range(len(argv), 0, -1):
            name = " ".join(argv[:length])
            if name in self.commands:
                return self.commands[name].load(), name, argv[length:]
        raise InvalidRequest(f"there is no command {argv[0]!r}", hint=self._nearest(argv[0]))

    def _nearest(self, word: str) -> str:
        from difflib import get_close_matches

        nouns = {name.partition(" ")[0] for name in self.commands}
        meant = {word} & nouns or set(get_close_matches(word, nouns))
        names = sorted(name for name in self.commands if name.partition(" ")[0] in meant)
        return f"did you mean: {', '.join(names)}" if names else "see: vmwright --help"

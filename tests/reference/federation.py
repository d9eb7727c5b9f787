"""The parts of a federation of the reference under remote control: provisioning, server, relay, client.

    python tests/reference/federation.py [--host SOCKET]

`remote.py` tells how it is driven. Everything here runs the reference's own programs, `server_train`, `relay` and
`client_train`, with the arguments that a kit's `sub_start.sh` gives them; what is added only looks on.

Configuration: `role` (`provision`, `server`, `relay`, `client`), and

* `provision`: `folder`, `project` (a project as in project.yml, without `builders`). Event `provisioned` with `kits`, the
  folder of the kits. The root certificate and keys take 2 to 9 s. Names that this writes into kits are fixed: a relay's
  port, for one, is the port in `listening_host`.
* `server`: `workspace` (its kit). Event `ready` when it takes clients. Commands: `clients`, `wait_client`, `calls`,
  `wait_calls`, `disable`, `enable`.
* `relay`: `workspace`. Event `ready` when it has registered and listens.
* `client`: `workspace`, `name`, `heartbeat` (seconds), `unchecked` if it shall not look at its own certificate first. Event `registered`, or `refused` with the reason; as long as there is no
  server neither comes. Commands: `attempts`, `wait_attempts`, `quit`.

What is worth knowing about these programs:

* A workspace is a kit: `startup/` as provisioned, `local/` with `*.default` files that are read where no file without that
  suffix stands. The programs change into it and write `log*.txt`, `pid.fl` and so on there, so two programs never share one.
* They call `mpm.run`, which insists on the main thread, waits 3 s before it cleans up and ends the process itself.
* Ports are in the kits (`fed_learn_port`, `admin_port`, `listening_host.port`), so free ones have to be found before
  provisioning, and whoever takes one in between makes the server fail with an error in its log only.
* The server's certificate name is the participant's name; a name that resolves ("localhost") is also where clients dial.
  The name is what clients compare the server with (`servers[0].identity` in fed_client.json). With `scheme: tcp` as an
  argument of StaticFileBuilder all connections are `stcp`; without it they are gRPC.
* A site behind a relay has `connect_to: {name: relay-1}` in the project; what it dials is in `local/relay__resources.json`.
  A relay's fed_relay.json says `"connection_security": "None"`, a text, which is taken as mutual TLS.
* A relay registers as a client of type `relay`, and does not appear in the client list.
* The client sleeps `int(interval / 2)` times 2 s between heartbeats: for an interval below 2 s it does not sleep at all.
* A barred client keeps sending heartbeats and is revived by one, without a new registration, when it is let in again; so
  is every client of a server that was killed and started again.
* A client whose certificate is not its project's makes no connection at all: it checks itself first.
* A client that is refused keeps its process for a while. A client whose connection is refused (another certificate, no
  server) says so in its log only and tries for ever; wait for its challenges that got no answer (`wait_attempts`).
* What communicates first reads comm_config.json, once for the process, from the workspace that was set by then. So no
  driver may be loaded in the host: a relay would listen on any port, in clear.
* Import takes 4 s and 60 MiB, hence the host; server and client are ready some 2 s after their fork.
"""

import argparse
import os
import sys
import threading

import remote
import yaml
from nvflare.fuel.f3.cellnet.cell_cipher import SimpleCellCipher
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey as Key
from nvflare.fuel.f3.mpm import MainProcessMonitor
from nvflare.lighter.prov_utils import prepare_builders
from nvflare.lighter.provision import prepare_project
from nvflare.lighter.provisioner import Provisioner
from nvflare.private.defs import CellMessageHeaderKeys
from nvflare.private.fed.app.client import client_train
from nvflare.private.fed.app.deployer.base_client_deployer import BaseClientDeployer
from nvflare.private.fed.app.deployer.server_deployer import ServerDeployer
from nvflare.private.fed.app.relay import relay
from nvflare.private.fed.app.server import server_train
from nvflare.private.fed.authenticator import Authenticator
from nvflare.private.fed.server.fed_server import FederatedServer
from nvflare.private.fed.server.server_status import ServerStatus

# What the server does about clients, and the name under which it is counted.
WATCHED = {
    "client_challenge": "challenge",
    "register_client": "register",
    "client_heartbeat": "heartbeat",
    "quit_client": "quit",
}

BUILDERS = [
    ("workspace.WorkspaceBuilder", {"template_file": ["master_template.yml"]}),
    ("static_file.StaticFileBuilder", {"config_folder": "config", "scheme": "tcp"}),
    ("cert.CertBuilder", {}),
    ("signature.SignatureBuilder", {}),
]


def reasons(error):
    """An exception and those that it came of: the reference's own often say where, and not why."""
    texts = []
    while error:
        texts.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or error.__context__
    return "; ".join(texts)


def around(owner, name, wrapper):
    """Puts `wrapper(original, self, *args, **kwargs)` in the place of a method."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: wrapper(original, *args, **kwargs))


class Provision(remote.Program):
    def __init__(self, config, out):
        super().__init__(out)
        self.config = config

    def live(self):
        # As if it had been read from a file, with values of its own.
        project = yaml.safe_load(yaml.safe_dump(self.config["project"]))
        project["builders"] = [{"path": f"nvflare.lighter.impl.{path}", "args": args} for path, args in BUILDERS]
        context = Provisioner(self.config["folder"], prepare_builders(project)).provision(prepare_project(project))
        if context.get("build_error"):
            raise RuntimeError("the project could not be provisioned, see the log")
        self.out.put(event="provisioned", kits=context["current_prod_dir"])

    def stop(self):
        pass


class Part(remote.Program):
    """A program of the reference that runs until it is stopped."""

    def __init__(self, config, out):
        super().__init__(out)
        self.workspace = config["workspace"]
        self.settings = {"secure_train": "true", "org": "interop", "config_folder": "config"}

    def run_main(self, module, **names):
        arguments = argparse.Namespace(
            workspace=self.workspace,
            set=[f"{key}={value}" for key, value in self.settings.items()],
            local_rank=0,
            **names,
        )
        MainProcessMonitor.run(main_func=module.main, run_dir=self.workspace, args=arguments)

    def stop(self):
        os._exit(0)


class Server(Part):
    def __init__(self, config, out):
        super().__init__(config, out)
        self.services = None
        self.seen = []
        around(ServerDeployer, "deploy", self._deployed)
        for method, name in WATCHED.items():
            around(FederatedServer, method, lambda original, *args, _name=name: self._called(_name, original, *args))

    def live(self):
        threading.Thread(target=self._announce, daemon=True).start()
        self.run_main(server_train, fed_server="fed_server.json")

    def _deployed(self, original, deployer, args):
        self.services = original(deployer, args)
        self.notify()
        return self.services

    def _announce(self):
        def is_up():
            server = self.services
            return server and server.status == ServerStatus.STARTED and remote.is_listening(server.cell.core_cell)

        if self.wait(is_up, 120.0):
            self.out.put(event="ready", pid=os.getpid())

    def _called(self, name, original, server, request):
        reply = original(server, request)
        call = {
            "what": name,
            "client": request.get_header(CellMessageHeaderKeys.CLIENT_NAME),
            "origin": request.get_header(Key.ORIGIN),
            "code": reply.get_header(Key.RETURN_CODE) if reply else None,
            "error": reply.get_header(Key.ERROR) if reply else None,
            "token": bool(isinstance(reply.payload, dict) and reply.payload) if reply and name == "register" else None,
        }
        with self.changed:
            self.seen.append(call)
            self.changed.notify_all()
        return reply

    def _listed(self):
        clients = self.services.client_manager.get_clients().values()
        return [{"name": c.name, "fqcn": c.get_fqcn(), "fqsn": c.get_fqsn(), "is_leaf": c.get_is_leaf()} for c in clients]

    def clients(self):
        """The clients that the server counts as registered."""
        return {"clients": self._listed()}

    def wait_client(self, name, present=True, timeout=30.0):
        return {"met": self.wait(lambda: any(c["name"] == name for c in self._listed()) == present, timeout)}

    def calls(self):
        """What clients have asked of the server, and how it answered."""
        return {"calls": list(self.seen)}

    def wait_calls(self, what, origin, count=1, code=None, timeout=30.0):
        def matching():
            return sum(
                call["what"] == what and call["origin"] == origin and code in (None, call["code"]) for call in self.seen
            )

        return {"met": self.wait(lambda: matching() >= count, timeout), "count": matching()}

    def disable(self, name):
        """Bars a client, as the command `disable_client` of an administrator does."""
        return {"tokens": len(self.services.client_manager.disable_client(name))}

    def enable(self, name):
        return {"was": self.services.client_manager.enable_client(name)}


class Registering(Part):
    """A program that registers: it tells how that went."""

    def __init__(self, config, out):
        super().__init__(config, out)
        self.vain = 0
        self.settings["uid"] = os.path.basename(self.workspace)
        around(Authenticator, "_challenge_server", self._challenged)
        around(Authenticator, "authenticate", self._authenticated)

    def _challenged(self, original, authenticator):
        result = original(authenticator)
        if result[0] is None:
            self.vain += 1
            self.notify()
        return result

    def _authenticated(self, original, *args, **kwargs):
        try:
            result = original(*args, **kwargs)
        except Exception as error:
            self.out.put(event="refused", reason=reasons(error))
            raise
        self.registered(result)
        return result

    def attempts(self):
        """Challenges that nobody answered."""
        return {"attempts": self.vain}

    def wait_attempts(self, count, timeout=30.0):
        return {"met": self.wait(lambda: self.vain >= count, timeout)}


class Relay(Registering):
    def __init__(self, config, out):
        super().__init__(config, out)
        self.cell = None
        original = relay.Cell

        def keep(*args, **kwargs):
            self.cell = original(*args, **kwargs)
            return self.cell

        relay.Cell = keep

    def live(self):
        self.run_main(relay, relay_config="fed_relay.json")

    def registered(self, _result):
        if self.wait(lambda: remote.is_listening(self.cell.core_cell), 60.0):
            self.out.put(event="ready", pid=os.getpid())


class Client(Registering):
    def __init__(self, config, out):
        super().__init__(config, out)
        self.client = None
        # The name is that of the kit, which need not be that of its folder.
        self.settings["uid"] = config["name"]
        self.settings["heart_beat_interval"] = config.get("heartbeat", 1.0)
        if config.get("unchecked"):
            SimpleCellCipher._validate_cert_chain = lambda *_: None
        around(BaseClientDeployer, "create_fed_client", self._created)

    def live(self):
        self.run_main(client_train, fed_client="fed_client.json")

    def _created(self, original, *args, **kwargs):
        self.client = original(*args, **kwargs)
        return self.client

    def registered(self, result):
        token, signature, ssid, _ = result
        self.out.put(event="registered", pid=os.getpid(), token=bool(token), signature=bool(signature), ssid=ssid)

    def quit(self):
        """Takes its leave as it does when an administrator shuts it down; the process ends some seconds later."""
        self.client.engine.shutdown()
        return {}


ROLES = {"provision": Provision, "server": Server, "relay": Relay, "client": Client}


def build(config, out):
    # They look for classes beside the program that was started.
    sys.argv = [sys.argv[0]]
    return ROLES[config["role"]](config, out)


if __name__ == "__main__":
    remote.main(build)

"""The parts of a federation of the reference under remote control: provisioning, server, relay, client.

    python tests/reference/federation.py [--host]

`remote.py` tells how it is driven. Everything here runs the reference's own programs, `server_train`, `relay` and
`client_train`, with the arguments that a kit's `sub_start.sh` gives them; what is added only looks on.

Configuration: `role` (`provision`, `server`, `relay`, `client`), and

* `provision`: `folder`, `project` (a project as in project.yml, without `builders`), and optionally `crowd`, names of
  clients that get a kit each, `crowd/NAME`, with a certificate each and one key together, as a thousand keys would take
  minutes. Event `provisioned` with `kits`, the folder of the kits; beside it, if there is an administrator, `job.zip`, a
  job of two rounds in which every site adds one to the model, and `app.zip`, its application alone. The root certificate
  and keys take 2 to 9 s. Names that this writes into kits are fixed: a relay's
  port, for one, is the port in `listening_host`.
* `server`: `workspace` (its kit). Event `ready` when it takes clients. Commands: `clients`, `wait_client`, `calls`,
  `wait_calls`, `disable`, `enable`, `submit`, `wait_job`.
* `relay`: `workspace`. Event `ready` when it has registered and listens.
* `sequence`: `url` and `identity` of a server, `project`, `crowd` (folder of kits). Event `ready`. Commands: `registrations` and
  `heartbeats`, one after the other, timed.
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
import io
import json
import os
import sys
import threading
import time
import zipfile

import numpy as np

import remote
import yaml
from cryptography.x509.oid import NameOID
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from nvflare.apis.utils.decomposers import flare_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.cell_cipher import SimpleCellCipher
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey as Key
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.drivers.driver_params import DriverParams
from nvflare.fuel.f3.mpm import MainProcessMonitor
from nvflare.fuel.sec.authn import set_add_auth_headers_filters
from nvflare.lighter.constants import CtxKey
from nvflare.lighter.prov_utils import prepare_builders
from nvflare.lighter.provision import prepare_project
from nvflare.lighter.provisioner import Provisioner
from nvflare.lighter.utils import (
    Identity,
    generate_cert,
    generate_keys,
    load_private_key_file,
    serialize_cert,
    serialize_pri_key,
    sign_folders,
)
from nvflare.private.defs import CellChannel, CellChannelTopic, CellMessageHeaderKeys, ClientType, new_cell_message
from nvflare.private.fed.app.client import client_train
from nvflare.private.fed.app.deployer.base_client_deployer import BaseClientDeployer
from nvflare.private.fed.app.deployer.server_deployer import ServerDeployer
from nvflare.private.fed.app.relay import relay
from nvflare.private.fed.app.server import server_train
from nvflare.private.fed.authenticator import Authenticator
from nvflare.private.fed.server.fed_server import FederatedServer
from nvflare.private.fed.server.job_meta_validator import JobMetaValidator
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


# The job: what each side of it consists of.
CONTROLLER = {
    "format_version": 2,
    "workflows": [
        {
            "id": "rounds",
            "path": "nvflare.app_common.workflows.scatter_and_gather.ScatterAndGather",
            "args": {
                "min_clients": 1,
                "num_rounds": 2,
                "wait_time_after_min_received": 0,
                "aggregator_id": "aggregator",
                "persistor_id": "persistor",
                "shareable_generator_id": "generator",
                "train_task_name": "train",
                "train_timeout": 0,
            },
        }
    ],
    "components": [
        {"id": "persistor", "path": "nvflare.app_common.np.np_model_persistor.NPModelPersistor"},
        {
            "id": "generator",
            "path": "nvflare.app_common.shareablegenerators.full_model_shareable_generator.FullModelShareableGenerator",
        },
        {
            "id": "aggregator",
            "path": "nvflare.app_common.aggregators.intime_accumulate_model_aggregator.InTimeAccumulateWeightedAggregator",
            "args": {"expected_data_kind": "WEIGHTS"},
        },
    ],
}
EXECUTOR = {
    "format_version": 2,
    "executors": [
        {"tasks": ["train"], "executor": {"path": "nvflare.app_common.np.np_trainer.NPTrainer", "args": {"sleep_time": 0}}}
    ],
    "components": [],
}
JOB_META = {"name": "job", "resource_spec": {}, "deploy_map": {"app": ["@ALL"]}, "min_clients": 1}


def archive(path, folder):
    """Packs what is in a folder, with entries of folders: the server looks for them."""
    with zipfile.ZipFile(path, "w") as file:
        for at, folders, files in os.walk(folder):
            for name in folders + files:
                full = os.path.join(at, name)
                file.write(full, os.path.relpath(full, folder))


def write_job(folder, kit):
    """Writes the job and its application, signed by an administrator as its console does: servers take no others."""
    job = os.path.join(folder, "handed-in", "job")
    files = {"meta.json": JOB_META, "app/config/config_fed_server.json": CONTROLLER}
    files["app/config/config_fed_client.json"] = EXECUTOR
    for name, content in files.items():
        path = os.path.join(job, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump(content, file)
    startup = os.path.join(kit, "startup")
    sign_folders(job, load_private_key_file(os.path.join(startup, "client.key")), os.path.join(startup, "client.crt"))
    archive(os.path.join(folder, "job.zip"), os.path.dirname(job))
    archive(os.path.join(folder, "app.zip"), os.path.join(job, "app"))


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
        if self.config.get("crowd"):
            self.certify(context, self.config["crowd"])
        kits = context["current_prod_dir"]
        administrator = os.path.join(kits, "admin@interop.org")
        if os.path.isdir(administrator):
            write_job(os.path.dirname(kits), administrator)
        self.out.put(event="provisioned", kits=kits)

    def certify(self, context, names):
        """Kits with certificates by the project's own key, as participants of the project have them."""
        key, public = generate_keys()
        root = context[CtxKey.ROOT_CERT]
        issuer = Identity(root.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        for name in names:
            certificate = generate_cert(Identity(name, "interop", "client"), issuer, context[CtxKey.ROOT_PRI_KEY], public)
            folder = os.path.join(self.config["folder"], "crowd", name)
            os.makedirs(folder)
            files = {
                "rootCA.pem": serialize_cert(root),
                "client.crt": serialize_cert(certificate),
                "client.key": serialize_pri_key(key),
            }
            for file, data in files.items():
                with open(os.path.join(folder, file), "wb") as out:
                    out.write(data)

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

    def submit(self, job):
        """Hands a job in, as the command `submit_job` of an administrator does."""
        engine = self.services.engine
        valid, error, meta = JobMetaValidator().validate("job", job)
        if not valid:
            raise ValueError(error)
        by = {"submitter_name": "admin@interop.org", "submitter_org": "interop", "submitter_role": "project_admin"}
        meta.update(by, study="default", job_folder_name="job")
        with engine.new_context() as context:
            with open(job, "rb") as file:
                return {"job": engine.job_def_manager.create(meta, file.read(), context)["job_id"]}

    def wait_job(self, job, timeout=120.0):
        """Waits until a job has ended; its status and its last model, which stands in its workspace."""
        manager = self.services.engine.job_def_manager

        def status():
            with self.services.engine.new_context() as context:
                return manager.get_job(job, context).meta["status"]

        self.wait(lambda: status().startswith("FINISHED"), timeout)
        model = None
        if status() == "FINISHED:COMPLETED":
            with self.services.engine.new_context() as context:
                stored = manager.get_storage_component(job, "workspace", context)
            with zipfile.ZipFile(io.BytesIO(stored)) as file:
                names = [name for name in file.namelist() if name.endswith("server.npy")]
                model = np.load(io.BytesIO(file.read(names[0]))).tolist() if names else None
        if model is None:
            with self.services.engine.new_context() as context:
                return {"status": status(), "model": None, "why": manager.get_job(job, context).meta.get("job_deploy_detail")}
        return {"status": status(), "model": model}

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


class Sequence(remote.Program):
    """Clients of the reference, one after the other, each with a cell and a connection of its own."""

    def __init__(self, config, out):
        super().__init__(out)
        self.config = config
        flare_decomposers.register()

    def live(self):
        self.out.put(event="ready", pid=os.getpid())
        threading.Event().wait()

    def _joined(self, name):
        """A client that has registered: its cell, its token, and how long that took."""
        kit = os.path.join(self.config["crowd"], name)
        root, certificate, key = (os.path.join(kit, file) for file in ("rootCA.pem", "client.crt", "client.key"))
        started = time.perf_counter()
        cell = Cell(
            fqcn=name,
            root_url=self.config["url"],
            secure=True,
            credentials={
                DriverParams.CA_CERT.value: root,
                DriverParams.CLIENT_CERT.value: certificate,
                DriverParams.CLIENT_KEY.value: key,
            },
            create_internal_listener=False,
            auth_identity=name,
            auth_identity_map={name: name, FQCN.ROOT_SERVER: self.config["identity"]},
        )
        cell.start()
        authenticator = Authenticator(
            cell=cell,
            project_name=self.config["project"],
            client_name=name,
            client_type=ClientType.REGULAR,
            expected_sp_identity=self.config["identity"],
            secure_mode=True,
            root_cert_file=root,
            private_key_file=key,
            cert_file=certificate,
            msg_timeout=5.0,
            # Two seconds in a kit: the pause after a challenge that was sent before the connection stood.
            retry_interval=0.01,
        )
        context = FLContext()
        context.set_public_props({ReservedKey.IDENTITY_NAME: name})
        token, signature, ssid, _ = authenticator.authenticate(context, Signal())
        return cell, (token, signature, ssid), time.perf_counter() - started

    def registrations(self, names, timeout):
        """Registers each of them, from the making of its cell to the verified token; seconds of each."""
        seconds = []
        for name in names:
            cell, (token, _, _), took = self._joined(name)
            assert token
            seconds.append(took)
            cell.stop()
        return {"seconds": seconds}

    def heartbeats(self, name, count, timeout):
        """So many heartbeats of one client by its cell, one after the other; seconds of all."""
        cell, (token, signature, ssid), _ = self._joined(name)
        set_add_auth_headers_filters(cell, name, token, signature, ssid)
        context = FLContext()
        context.set_public_props({ReservedKey.IDENTITY_NAME: name})

        def beat():
            shareable = Shareable()
            shareable.set_peer_context(context)
            headers = {CellMessageHeaderKeys.PROJECT_NAME: self.config["project"], CellMessageHeaderKeys.JOB_IDS: []}
            reply = cell.send_request(
                target=FQCN.ROOT_SERVER,
                channel=CellChannel.SERVER_MAIN,
                topic=CellChannelTopic.HEART_BEAT,
                request=new_cell_message(headers, shareable),
                timeout=5.0,
            )
            assert reply.get_header(Key.RETURN_CODE) == "ok", reply.headers

        for _ in range(20):
            beat()
        started = time.perf_counter()
        for _ in range(count):
            beat()
        took = time.perf_counter() - started
        cell.stop()
        return {"seconds": took, "done": count}

    def stop(self):
        os._exit(0)


ROLES = {"provision": Provision, "server": Server, "relay": Relay, "client": Client, "sequence": Sequence}


def build(config, out):
    # They look for classes beside the program that was started.
    sys.argv = [sys.argv[0]]
    return ROLES[config["role"]](config, out)


if __name__ == "__main__":
    remote.main(build)

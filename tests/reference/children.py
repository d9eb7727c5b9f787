"""Sites in a tree, by the reference's own Communicator: the one above, and the one below.

    python tests/reference/children.py [--host]

`remote.py` tells how it is driven. A full site above others has an executor of the reference's edge package; what its
Communicator does is run here as it is, with an engine that does no more than note the events which that executor gets.

Configuration: `role` (`parent`, `child`), `name` (the site), `parent` (of a child: the site above), `job`, `url` (of the
server's root listener, in the clear). Event `ready` when the cell is connected. Commands of a parent: `offer` (a task
with numbers), `results`; of a child: `pull`, `submit`.
"""

import logging

import numpy as np
import remote
from nvflare.apis.client import Client
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, ReservedKey, ServerCommandKey
from nvflare.apis.fl_context import FLContextManager
from nvflare.apis.shareable import Shareable
from nvflare.apis.utils.decomposers import flare_decomposers
from nvflare.apis.utils.fl_context_utils import gen_new_peer_ctx
from nvflare.app_common.decomposers import common_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.private.fed.client.communicator import Communicator


class Engine:
    """What a Communicator asks of the engine of its job."""

    def __init__(self, name, job, parent, heard):
        self.contexts = FLContextManager(engine=self, identity_name=name, job_id=job)
        self.parent = parent
        self.heard = heard

    def new_context(self):
        return self.contexts.new_context()

    def fire_event(self, event, context):
        self.heard(event, context)
        context.set_prop(FLContextKey.EVENT_PROCESSED, True, private=True, sticky=False)

    def get_client_from_name(self, name):
        return Client(name, "") if name == self.parent else None


class Site(remote.Program):
    def __init__(self, config, out):
        super().__init__(out)
        self.config = config
        self.seen = []
        flare_decomposers.register()
        common_decomposers.register()
        name, parent = config["name"], config.get("parent")
        fqsn = f"{parent}.{name}" if parent else name
        self.communicator = Communicator({"client_name": name, "fqsn": fqsn})
        self.engine = Engine(name, config["job"], parent, self._heard)
        fqcn = f"{name}.{config['job']}"
        self.cell = Cell(fqcn=fqcn, root_url=config["url"], secure=False, credentials={}, create_internal_listener=False)

    def live(self):
        self.communicator.set_auth(self.config["name"], "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11", "NA", "NA")
        self.communicator.set_cell(self.cell)
        self.communicator.engine = self.engine
        with self.engine.new_context() as context:
            self.communicator._peer_ctx = gen_new_peer_ctx(context)
        self.cell.start()
        if self.wait(lambda: self.cell.core_cell.agents, 60.0):
            self.out.put(event="ready")
        self.wait(lambda: False, 600.0)

    def stop(self):
        self.cell.stop()

    def _heard(self, event, context):
        entry = {"event": event, "peer": context.get_peer_context().get_identity_name()}
        if event == EventType.TASK_RESULT_RECEIVED:
            result = context.get_prop(FLContextKey.TASK_RESULT)
            entry["task"] = result.get_header(ReservedKey.TASK_ID)
            entry["numbers"] = from_shareable(result).data["w"].tolist()
        with self.changed:
            self.seen.append(entry)
            self.changed.notify_all()


class Parent(Site):
    def offer(self, task, numbers, ready=True):
        """Has a task in hand, as if it had just been pulled; children get it if its executor is ready for them."""
        data = DXO(DataKind.WEIGHTS, data={"w": np.array(numbers, dtype=np.float32)}).to_shareable()
        data.set_header(ServerCommandKey.TASK_NAME, "train")
        data.set_header(ReservedKey.TASK_NAME, "train")
        data.set_header(ReservedKey.TASK_ID, task)
        data.set_header(ReservedKey.TASK_IS_READY, ready)
        self.communicator.pending_task = data
        return {}

    def results(self, count, timeout=30.0):
        """What children have done."""
        self.wait(lambda: len(self.seen) >= count, timeout)
        return {"seen": self.seen}


class Child(Site):
    def pull(self):
        with self.engine.new_context() as context:
            message = self.communicator.pull_task("project", "", "NA", context)
        if message is None:
            return {"name": None}
        task = message.payload
        answer = {"name": task.get_header(ServerCommandKey.TASK_NAME), "task": task.get_header(ReservedKey.TASK_ID)}
        if answer["task"]:
            self.task = task
            answer["numbers"] = from_shareable(task).data["w"].tolist()
        return answer

    def submit(self, numbers):
        result = DXO(DataKind.WEIGHTS, data={"w": np.array(numbers, dtype=np.float32)}).to_shareable()
        result.set_header(ReservedKey.TASK_ID, self.task.get_header(ReservedKey.TASK_ID))
        with self.engine.new_context() as context:
            context.set_prop(FLContextKey.SSID, "NA", sticky=False)
            code = self.communicator.submit_update("project", "", "NA", context, self.config["name"], result, "train")
        return {"code": code}


ROLES = {"parent": Parent, "child": Child}


def build(config, out):
    logging.getLogger().setLevel(logging.INFO)
    return ROLES[config["role"]](config, out)


if __name__ == "__main__":
    remote.main(build)

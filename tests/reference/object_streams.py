"""Object streams of a running cell of the reference: its own `ObjectStreamer` on its own `AuxRunner`.

Commands for `stream_node.py`, whose twin is `objects.rs` in `tests/src/interop/stream/node`: `consume_objects` (take
streams), `send_objects` (send one), `objects_taken` (what came, and how each stream ended).
"""

import os
import threading

import numpy as np
from nvflare.apis.fl_constant import FLContextKey, ProcessType, ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import ReturnCode, Shareable, make_reply
from nvflare.apis.streaming import ConsumerFactory, ObjectConsumer, ObjectProducer, StreamContext, StreamContextKey
from nvflare.fuel.f3.cellnet.utils import make_reply as make_cell_reply
from nvflare.private.aux_runner import AuxMsgTarget, AuxRunner
from nvflare.private.stream_runner import TOPIC_STREAM_ABORT, TOPIC_STREAM_REQUEST, HeaderKey, ObjectStreamer

AUX = "aux_communication"
# Long enough for a busy machine.
PATIENCE = 30.0


class Engine:
    """What an `AuxRunner` wants of its engine."""

    def __init__(self, cell):
        self.cell = cell

    def get_cell(self):
        return self.cell


class Taker(ObjectConsumer):
    """Takes objects until the last, and refuses or fails at one if it is told to."""

    def __init__(self, told, refuse_at, fail_at):
        self.told, self.refuse_at, self.fail_at = told, refuse_at, fail_at
        self.objects = []

    def consume(self, shareable, stream_ctx, fl_ctx):
        number = shareable["number"]
        if number == self.fail_at:
            raise RuntimeError("as it was told")
        if number == self.refuse_at:
            return False, make_reply(ReturnCode.EMPTY_RESULT)
        self.objects.append(self.told(shareable))
        return not shareable["last"], make_reply(ReturnCode.OK)


class Takers(ConsumerFactory):
    def __init__(self, make):
        self.make = make

    def get_consumer(self, stream_ctx, fl_ctx):
        return self.make()

    def return_consumer(self, consumer, stream_ctx, fl_ctx):
        consumer.ended(stream_ctx)


class Maker(ObjectProducer):
    """Makes so many objects, and fails at one if it is told to."""

    def __init__(self, told, count, size, fail_at, last):
        self.told, self.count, self.size, self.fail_at, self.last = told, count, size, fail_at, last
        self.sent, self.codes, self.end = [], [], None

    def produce(self, stream_ctx, fl_ctx):
        number = len(self.codes)
        if number == self.fail_at:
            raise RuntimeError("as it was told")
        if number == self.count:
            return None, PATIENCE
        made = Shareable()
        made["number"] = number
        made["last"] = self.last and number + 1 == self.count
        made["data"] = os.urandom(self.size)
        made["array"] = np.frombuffer(os.urandom(self.size), dtype=np.uint8)
        self.sent.append(self.told(made))
        return made, PATIENCE

    def process_replies(self, replies, stream_ctx, fl_ctx):
        (reply,) = replies.values()
        code = reply.get_return_code(ReturnCode.OK)
        self.codes.append(code)
        self.end = reply.get_header(HeaderKey.END_RESULT)
        if code != ReturnCode.OK:
            return False
        if self.last and len(self.codes) == self.count:
            return {"done": True}
        return None


class ObjectStreams:
    def __init__(self, cell, name, told):
        self.cell, self.name, self.told = cell, name, told
        self.runner = AuxRunner(Engine(cell))
        self.streamer = ObjectStreamer(self.runner)
        self.ended = {}
        self.changed = threading.Condition()
        for topic in (TOPIC_STREAM_REQUEST, TOPIC_STREAM_ABORT):
            cell.register_request_cb(channel=AUX, topic=topic, cb=self._aux, aux_topic=topic)

    def _context(self):
        context = FLContext()
        context.set_prop(ReservedKey.IDENTITY_NAME, self.name, private=False, sticky=False)
        context.set_prop(FLContextKey.PROCESS_TYPE, ProcessType.CLIENT_PARENT, private=True, sticky=False)
        return context

    def _aux(self, message, aux_topic):
        reply = self.runner.dispatch(topic=aux_topic, request=message.payload, fl_ctx=self._context())
        return make_cell_reply("ok", body=reply)

    def consume(self, channel, topic, refuse_at, fail_at):
        route = (channel, topic)

        def make():
            taker = Taker(self.told, refuse_at, fail_at)

            def ended(context):
                with self.changed:
                    record = {"ended": context.get(StreamContextKey.RC), "objects": taker.objects, "kind": context.get("kind")}
                    self.ended.setdefault(route, []).append(record)
                    self.changed.notify_all()

            taker.ended = ended
            taker.finalize = lambda context, _: context.__setitem__("count", len(taker.objects))
            return taker

        done = lambda context, _: {"count": context["count"]}
        self.streamer.register_stream_processing(channel, topic, Takers(make), stream_done_cb=done)
        return {}

    def send(self, target, channel, topic, count, size, fail_at, last):
        maker = Maker(self.told, count, size, fail_at, last)
        targets = [AuxMsgTarget(target, target, job_scoped=False)]
        failure = None
        try:
            self.streamer.stream(channel, topic, StreamContext(kind="test"), targets, maker, self._context())
        except RuntimeError as error:
            failure = str(error)
        return {"sent": maker.sent, "codes": maker.codes, "end": maker.end, "failure": failure}

    def taken(self, channel, topic, timeout):
        route = (channel, topic)
        with self.changed:
            self.changed.wait_for(lambda: route in self.ended, timeout)
            return {"streams": self.ended.get(route, [])}


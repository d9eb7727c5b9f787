"""Prints one bulk message as the reference packs it, and the messages that the reference takes out of it.

    python tests/reference/bulk_message.py > crates/cell-proto/testdata/bulk.json
"""

import json

from nvflare.fuel.f3.cellnet.core_cell import TargetMessage
from nvflare.fuel.f3.cellnet.utils import encode_payload
from nvflare.fuel.f3.message import Message
from nvflare.fuel.utils import fobs


def joined(payload):
    return b"".join(bytes(part) for part in payload) if isinstance(payload, list) else bytes(payload or b"")


def main():
    items = []
    for topic, payload, headers in (
        ("object", {"a": 1, "b": [1.5, "x"]}, {"mine": 7, "nested": {"list": [1, [2, None]]}}),
        ("raw", b"raw bytes", {}),
        ("nothing", None, {"cn__optional": True}),
    ):
        message = Message(headers, payload)
        encode_payload(message)
        items.append(TargetMessage("server", "channel", topic, message).to_dict())
    bulk = Message(None, items)
    encode_payload(bulk)
    data = joined(bulk.payload)
    unpacked = []
    for item in fobs.loads(data):
        target = TargetMessage.from_dict(item)
        payload = target.message.payload
        unpacked.append(
            {
                "channel": target.channel,
                "topic": target.topic,
                "headers": target.message.headers,
                "payload": joined(payload).hex(),
            }
        )
    large = b"large " * 400
    outside = TargetMessage("server", "channel", "large", Message({}, large))
    encode_payload(outside.message)
    sections = joined(fobs.dumps([items[1], outside.to_dict(), items[0]], buffer_list=True, max_value_size=1024))
    print(json.dumps({"payload": data.hex(), "messages": unpacked, "sections": sections.hex()}, indent=1))


if __name__ == "__main__":
    main()

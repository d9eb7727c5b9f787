"""A cell of the reference that sends a model away and gets it back, by download references both ways.

    python tests/reference/download_peer.py URL ARRAYS MIB [ROUNDS]

It dials the server cell at URL as `site-1` and sends it, on channel `download` and topic `model`, a Shareable with a DXO
of ARRAYS float32 arrays of MIB mebibytes each, which the server fetches and answers with. One line of JSON on standard
output per round: whether what came back is what was sent, and how many seconds it took.
"""

import json
import sys
import time

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, from_shareable
from nvflare.apis.shareable import Shareable
from nvflare.apis.utils.decomposers import flare_decomposers
from nvflare.app_common.decomposers import numpy_decomposers
from nvflare.fuel.f3.cellnet.cell import Cell
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.cellnet.utils import new_cell_message


def model(arrays, mebibytes):
    """Arrays of which no two are equal."""
    elements = int(mebibytes * (1 << 18))
    return {f"layer-{at}": np.arange(at, at + elements, dtype=np.float32) for at in range(arrays)}


def main():
    url, arrays, mebibytes = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    flare_decomposers.register()
    numpy_decomposers.register()
    cell = Cell(fqcn="site-1", root_url=url, secure=False, credentials={})
    cell.start()
    while not cell.core_cell.agents:
        time.sleep(0.01)
    weights = model(arrays, mebibytes)
    for _ in range(rounds):
        shareable = DXO(data_kind=DataKind.WEIGHTS, data=weights).to_shareable()
        started = time.time()
        reply = cell.send_request(
            channel="download",
            topic="model",
            target="server",
            request=new_cell_message({}, shareable),
            timeout=600.0,
        )
        seconds = time.time() - started
        code = reply.get_header(MessageHeaderKey.RETURN_CODE)
        back = {}
        if code == ReturnCode.OK and isinstance(reply.payload, Shareable):
            back = from_shareable(reply.payload).data
        equal = set(back) == set(weights) and all(np.array_equal(back[name], weights[name]) for name in weights)
        print(json.dumps({"code": code, "equal": bool(equal), "arrays": len(back), "seconds": round(seconds, 2)}), flush=True)
    cell.stop()


if __name__ == "__main__":
    main()

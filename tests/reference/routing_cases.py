"""Asks the reference for its next hop in random situations and prints them as test cases.

    python tests/reference/routing_cases.py [SEED] > crates/cell-proto/testdata/routing.tsv

No connection is made: the reference's own routing function is called on a cell object that knows nothing but its address
and its neighbours. Lines, fields separated by tabs:

    C  me  neighbours                            a cell; holds for the M lines below it
    M  target  transit  route  from  outcome     a message there; lists are separated by blanks, `-` is nothing

The outcome is a neighbour, `=` for the cell itself, or the reference's error code behind a `!`.
"""

import logging
import random
import sys

from nvflare.fuel.f3.cellnet.core_cell import CoreCell
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, MessagePropKey
from nvflare.fuel.f3.cellnet.fqcn import FQCN, FqcnInfo
from nvflare.fuel.f3.endpoint import Endpoint
from nvflare.fuel.f3.message import Message

CELLS = 320
MESSAGES = 10
ADMIN = "_admin_3f1f0c5e-9c4f-4d55-8f60-0a1b2c3d4e5f"
INVALID = ["", "a..b", ".a", "a.b.a", "site 1", "x/y", "sérver"]


class Agent:
    """All that routing asks of a neighbour."""

    def __init__(self, name):
        self.endpoint = Endpoint(name)


def bare_cell(me, neighbours):
    cell = CoreCell.__new__(CoreCell)
    cell.logger = logging.getLogger("routing")
    cell.my_info = FqcnInfo(me)
    cell.endpoint = Endpoint(me)
    cell.agents = {name: Agent(name) for name in neighbours}
    return cell


def tree(rng):
    """Addresses of a random federation: relays, sites below them or below the server, jobs, trainers, an operator."""
    cells = ["server", ADMIN]
    parents = [""]
    for number in range(rng.randint(0, 3)):
        above = rng.choice(parents)
        relay = f"{above}.r{number}" if above else f"r{number}"
        cells.append(relay)
        parents.append(relay)
    for number in range(rng.randint(2, 5)):
        above = rng.choice(parents)
        cells.append(f"{above}.s{number}" if above else f"s{number}")
    sites = [c for c in cells if FQCN.split(c)[-1].startswith("s")]
    for job in ("j1", "j2"):
        for site in sites:
            if rng.random() < 0.6:
                cells.append(f"{site}.{job}")
                if rng.random() < 0.4:
                    cells.append(f"{site}.{job}.t")
                    cells.append(f"{site}.-client_api_{job}")
    return cells


def neighbourhood(rng, me, cells):
    """Who is connected: mostly those whom the rules of a federation connect, now and then somebody else."""
    mine = set()
    for other in cells:
        if other == me:
            continue
        related = FQCN.is_parent(me, other) or FQCN.is_parent(other, me)
        related = related or other == FQCN.ROOT_SERVER or (me == FQCN.ROOT_SERVER and "." not in other)
        if rng.random() < (0.7 if related else 0.06):
            mine.add(other)
    return sorted(mine)


def main():
    logging.disable(logging.CRITICAL)
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 29)
    for _ in range(CELLS):
        cells = tree(rng)
        me = rng.choice(cells)
        neighbours = neighbourhood(rng, me, cells)
        cell = bare_cell(me, neighbours)
        print("C", me, " ".join(neighbours) or "-", sep="\t")
        for _ in range(MESSAGES):
            strangers = [f"{rng.choice(cells)}.gone", "nobody", "server.gone"]
            draw = rng.random()
            target = rng.choice(cells if draw < 0.8 else strangers if draw < 0.97 else INVALID)
            transit = rng.random() < 0.5
            length = rng.choice([0, 0, 1, 1, 2, 3, 4])
            route = [rng.choice(neighbours + cells) for _ in range(length)]
            if transit and rng.random() < 0.4:
                route.insert(rng.randint(0, len(route)), FQCN.ROOT_SERVER)
            sender = rng.choice(neighbours + [""]) if neighbours else ""
            if sender and rng.random() < 0.4:
                sender = rng.choice([n for n in neighbours if n == FQCN.ROOT_SERVER or n == FQCN.get_parent(me)] + [sender])

            headers = {}
            if transit:
                headers[MessageHeaderKey.SERVER_TRANSIT_REQUIRED] = True
            if route:
                headers[MessageHeaderKey.ROUTE] = [[hop, 1.5] for hop in route]
            message = Message(headers, None)
            if sender:
                message.set_prop(MessagePropKey.ENDPOINT, Endpoint(sender))
            error, endpoint = cell._find_endpoint(target, message)
            outcome = f"!{error}" if error else "=" if endpoint.name == me else endpoint.name
            print("M", target, int(transit), " ".join(route) or "-", sender or "-", outcome, sep="\t")


if __name__ == "__main__":
    main()

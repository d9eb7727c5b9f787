"""A program of the reference under remote control, in JSON lines.

The first line of standard input is the program's configuration, every further line a command; all are JSON objects. Every
line of standard output is one too: an event (`{"event": ...}`) or the answer to the command whose `id` it carries. What a
command is called (`do`) and its other fields are a method of the program's object and its parameters. `stop` and the end
of standard input stop the program, so nothing outlives whoever drives it.

With `--host` a program is forked for each connection to a Unix socket of its own, so that the reference is imported once.
It says where that is: `{"event": "host", "socket": PATH}`. The first line of a connection is `{"log": FILE}`, then the connection is the new program's input and output, its process
id the first thing that it says; or it is `{"kill": PID}`, which ends one of these programs as SIGKILL does. The host ends
with its standard input.
"""

import json
import logging
import os
import random
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TICK = 0.02


class Out:
    """Standard output, one object per line; threads take turns."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stream = os.fdopen(os.dup(1), "w", buffering=1)
        # Whatever the reference prints goes to standard error, beside its log.
        os.dup2(2, 1)

    def put(self, **fields):
        with self.lock:
            self.stream.write(json.dumps(fields) + "\n")


class Program:
    """What is driven: `live` runs in the main thread until the program ends, `stop` ends it in its own way."""

    def __init__(self, out):
        self.out = out
        self.changed = threading.Condition()

    def notify(self):
        with self.changed:
            self.changed.notify_all()

    def wait(self, condition, timeout):
        """Waits until the condition holds. Some changes come without a notice, hence the tick."""
        end = time.monotonic() + timeout
        with self.changed:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.changed.wait(min(left, TICK))
        return True


def listening_socket(core_cell, data):
    """The socket of a listener, or None as long as it does not listen: drivers start in threads of their own."""
    driver = core_cell.communicator.conn_manager.connectors[data.handle].driver
    server = getattr(driver, "server", None)
    # The asyncio driver has a list of them, the other one.
    sockets = getattr(server, "sockets", None) or [getattr(server, "socket", None)]
    return sockets[0] if sockets[0] is not None and sockets[0].fileno() >= 0 else None


def is_listening(core_cell):
    listeners = list(core_cell.ext_listeners.values())
    if core_cell.int_listener:
        listeners.append(core_cell.int_listener)
    return all(listening_socket(core_cell, data) is not None for data in listeners)


def serve(program, out, line):
    command = json.loads(line)
    number = command.pop("id")
    try:
        out.put(id=number, **getattr(program, command.pop("do"))(**command))
    except Exception as error:
        out.put(id=number, error=f"{type(error).__name__}: {error}")


def obey(program, out):
    with ThreadPoolExecutor(32) as workers:
        for line in sys.stdin:
            if json.loads(line)["do"] == "stop":
                break
            workers.submit(serve, program, out, line)
        else:
            line = None
    program.stop()
    if line:
        out.put(id=json.loads(line)["id"])
    # The reference leaves threads behind that would hold the process.
    os._exit(0)


def run(build):
    """Runs a program on standard input and output."""
    out = Out()
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("FEDCELL_NODE_LOG", "WARNING"))
    program = build(json.loads(sys.stdin.readline()), out)
    threading.Thread(target=obey, args=(program, out), daemon=True).start()
    program.live()


def become(connection, log, build):
    """Turns a fork of the host into a program on that connection."""
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in [(connection.fileno(), 0), (connection.fileno(), 1), (errors, 2)]:
        os.dup2(source, target)
    sys.stdin = os.fdopen(0)
    # The host's state of it is that of all its forks.
    random.seed()
    os.write(1, json.dumps({"event": "pid", "pid": os.getpid()}).encode() + b"\n")
    run(build)
    os._exit(0)


def first_line(connection):
    """Reads no more than the first line: what follows is for the program."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            break
        line += byte
    return json.loads(line)


def host(build):
    folder = tempfile.mkdtemp(prefix="fedcell-host-")
    path = os.path.join(folder, "socket")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    print(json.dumps({"event": "host", "socket": path}), flush=True)
    children = set()
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [], 1.0)
        # A process id is not given to another before this has been done.
        for child in list(children):
            if os.waitpid(child, os.WNOHANG)[0]:
                children.discard(child)
        if listener in ready:
            connection, _ = listener.accept()
            wish = first_line(connection)
            if "log" in wish:
                child = os.fork()
                if child == 0:
                    listener.close()
                    become(connection, wish["log"], build)
                children.add(child)
            elif wish["kill"] in children:
                os.kill(wish["kill"], signal.SIGKILL)
            connection.close()
        if sys.stdin in ready and not sys.stdin.readline():
            shutil.rmtree(folder)
            os._exit(0)


def main(build):
    """Runs the program that `build` makes of a configuration and an `Out`."""
    if sys.argv[1:] == ["--host"]:
        host(build)
    else:
        run(build)

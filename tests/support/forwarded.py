"""Two hosts, a forwarder between them, and what tcpdump records at both: as root, in namespaces of their own."""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import NamedTuple

import forwarded_traffic
import forwarder
import oracle
import recorded
from fates import Treatment
from passages import OTHER, Passage, in_order_of_arrival
from recorded import inside, run, started

CLIENT, WIRE, SERVER = (f"fluxcap-{who}-{os.getpid()}" for who in ("client", "wire", "server"))
HOSTS = {"A": CLIENT, "B": SERVER}
OFFLOADS = ("tx", "tso", "gso", "gro")
PAGES_AT_ONCE, TALKS_AT_ONCE = 5, 2
QUIET = 1.5  # seconds, more than a packet is held
LIBRARY = os.pathsep.join(str(Path(module.__file__).parent) for module in (forwarder, recorded))


class Forwarded(NamedTuple):
    """Two captures, and the log of what was between."""

    paths: dict[str, Path]
    passages: list[Passage]


def forwarded(folder: Path, treatment: Treatment, offloaded: bool = False) -> Forwarded:
    """Pages of nginx that curl fetches, and datagrams that are answered, as they are recorded at both hosts."""
    paths = {point: folder / f"{point.lower()}.pcap" for point in HOSTS}
    log = folder / "log"
    wire = [forwarder.__file__, "A", "B", str(log), json.dumps(asdict(treatment))]
    with network(offloaded), ExitStack() as running:
        running.enter_context(python(SERVER, [forwarded_traffic.__file__, "serve"], signal.SIGTERM))
        running.enter_context(python(SERVER, [str(recorded.SERVERS), "serve"]))
        running.enter_context(python(WIRE, wire, signal.SIGTERM))
        for point, path in paths.items():
            recorder = ["tcpdump", "-Z", "root", "-U", "--immediate-mode", "-B", recorded.BUFFER, "-i", "veth"]
            recorder += ["--time-stamp-precision=nano", "-w", str(path)]
            running.enter_context(started([*inside(HOSTS[point]), *recorder], "listening on", signal.SIGINT))
        talk()
        wait_until_quiet(log)
    return Forwarded(paths, numbered(forwarder.read_log(log), paths))


def python(namespace: str, command: list[str], stop: signal.Signals | None = None) -> AbstractContextManager[None]:
    """A script that says when it is ready, and ends with its input or at a signal."""
    library = ("env", f"PYTHONPATH={LIBRARY}")
    return started([*inside(namespace), *library, sys.executable, *command], "ready", stop)


@contextmanager
def network(offloaded: bool) -> Iterator[None]:
    """A host, a wire and a host. `offloaded`: the hosts leave checksums and the cutting of super-frames to cards."""
    with ExitStack() as made:
        for namespace in (CLIENT, WIRE, SERVER):
            run("ip", "netns", "add", namespace)
            made.callback(run, "ip", "netns", "del", namespace)
        run(*inside(WIRE), "sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1")
        for place, (point, host) in enumerate(HOSTS.items()):
            run("ip", "-n", host, "link", "add", "veth", "type", "veth", "peer", "name", point, "netns", WIRE)
            run("ip", "-n", WIRE, "link", "set", point, "up")
            for namespace, device in ((host, "veth"), (WIRE, point)):
                for offload in OFFLOADS:
                    state = "on" if offloaded and offload != "gro" else "off"
                    run(*inside(namespace), "ethtool", "-K", device, offload, state)
            recorded.bring_up(host, "veth", place, recorded.ADDRESSES[place])
        for namespace, device in ((CLIENT, "veth"), (WIRE, "A")):
            run("ip", "-n", namespace, "link", "set", device, "mtu", str(forwarder.DATAGRAMS_OF_A))
        for address in forwarder.OUTSIDE:  # of translated clients: the server finds them where the client is
            neighbour = (address, "lladdr", "02:00:00:00:00:01", "dev", "veth", "nud", "permanent")
            run("ip", "-n", SERVER, "neighbour", "add", *neighbour)
        time.sleep(recorded.SETTLING)
        yield


def talk() -> None:
    """All that the client does, at once: the server has to wait for none of it."""
    hosts = recorded.ADDRESSES[1]
    commands = [[str(recorded.SERVERS), "fetch", host] for host, _ in product(hosts, range(PAGES_AT_ONCE))]
    commands += [
        [forwarded_traffic.__file__, host, f"{host} {seed}"] for host, seed in product(hosts, range(TALKS_AT_ONCE))
    ]
    prefix = (*inside(CLIENT), "env", f"PYTHONPATH={LIBRARY}", sys.executable)
    with ThreadPoolExecutor(len(commands)) as pool:
        list(pool.map(lambda command: run(*prefix, *command), commands))


def wait_until_quiet(log: Path) -> None:
    """Until nothing was logged for a while."""
    size = -1
    while size != log.stat().st_size:
        size = log.stat().st_size
        time.sleep(QUIET)


def numbered(logged: list[forwarder.Logged], paths: dict[str, Path]) -> list[Passage]:
    """The log with the numbers of records, with delays by the one clock of all, and with what was sent again alike."""
    frames = {point: list(oracle.frames(path.read_bytes())) for point, path in paths.items()}
    numbers = {point: defaultdict(deque) for point in paths}
    for point, own in frames.items():
        for number, frame in enumerate(own, 1):
            numbers[point][forwarder.digest(frame.data[forwarder.ETHERNET :])].append(number)
    out = []
    times = Counter(came[0] for _, came, _ in logged)
    for one, came, left in logged:
        here, there = one.sender, OTHER[one.sender]
        sent = tuple(numbers[here][digest].popleft() for digest in came)
        arrived = tuple(numbers[there][digest].popleft() for digest in left)
        delay = frames[there][arrived[0] - 1].time - frames[here][sent[0] - 1].time if arrived else None
        kind = "alike" if times[came[0]] > 1 else one.kind
        out.append(one._replace(kind=kind, sent=sent, arrived=arrived, delay=delay))
    return in_order_of_arrival(out)

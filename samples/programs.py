"""Programs that use the sockets interface, to be recorded while they run.

`programs.py serve` answers on every address until its standard input ends; `programs.py SCENARIO HOST` is one client.
"""

import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread

ECHO_PORT, REQUEST_PORT, COUNT_PORT, NEGLECTED_PORT, CLOSED_PORT, GROUP_PORT = 7007, 8080, 8081, 8082, 9, 6006
BACKLOG = 1  # connections that wait for accept() at the neglected port; Linux lets one more wait
GROUPS = {socket.AF_INET: "233.252.0.1", socket.AF_INET6: "ff02::db8:0:1"}  # set aside for documentation (RFC 6676)
REPORT_INTERVAL = 1  # seconds within which the kernel reports a membership (RFC 3376 section 8.11)
PATIENCE = 5  # seconds a client waits for an answer
TWO_SYNS = 1.5  # seconds; the first is sent again after one (RFC 6298 section 2)

# Linux numbers that Python's socket module does not name
SO_NO_CHECK, UDP_NO_CHECK6_TX, SOL_UDPLITE, UDPLITE_SEND_CSCOV = 11, 101, 136, 10


# The server -----------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Echo datagrams (UDP and, where the kernel has it, UDP-Lite) and answer requests over TCP, on IPv4 and IPv6."""
    Thread(target=echo_datagrams, args=(wildcard(socket.SOCK_DGRAM, ECHO_PORT),), daemon=True).start()
    for port, serve_client in ((REQUEST_PORT, answer_requests), (COUNT_PORT, count_octets)):
        listener = wildcard(socket.SOCK_STREAM, port)
        Thread(target=accept_clients, args=(listener, serve_client), daemon=True).start()
    families = (socket.AF_INET, socket.AF_INET6)  # a queue each
    neglected = [socket.create_server(("", NEGLECTED_PORT), family=family, backlog=BACKLOG) for family in families]
    if has_udp_lite():
        lite = wildcard(socket.SOCK_DGRAM, ECHO_PORT, socket.IPPROTO_UDPLITE)
        Thread(target=echo_datagrams, args=(lite,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    for listener in neglected:
        listener.close()


def wildcard(kind: socket.SocketKind, port: int, protocol: int = 0) -> socket.socket:
    """A socket bound to `port` on every address of both families."""
    bound = socket.socket(socket.AF_INET6, kind, protocol)
    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    bound.bind(("::", port))
    return bound


def has_udp_lite() -> bool:
    """Whether this kernel still speaks UDP-Lite."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE).close()
    except OSError:
        return False
    return True


def echo_datagrams(server: socket.socket) -> None:
    while True:
        message, client = server.recvfrom(65535)
        server.sendto(message, client)


def accept_clients(listener: socket.socket, serve_client: Callable[[socket.socket], None]) -> None:
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        Thread(target=serve_client, args=(connection,), daemon=True).start()


def answer_requests(connection: socket.socket) -> None:
    """Send as many bytes as each line asks for, until the client has no more requests."""
    with connection, connection.makefile("rb") as requests:
        try:
            for line in requests:
                connection.sendall(b"x" * int(line))
        except ConnectionResetError:
            return  # the scenario `reset` resets on purpose


def count_octets(connection: socket.socket) -> None:
    """Read all there is, then send twice as much."""
    with connection:
        size = 0
        while octets := connection.recv(65535):
            size += len(octets)
        connection.sendall(b"y" * 2 * size)


# The clients ----------------------------------------------------------------------------------------------------------


def connected(
    host: str, kind: socket.SocketKind, port: int, protocol: int = 0, patience: float = PATIENCE
) -> socket.socket:
    """A socket connected to `port` of `host`."""
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind, protocol)
    client.settimeout(patience)
    try:
        client.connect((host, port))
    except OSError:
        client.close()
        raise
    return client


def ask(connection: socket.socket, size: int) -> None:
    """Request `size` bytes and read them all."""
    connection.sendall(b"%d\n" % size)
    while size:
        size -= len(connection.recv(size))


def echo(host: str) -> None:
    """Messages of several sizes, each sent back: none, odd, even, as large as a frame holds."""
    with connected(host, socket.SOCK_DGRAM, ECHO_PORT) as client:
        for size in (0, 1, 17, 64, 1400):
            client.send(b"e" * size)
            client.recv(65535)


def request(host: str) -> None:
    """Three requests and their answers over one TCP connection."""
    with connected(host, socket.SOCK_STREAM, REQUEST_PORT) as client:
        for size in (5, 1001, 20000):
            ask(client, size)


def refused(host: str) -> None:
    """A TCP and a UDP port with nobody behind them: a reset and an ICMP error."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with connected(host, kind, CLOSED_PORT) as client:
                client.send(b"anybody?")
                client.recv(1)
        except ConnectionRefusedError:
            continue
        raise RuntimeError(f"{kind.name} to port {CLOSED_PORT} was not refused")


def fragmented(host: str) -> None:
    """A message larger than the link carries in one piece, and its echo."""
    with connected(host, socket.SOCK_DGRAM, ECHO_PORT) as client:
        client.send(bytes(range(250)) * 16)
        client.recv(65535)


def reset(host: str) -> None:
    """A connection closed with a linger time of zero: a reset instead of a FIN."""
    with connected(host, socket.SOCK_STREAM, REQUEST_PORT) as client:
        ask(client, 5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def clients_at_once(host: str, clients: int, unit: int) -> None:
    """Connections to one listener, all open at the same time; the nth asks for n times `unit` bytes."""
    with ExitStack() as opened:
        connections = [opened.enter_context(connected(host, socket.SOCK_STREAM, REQUEST_PORT)) for _ in range(clients)]
        for place, connection in enumerate(connections, 1):
            ask(connection, unit * place)


def many_clients(host: str) -> None:
    """Twelve connections."""
    clients_at_once(host, 12, 100)


def fifty_clients(host: str) -> None:
    """Fifty connections."""
    clients_at_once(host, 50, 10)


def half_close(host: str) -> None:
    """A connection that is closed for writing and still receives the answer."""
    with connected(host, socket.SOCK_STREAM, COUNT_PORT) as client:
        client.sendall(b"n" * 1000)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65535):
            pass


def overfull(host: str) -> None:
    """As many connections as wait for accept(), and one that nobody answers."""
    with ExitStack() as opened:
        for _ in range(BACKLOG + 1):
            opened.enter_context(connected(host, socket.SOCK_STREAM, NEGLECTED_PORT))
        try:
            connected(host, socket.SOCK_STREAM, NEGLECTED_PORT, patience=TWO_SYNS).close()
        except TimeoutError:
            return
    raise RuntimeError(f"port {NEGLECTED_PORT} had room for more than {BACKLOG + 1} connections")


def unchecked(host: str) -> None:
    """A datagram whose sender computed no checksum; over IPv6 that is illegal and nobody answers."""
    over_ipv6 = ":" in host
    with connected(host, socket.SOCK_DGRAM, ECHO_PORT) as client:
        if over_ipv6:
            client.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)
        else:
            client.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        client.send(b"trust me")
        if not over_ipv6:
            client.recv(65535)


def lite(host: str) -> None:
    """UDP-Lite datagrams with all, and with only the first bytes, under the checksum."""
    with connected(host, socket.SOCK_DGRAM, ECHO_PORT, socket.IPPROTO_UDPLITE) as client:
        for coverage in (0, 8, 20):
            client.setsockopt(SOL_UDPLITE, UDPLITE_SEND_CSCOV, coverage)
            client.send(b"some of this may be damaged and still be of use")
            client.recv(65535)


def multicast(host: str) -> None:
    """A group joined, sent to and left, on the interface that leads to `host`."""
    with connected(host, socket.SOCK_DGRAM, ECHO_PORT) as towards:
        address, family = towards.getsockname()[0], towards.family
    index = next(number for number, name in socket.if_nameindex() if name != "lo")
    with socket.socket(family, socket.SOCK_DGRAM) as member:
        if family == socket.AF_INET:
            membership = socket.inet_aton(GROUPS[family]) + socket.inet_aton(address)
            member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        else:
            membership = socket.inet_pton(family, GROUPS[family]) + struct.pack("i", index)
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        member.bind(("", GROUP_PORT))
        for _ in range(3):
            member.sendto(b"hello, group", (GROUPS[family], GROUP_PORT))
        time.sleep(REPORT_INTERVAL)


SCENARIOS = {
    client.__name__: client
    for client in (
        *(echo, request, refused, fragmented, reset, many_clients, unchecked, lite, multicast),
        *(fifty_clients, half_close, overfull),
    )
}

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case [name, host]:
            SCENARIOS[name](host)

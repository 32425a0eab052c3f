"""Datagrams and answers, no two with the same bytes: `forwarded_traffic.py serve`, and `... HOST SEED`."""

import random
import socket
import sys
import time

import programs

SIZES = (*range(12, 1400, 5), *range(2000, 8000, 500))  # bytes; some need fragments where 1500 is the most
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # of Linux: routers may cut what it sends
APART = 0.004  # seconds
LAST_ANSWER = 1.5  # seconds, more than a packet is held


def serve() -> None:
    """Answer what comes with as many bytes, even what comes twice with others."""
    server, rng = programs.wildcard(socket.SOCK_DGRAM, programs.ECHO_PORT), random.Random(0)
    print("ready", flush=True)
    while True:
        message, client = server.recvfrom(65535)
        server.sendto(rng.randbytes(len(message)), client)


def talk(host: str, seed: str) -> None:
    """One flow."""
    rng = random.Random(seed)
    with programs.connected(host, socket.SOCK_DGRAM, programs.ECHO_PORT) as client:
        if ":" not in host:
            client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        for size in rng.sample(SIZES, len(SIZES)):
            client.send(rng.randbytes(size))
            time.sleep(APART)
        time.sleep(LAST_ANSWER)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case [host, seed]:
            talk(host, seed)

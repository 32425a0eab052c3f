"""Servers and clients of Debian that are recorded while they run: nginx and curl, iperf3, dig.

`servers.py serve` starts the servers until its standard input ends; `servers.py SCENARIO HOST` is one client.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

WEB_PORT, MEASURED_PORT, NAME_PORT = 8080, 5201, 53
PAGES = {"page": 5000, "picture": 30000}  # bytes
MEASURED = 3 * 8192  # bytes, of which iperf3 writes 8192 at a time
PATIENCE = 10  # seconds until a server has to listen
COOKIE = 37  # bytes by which each connection of an iperf3 test begins
NO_SERVER = 9  # dig's exit status
CONFIGURATION = """
daemon off;
user root;
worker_processes 1;
error_log stderr;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen {port};
        listen [::]:{port};
        root {folder};
    }}
}}
"""


def serve() -> None:
    """A web server and an iperf3 server; nobody answers for names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for page, size in PAGES.items():
            (folder / page).write_bytes(b"p" * size)
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=WEB_PORT))
        commands = (
            ["nginx", "-p", name, "-e", "stderr", "-c", str(folder / "nginx.conf")],
            ["iperf3", "--server", "--port", str(MEASURED_PORT)],
        )
        servers = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands
        ]
        try:
            wait_for(WEB_PORT)
            wait_for(MEASURED_PORT)
            print("ready", flush=True)
            sys.stdin.read()
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    listening = f":{port:04X} {'0' * 32}:0000 0A"  # a line of /proc/net/tcp6: any address, no peer, state LISTEN
    end = time.monotonic() + PATIENCE
    while listening not in Path("/proc/net/tcp6").read_text():
        if time.monotonic() > end:
            raise RuntimeError(f"nobody listens at port {port}")
        time.sleep(0.05)


def fetch(host: str) -> None:
    """Two pages over one connection."""
    quoted = f"[{host}]" if ":" in host else host
    urls = [f"http://{quoted}:{WEB_PORT}/{page}" for page in PAGES]
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--noproxy", "*", "--user-agent", "", *urls], capture_output=True, check=True
    )
    assert len(done.stdout) == sum(PAGES.values())


def measure(host: str) -> None:
    """MEASURED bytes of iperf3, and a second connection on which both sides report."""
    command = ["iperf3", "--client", host, "--port", str(MEASURED_PORT), "--bytes", str(MEASURED), "--length", "8192"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def look_up(host: str) -> None:
    """A query for a name, to a port where no name server listens."""
    done = subprocess.run(["dig", f"@{host}", "+tries=1", "+timeout=1", "example.com"], stdout=subprocess.DEVNULL)
    assert done.returncode == NO_SERVER


SCENARIOS = {client.__name__: client for client in (fetch, measure, look_up)}

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case [name, host]:
            SCENARIOS[name](host)

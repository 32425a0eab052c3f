"""Every command that reads a capture, in the folder of that capture; and what each of them writes."""

QUERY = "SELECT * FROM packets"
# Print their results.
PRINTING = {
    "info": "info in.pcap",
    "info with hashes": "info --hash in.pcap",
    "flows": "flows in.pcap",
    "flows for people": "flows -f table -n 0 in.pcap",
    "flows as JSON": "flows -f json in.pcap",
    "flows as Arrow": "flows -f arrows in.pcap",
    "connections": "connections in.pcap",
    "sockets": "sockets in.pcap",
    "life of a socket": "sockets --life 192.0.2.1:4000 in.pcap",
    "hosts": "hosts in.pcap",
    "timeline": "timeline in.pcap",
    "check": "check in.pcap",
    "audit": "audit in.pcap",
    "compare": "compare in.pcap in.pcap",
    "packets": "packets in.pcap",
    "packets, sorted": "packets --sort time in.pcap",
    "explain": "explain -p 3 in.pcap",
    "sql": f"sql {QUERY!r} in.pcap",
    "report": "report -o - in.pcap",
    "extract": "flows --extract 0 -o - in.pcap",
    "dedupe": "dedupe -o - in.pcap",
    "repair": "repair -o - in.pcap",
}
# Write one file, which appears when it is whole, and here replaces another one.
WRITING = {
    **{
        f"flows to {suffix}": (f"flows in.pcap -o flows.{suffix}", f"flows.{suffix}")
        for suffix in ("tsv", "csv", "csv.gz", "csv.zst", "json", "ndjson", "txt", "npz", "parquet", "arrow", "arrows")
    },
    "packets to Parquet": ("packets in.pcap -o packets.parquet", "packets.parquet"),
    "info": ("info in.pcap -o info.json", "info.json"),
    "check": ("check in.pcap -o check.tsv", "check.tsv"),
    "audit": ("audit in.pcap -o audit.json", "audit.json"),
    "explain": ("explain -p 3 in.pcap -o explained.svg", "explained.svg"),
    "sql": (f"sql {QUERY!r} in.pcap -o rows.csv", "rows.csv"),
    "report": ("report in.pcap -o report.html", "report.html"),
    "extract": ("flows --extract 0 -o one.pcap in.pcap", "one.pcap"),
    "dedupe": ("dedupe in.pcap -o once.pcap", "once.pcap"),
    "repair": ("repair in.pcap -o mended.pcap", "mended.pcap"),
    "index": ("index in.pcap", "in.pcap.fluxcap-index.parquet"),
    "mux": ("mux sockets -o muxed.pcap", "muxed.pcap"),
}
# Fill a directory, of which the index appears last, when it is whole.
FILLING = {
    "demux": ("demux in.pcap -o out", "out/index.ndjson"),
    "demux to captures": ("demux --as pcap in.pcap -o out", "out/index.ndjson"),
}

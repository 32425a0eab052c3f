"""What people type who come from other programs, and what it is called here: options and commands."""

from typing import Final

from fluxcap.errors import Meanings
from fluxcap.values.meanings import by_word, in_words

_OPTIONS: Final = {  # by what to type here
    "-n": "top limit head count max max-count number rows num c lines tail",
    "-w": "all-columns full",
    "-s": "sort-by order-by sortby orderby",
    "-s +COLUMN": "asc ascending",
    "-s COLUMN": "desc descending reverse",
    "--where": "filter bpf display-filter read-filter y r-filter expression only",
    "-f json": "json",
    "-f ndjson": "ndjson jsonl",
    "-f csv": "csv",
    "-f tsv": "tsv",
    "-f parquet": "parquet",
    "-f": "type output-format t",
    "-o": "write out outfile save",
    "--by": "group-by groupby group key aggregate aggregate-by a",
    "--columns": "fields field select show e",
    "--threads": "jobs j workers cores parallel",
    "--ahead": "prefetch readahead read-ahead lookahead",
    "--idle-timeout": "timeout idle inactive-timeout",
    "--interval": "window bucket every bin",
    "--uniflow": "unidirectional uni",
    "--quiet": "silent",
    "--color never": "no-color no-colour",
    "--color": "colour",
    "--strict": "fail-fast pedantic",
    "--resync": "recover salvage fix keep-going continue-on-error skip-bad",
    "--no-decap": "outer outermost",
    "--max-bad": "allow tolerate",
    "--list": "all details",
}
_COMMANDS: Final = {
    "info": "stats statistics summary capinfos describe show list ls",
    "flows": "netflow nfdump",
    "connections": "conns conn conversations conv tcp zeek",
    "sockets": "netstat ss listeners ports services",
    "hosts": "endpoints talkers toptalkers",
    "check": "checksum checksums verify validate",
    "audit": "quality trust health drops loss",
    "compare": "diff latency delay loss owd",
    "packets": "print dump read tshark tcpdump frames",
    "report": "html page dashboard plot plots graph",
    "sql": "query select duckdb",
    "demux": "streams follow reassemble tcpflow split",
    "mux": "join",
    "bench": "benchmark speed",
}
INPUTS: Final = frozenset(("-r", "-i", "--read", "--input", "--in", "--infile", "--file", "--pcap"))  # before an input


def options() -> Meanings:
    """By word, with its dashes, the options that it can stand for."""
    words = by_word(in_words(_OPTIONS))
    return {f"{'-' if len(word) == 1 else '--'}{word}": ours for word, ours in words.items()}


def commands() -> Meanings:
    """By word the commands that it can stand for."""
    return by_word(in_words(_COMMANDS))

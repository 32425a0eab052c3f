"""conn.log read by the rules of its own header, as zeek-cut and zat read it."""

import ipaddress

TYPES = {
    "time": float, "interval": float, "string": str, "enum": str, "count": int, "port": int,
    "addr": lambda text: str(ipaddress.ip_address(text)), "bool": {"T": True, "F": False}.__getitem__,
    "set[string]": lambda text: text.split(","),
}  # fmt: skip


def read_log(text: str) -> list[dict[str, object]]:
    """The rows: the fields that are set, by name."""
    head, rows = {}, []
    for line in text.splitlines():
        if line.startswith("#separator "):
            separator = line.partition(" ")[2].encode().decode("unicode_escape")
        elif line.startswith("#"):
            name, *words = line[1:].split(separator)
            head[name] = words
        else:
            cells = zip(head["fields"], head["types"], line.split(separator), strict=True)
            rows.append({f: TYPES[kind](cell) for f, kind, cell in cells if cell != head["unset_field"][0]})
    return rows

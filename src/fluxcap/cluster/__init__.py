"""Captures read by many machines: the reading functions, whose work Dask shares out. Extra `cluster`."""

from fluxcap.cluster.read import (
    read_checksums,
    read_connections,
    read_flows,
    read_info,
    read_sockets,
    read_timeline,
)

__all__ = ["read_checksums", "read_connections", "read_flows", "read_info", "read_sockets", "read_timeline"]

"""Captures read by many machines: the reading functions, whose work Dask shares out. Extra `cluster`."""

from fluxcap.cluster.read import read_connections, read_flows, read_info, read_sockets

__all__ = ["read_connections", "read_flows", "read_info", "read_sockets"]

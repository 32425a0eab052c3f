"""CICFlowMeter's table of flows. docs/cicflowmeter.md compares it with that of CICFlowMeter itself."""

from fluxcap.tables.naming.cicflowmeter_columns import columns_of
from fluxcap.tables.table import Table


def cicflowmeter(flows: Table) -> Table:
    """Make a table with the columns of CICFlowMeter: 83 of them, in its units, with the names of version 4.

    Parameters
    ----------
    flows : FlowTable
        Flows by 5tuple, read with `features=True` and `activity=True`; with `semantics="cicflowmeter"` they end where
        its flows end.

    Returns
    -------
    Table
        One row a flow, in the same order. Lengths of time are microseconds, in float64; `Timestamp` is a time as in
        other tables. `Label` is left out: docs/cicflowmeter.md shows how labels are joined.

    Raises
    ------
    ValueError
        The table has not the columns that these are made of.

    Examples
    --------
    >>> import fluxcap
    >>> options = {"semantics": "cicflowmeter", "features": True, "activity": True}
    >>> table = fluxcap.cicflowmeter(fluxcap.read_flows("samples/session.pcap", **options))
    >>> table.columns[6:10]
    ('Timestamp', 'Flow Duration', 'Total Fwd Packet', 'Total Bwd packets')
    """
    return Table(columns_of(flows), flows.metadata)

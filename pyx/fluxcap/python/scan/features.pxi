# What is kept beside the rows of flows.

from libc.stdint cimport uint32_t

from fluxcap.flows.activity cimport activity_stride
from fluxcap.flows.features cimport MAX_FIRST_PACKETS, features_stride, name_stride
from fluxcap.flows.table cimport Flows


cdef tuple plan_features(Flows* flows, key):
    """Plan features, activity and first packets as the key says; the fields of each, none of what is not asked for."""
    cdef tuple features = (), activity = ()
    flows.first_packets = key.get("splt", 0)
    if flows.first_packets > MAX_FIRST_PACKETS:
        raise ValueError(f"splt is at most {MAX_FIRST_PACKETS}, not {flows.first_packets}")
    flows.describes = bool(key.get("features") or key.get("activity") or flows.first_packets)
    if flows.describes:
        flows.features_stride = features_stride(flows.first_packets)
    if key.get("features"):
        features = feature_fields(key["biflow"])
    if key.get("activity"):
        flows.activity_at = <uint32_t>flows.features_stride
        flows.features_stride += activity_stride()
        activity = activity_fields(key["biflow"])
    return features, activity, first_fields(flows.first_packets)


cdef tuple plan_names(Flows* flows):
    """Plan the name of the server; its fields."""
    flows.name_at = <uint32_t>flows.features_stride
    flows.features_stride += name_stride()
    return name_fields(flows.name_at)

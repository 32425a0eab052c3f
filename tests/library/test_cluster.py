"""Many machines: their tables are those of one process, whatever crosses from one group of inputs to the next."""

import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as b
import fluxcap
import strategies as drawn
from capture_files import Record, pcap, records
from capture_pieces import picked, pieces
from fluxcap.capture.inputs import expand
from fluxcap.cluster import collect, gathering, reports, timelines
from fluxcap.cluster.account import Accounting
from fluxcap.cluster.groups import groups_of
from fluxcap.cluster.part import Work, read_part
from fluxcap.cluster.sharing import Sharing, Workers, scheduler
from fluxcap.plan import keys
from fluxcap.plan.flow_plan import FlowPlan
from fluxcap.plan.read_options import ReadOptions
from fluxcap.tables.connections import ConnectionTable
from fluxcap.tables.flows import FlowTable
from library_sources import SRC
from object_server import serving
from s3_server import BUCKET, s3_server
from workers_here import workers_here

distributed = pytest.importorskip("distributed")
from fluxcap import cluster  # noqa: E402 (its public names need no package, only their calls)

SAMPLES = Path(__file__).parents[2] / "samples"
WITH_VERDICTS = ("verdicts", "veth-checksums-offloaded", "veth-checksums-computed", "verdicts")
CUT_UP = ("office", "session", "datagram-in-fragments", "fragments-out-of-order", "port-refused", "vxlan-tunnel")
PLANS = [
    *({"by": by} for by in ("5tuple", "ports", "src_ip/24,dst_port", "hosts", "sockets")),
    {"idle_timeout": "1s"},
    {"active_timeout": "1s"},
    {"by": "ports", "idle_timeout": "5s", "active_timeout": "20s"},
    {"by": "src_ip/24,dst_port", "active_timeout": "2s"},
    {"interval": "1s"},
    {"features": True, "splt": 3},
    {"payload": 9},
    {"end": "tcp", "activity": True},
    {"semantics": "zeek"},
    {"semantics": "nfstream"},
    {"semantics": "cicflowmeter"},
    {"semantics": "zeek", "interval": "10s"},
    {"where": "udp", "active_timeout": "1s"},
]


@contextmanager
def here() -> Iterator[None]:
    """Groups are given as lists of captures, and no cluster is needed."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(gathering, "groups_of", lambda src, size, ranges: [expand(group) for group in src])
        patch.setattr(gathering, "workers", workers_here)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Captures cut into consecutive parts, so that flows, connections and datagrams cross from file to file."""
    made = tmp_path_factory.mktemp("parts")
    for at, name in enumerate(CUT_UP):
        octets = (SAMPLES / f"{name}.pcap").read_bytes()
        n = sum(packet for packet, _ in pieces(octets))
        for part in range(6):
            chosen = range(n * part // 6 + 1, n * (part + 1) // 6 + 1)
            (made / f"{at}-{name}-{part}.pcap").write_bytes(picked(octets, chosen))
    return made


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """Two threads of this process."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as local,
        distributed.Client(local) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr("fluxcap.plan.sizes.LEAST", 1)


pytestmark = pytest.mark.filterwarnings("ignore::fluxcap.errors.OutOfOrderWarning", "ignore::ResourceWarning")


# The same rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_flows_are_those_of_one_process(plan, folder, client):
    try:
        whole = fluxcap.read_flows(folder, **plan)
    except ModuleNotFoundError:
        pytest.skip("filters need their extra")
    made = cluster.read_flows(folder, **plan, client=client, task_bytes=70_000, fan_in=2)
    assert len({one["path"] for one in made.metadata["files"]}) == 6 * len(CUT_UP)
    assert made == whole
    told = {name: value for name, value in whole.metadata.items() if name not in ("late", "hints")}
    assert {name: made.metadata[name] for name in told} == told


@pytest.mark.parametrize("size", [1, 20_000, 200_000])
def test_connections_and_sockets_are_those_of_one_process(size, folder, client):
    for options in ({}, {"semantics": "zeek"}, {"active_timeout": "5s", "ignore_checksums": True}):
        made = cluster.read_connections(folder, **options, client=client, task_bytes=size)
        assert made == fluxcap.read_connections(folder, **options), options
    assert cluster.read_sockets(folder, client=client, task_bytes=size) == fluxcap.read_sockets(folder)


@pytest.mark.parametrize("size", [1, 200_000])
def test_a_survey_is_that_of_one_process(size, folder, client):
    inputs = [*sorted(folder.glob("*office*")), *sorted(folder.glob("*session*"))]  # without fragments
    for src in (inputs, folder):
        assert cluster.read_info(src, client=client, task_bytes=size).to_dict() == fluxcap.read_info(src).to_dict()


def told(report):
    """A report without what is known of each group alone."""
    made = report.to_dict()
    made["metadata"] = {name: made["metadata"][name] for name in ("inputs", "packets", "ledger", "first", "last")}
    return made


@pytest.mark.parametrize("limit", [0, 3, 1000])
def test_a_report_on_checksums_is_that_of_one_process(limit, folder, client):
    samples = [SAMPLES / f"{name}.pcap" for name in WITH_VERDICTS] + [SAMPLES / "sockets.pcapng"]
    for src in (samples, folder):
        made = cluster.read_checksums(src, list_limit=limit, client=client, task_bytes=1)
        assert told(made) == told(fluxcap.read_checksums(src, list_limit=limit))


@pytest.mark.parametrize("by", [None, "protocol", "verdict", "ports"])
def test_a_timeline_is_that_of_one_process(by, folder, client):
    for src, interval in ((sorted(folder.glob("*session*")), "10ms"), (folder, "1000d")):
        made = cluster.read_timeline(src, interval, by=by, client=client, task_bytes=70_000)
        assert made == fluxcap.read_timeline(src, interval, by=by)


frames = st.one_of(
    drawn.dialogue_frames, drawn.icmp_errors, drawn.fragment_frames, drawn.simple_frames, drawn.tunnelled_frames
)
plans = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["5tuple", "ports", "hosts", "src_ip/24,dst_port", "protocol"]),
        "biflow": st.booleans(),
        "idle_timeout": st.sampled_from([None, 2e-4]),
        "active_timeout": st.sampled_from([None, 3e-4]),
        "interval": st.sampled_from([None, 1e-4]),
        "features": st.booleans(),
        "activity": st.booleans(),
    }
)
inputs = st.lists(st.lists(drawn.captures(frames), min_size=1, max_size=2), min_size=1, max_size=4)


@given(groups=inputs, plan=plans)
def test_whatever_crosses_a_seam_the_flows_are_those_of_one_reading(groups, plan):
    by = keys.parse(plan.pop("by"), plan.pop("biflow"))
    made_of = FlowPlan(by, **plan)
    with here():
        made = collect.collect_flows(groups, made_of, ReadOptions(), FlowTable, Sharing())
        whole = fluxcap.tables.flows.collect_flows([one for group in groups for one in group], made_of, ReadOptions(),
                                                   FlowTable)  # fmt: skip
    assert made == whole
    assert made.metadata["ledger"] == whole.metadata["ledger"]


def test_a_first_fragment_that_completes_its_datagram_belongs_to_it_across_seams():
    """It has the verdict on the datagram, and with `interval` it is in another flow than the fragments before it."""
    datagram = b.completed(b.udp(bytes(24), 4000, 53), b.packed("192.0.2.1"), b.packed("192.0.2.2"))
    first, *others = [
        bytes(b.ethernet(b.ipv4(data, protocol=17, offset=at, more=more))) for at, more, data in b.pieces(datagram, 16)
    ]
    before, later = [Record(first, 0)], [*(Record(one, 0) for one in others), Record(first, 100_000)]
    groups = [[pcap(before, ns=True)], [pcap(later, ns=True)]]
    plan = FlowPlan(keys.parse("5tuple", False), interval=1e-4)
    with here():
        made = collect.collect_flows(groups, plan, ReadOptions(), FlowTable, Sharing())
    whole = fluxcap.read_flows([one for group in groups for one in group], biflow=False, interval=1e-4)
    assert made == whole
    assert made.metadata["ledger"] == whole.metadata["ledger"]


def test_icmp_errors_that_find_no_room_where_parts_meet_are_told():
    """Each part has room for the errors about its flows; all together have it for 65,536."""
    groups = []
    for port, n in ((53, 40_000), (54, 30_000)):
        quoted = (b.ipv4(b.udp(b"", source, port), "192.0.2.1", "192.0.2.2") for source in range(1, n + 1))
        errors = (b.ipv4(b.icmp(bytes(one)[:28], 3, 3, bytes(4)), "198.51.100.9", "192.0.2.1") for one in quoted)
        groups.append([pcap(records(map(b.ethernet, errors)))])
    plan, told = FlowPlan(keys.parse("5tuple", True)), "4,464 ICMP errors about flows not seen before them are not kept"
    with here(), pytest.warns(UserWarning, match=told):
        collect.collect_flows(groups, plan, ReadOptions(), FlowTable, Sharing())
    with pytest.warns(UserWarning, match=told):
        fluxcap.read_flows([one for group in groups for one in group])


@given(groups=inputs, ignore_checksums=st.booleans(), semantics=st.sampled_from([None, "zeek"]))
def test_whatever_crosses_a_seam_the_connections_are_those_of_one_reading(groups, ignore_checksums, semantics):
    plan = FlowPlan(connections=True, ignore_checksums=ignore_checksums, semantics=semantics)
    with here():
        made = collect.collect_flows(groups, plan, ReadOptions(), ConnectionTable, Sharing())
        whole = fluxcap.tables.flows.collect_flows(
            [one for group in groups for one in group], plan, ReadOptions(), ConnectionTable
        )
    assert made == whole


@given(groups=inputs)
def test_whatever_crosses_a_seam_the_survey_is_that_of_one_reading(groups):
    with here():
        made = reports.collect_info(groups, ReadOptions(), Sharing()).to_dict()
        whole = fluxcap.read_info([one for group in groups for one in group]).to_dict()
    assert made == whole


@settings(max_examples=40)
@given(groups=inputs, list_limit=st.integers(0, 3))
def test_whatever_crosses_a_seam_the_report_on_checksums_is_that_of_one_reading(groups, list_limit):
    with here():
        made = reports.collect_checksums(groups, list_limit, ReadOptions(), Sharing())
        whole = fluxcap.read_checksums([one for group in groups for one in group], list_limit=list_limit)
    assert told(made) == told(whole)


@settings(max_examples=40)
@given(
    groups=inputs,
    by=st.sampled_from([None, "protocol", "verdict", "hosts"]),
    interval=st.sampled_from(["100us", "1ms"]),
    ignore_checksums=st.booleans(),
)
def test_whatever_crosses_a_seam_the_timeline_is_that_of_one_reading(groups, by, interval, ignore_checksums):
    with here():
        made = timelines.collect_timeline(groups, interval, by, ReadOptions(), Sharing(), ignore_checksums)
        whole = fluxcap.read_timeline(
            [one for group in groups for one in group], interval, by=by, ignore_checksums=ignore_checksums
        )
    assert made == whole
    assert made.metadata["ledger"] == whole.metadata["ledger"]


# What becomes of each input -------------------------------------------------------------------------------------------


def test_dozens_of_objects_over_two_processes_with_some_that_cannot_be_read(tmp_path):
    """Through S3; a truncated, an empty and a text file among them."""
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    octets = (SAMPLES / "office.pcap").read_bytes()
    n = sum(packet for packet, _ in pieces(octets))
    stored = {f"{at:03}.pcap": picked(octets, range(n * at // 60 + 1, n * (at + 1) // 60 + 1)) for at in range(60)}
    wrong = {"020.txt": b"some text\n", "030.empty": b"", "045.cut": stored["045.pcap"][:-7]}
    with s3_server() as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        store = fsspec.filesystem("s3")
        store.pipe({f"{BUCKET}/day/{name}": value for name, value in (stored | wrong).items()})
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
            distributed.Client(local) as two,
        ):
            urls = [f"s3://{BUCKET}/day/{name}" for name in sorted(stored | wrong)]
            for active in (None, "10s"):
                with pytest.warns(fluxcap.DamagedCaptureWarning) as caught:
                    made = cluster.read_flows(urls, active_timeout=active, client=two, task_bytes=20_000)
                good = [value for _, value in sorted((stored | {"045.cut": wrong["045.cut"]}).items())]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    assert made == fluxcap.read_flows(good, active_timeout=active)
                said = sorted(str(one.message) for one in caught if one.category is fluxcap.DamagedCaptureWarning)
                wanted = ["020.txt: not a capture", "030.empty: not a capture", "045.cut: cut short"]
                assert [words in line for words, line in zip(wanted, said, strict=True)] == [True] * 3
                files = made.metadata["files"]
                assert [one["path"] for one in files] == urls
                assert {one["path"][-7:] for one in files if one["error"]} == {"020.txt", "0.empty", "045.cut"}
                assert sum(one["packets"] for one in files) == made.metadata["packets"]
                assert len({one["worker"] for one in files}) == 2
            with pytest.raises(fluxcap.CaptureError, match=r"020\.txt"):
                cluster.read_flows(urls, client=two, task_bytes=20_000, on_error="raise")


class Trap(dict):
    """Objects; when one of them is asked for the second time, something happens: the first one asks for its size."""

    def __init__(self, objects, trapped):
        super().__init__(objects)
        self.trapped, self.springs = trapped, []

    def get(self, path, default=None):
        if path == self.trapped and self.springs:
            self.springs.pop()()
        return super().get(path, default)


def test_a_worker_that_dies_changes_nothing():
    pytest.importorskip("aiohttp")
    octets = (SAMPLES / "session.pcap").read_bytes()
    n = sum(packet for packet, _ in pieces(octets))
    parts = {f"/{at}.pcap": picked(octets, range(n * at // 8 + 1, n * (at + 1) // 8 + 1)) for at in range(8)}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as local,
        distributed.Client(local) as two,
    ):
        two.run(import_module, "fluxcap.cluster.collect")  # so that both are at work when one dies
        victim = next(iter(two.run(os.getpid).values()))
        objects = Trap(parts, "/5.pcap")
        with serving(objects) as server:
            urls = [server.url + path for path in parts]
            objects.springs = [lambda: os.kill(victim, signal.SIGKILL), lambda: None]
            made = cluster.read_connections(urls, client=two, task_bytes=1)
            assert made == fluxcap.read_connections(octets)
            assert max(one["tries"] for one in made.metadata["files"]) > 1


@pytest.mark.parametrize("read", [cluster.read_flows, cluster.read_info])
def test_without_one_capture_there_is_no_result(read, tmp_path, client):
    (tmp_path / "a.txt").write_text("some text")
    with pytest.raises(fluxcap.NotACaptureError, match=r"a\.txt: not a capture"):
        read([tmp_path / "a.txt"], client=client)
    with pytest.raises(fluxcap.NotACaptureError, match="none of the 1 files in it"):
        read(tmp_path, client=client)


def test_damage_is_raised_where_that_is_wanted(client):
    with pytest.raises(fluxcap.TruncatedError, match="cut-inside"):
        cluster.read_flows(SAMPLES / "cut-inside-a-record.pcap", client=client, on_error="raise")


def test_ctrl_c_gives_the_rows_of_the_groups_that_are_read(folder, client, monkeypatch):
    inputs = sorted(folder.glob("*office*"))
    finished = Workers.finished
    wait_for = Workers.wait_for
    monkeypatch.setattr(Workers, "finished", lambda self, parts: finished(self, parts)[:3])

    def interrupted(self, parts, done=None):
        wait_for(self, parts)
        if done is not None:  # while the groups are read
            raise KeyboardInterrupt

    monkeypatch.setattr(Workers, "wait_for", interrupted)
    for plan in (FlowPlan(), FlowPlan(active_timeout="5s")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            made = collect.collect_flows(
                inputs, plan, ReadOptions(on_interrupt="return"), FlowTable, Sharing(client, task_bytes=1)
            )
        said = [one for one in caught if "has a row in each" in str(one.message)]
        if plan.active_timeout is None:
            assert (made, said) == (fluxcap.read_flows(inputs[:3]), [])
        else:  # not read again to join them
            rows = [fluxcap.read_flows(path, active_timeout="5s") for path in inputs[:3]]
            assert made["packets"].tolist() == [n for one in rows for n in one["packets"].tolist()]
            assert len(said) == 1
        assert made.metadata["interrupted"]
        with pytest.raises(KeyboardInterrupt):
            collect.collect_flows(inputs, plan, ReadOptions(), FlowTable, Sharing(client, task_bytes=1))


def test_what_is_read_is_told_while_it_goes_on(folder, client):
    inputs = sorted(folder.glob("*office*"))
    told = []
    sharing = Sharing(client, task_bytes=1, on_read=told.append)
    collect.collect_flows(inputs, FlowPlan(), ReadOptions(), FlowTable, sharing)
    assert sorted(told) == sorted(path.stat().st_size for path in inputs)


def test_a_task_that_nobody_waits_for_ends_before_its_next_input(folder, client, monkeypatch):
    """Else a worker would still be busy with it after Ctrl-C."""
    began, go_on, names = threading.Event(), threading.Event(), []
    begin = Accounting.begin

    def begin_slowly(self, name, *more):
        names.append(name)
        began.set()
        assert go_on.wait(60)
        begin(self, name, *more)

    monkeypatch.setattr(Accounting, "begin", begin_slowly)
    inputs = sorted(folder.glob("*office*"))
    task = client.submit(read_part, expand(inputs), Work(FlowPlan(), ReadOptions(), FlowTable, False), pure=False)
    assert began.wait(60)
    client.cancel([task])
    (worker,) = client.cluster.workers.values()
    while worker.state.tasks[task.key].state != "cancelled":
        time.sleep(0.01)
    go_on.set()
    while task.key in worker.state.tasks:
        time.sleep(0.01)
    assert names == [str(inputs[0])]


# What is asked for ----------------------------------------------------------------------------------------------------


def test_a_local_cluster_has_as_many_processes_as_are_asked_for():
    with scheduler("local:3") as three:
        assert len(set(three.run(os.getpid).values())) == 3


def test_without_a_client_threads_of_this_process_read(folder):
    assert cluster.read_flows(folder, task_bytes=70_000) == fluxcap.read_flows(folder)


def test_small_inputs_are_grouped_in_order(tmp_path):
    for at, size in enumerate((10, 20, 30, 100, 5, 5)):
        (tmp_path / f"{at}.pcap").write_bytes(bytes(size))
    grouped = groups_of(tmp_path, 60)
    assert [[Path(item.name).name[0] for item in group] for group in grouped] == [["0", "1", "2"], ["3"], ["4", "5"]]


@pytest.mark.parametrize(
    ("src", "options", "said"),
    [
        (b"", {}, "<bytes> is in this process alone"),
        (SAMPLES, {"by": "file,protocol"}, "`file` is no field"),
        (SAMPLES, {"fan_in": 1}, "fan_in is at least 2"),
        (SAMPLES, {"on_error": "ignore"}, "on_error is 'collect' or 'raise'"),
        (SAMPLES, {"retries": -1}, "retries is at least 0"),
        (SAMPLES, {"task_bytes": "much"}, "task_bytes"),
        (SAMPLES, {"by": "nothing"}, "unknown"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(src, options, said, monkeypatch):
    monkeypatch.setattr("fluxcap.cluster.sharing.Workers.do", None)  # nothing is begun
    with pytest.raises(ValueError, match=said):
        cluster.read_flows(src, **options)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"the package distributed; run `pip install 'fluxcap\[cluster\]'`"):
        cluster.read_flows(SAMPLES / "office.pcap")


def test_one_module_imports_dask():
    def imports(path):
        # Not those for types alone, which stand behind `if TYPE_CHECKING:` and never run.
        return re.search(r"^\s*(import|from) (dask|distributed)\b(?!.*# type: ignore)", path.read_text(), re.MULTILINE)

    assert [path for path in SRC.rglob("*.py") if imports(path)] == [SRC / "cluster" / "sharing.py"]


def test_rows_that_end_with_the_capture_end_with_the_last_group():
    """A flow of the first group is idle because of a record of the last one, and the same is said of it."""
    frame = fluxcap.segment(b"x", ("192.0.2.1", 4000), ("192.0.2.2", 53))
    other = fluxcap.segment(b"x", ("192.0.2.1", 4001), ("192.0.2.2", 53))
    second = 10**9
    groups = [[pcap(records([frame], start=second), ns=True)], [pcap(records([other], start=9 * second), ns=True)]]
    for options in ({"idle_timeout": "5s"}, {"active_timeout": "5s"}, {"idle_timeout": "5s", "active_timeout": "5s"}):
        with here():
            made = collect.collect_flows(groups, FlowPlan(**options), ReadOptions(), FlowTable, Sharing())
        assert made["end_reason"].tolist() == [1 if "idle_timeout" in options else 2, 4]

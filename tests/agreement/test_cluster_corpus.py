"""Two worker processes read real captures from an object store: every table is that of one process."""

import warnings
from collections.abc import Iterator

import pytest

import fluxcap
from command_line import fluxcap as run
from real_captures import CORPUS, index, needs_corpus, spread
from s3_server import BUCKET, s3_server

distributed = pytest.importorskip("distributed")
fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs")
pytest.importorskip("moto")
from fluxcap import cluster  # noqa: E402 (its public names need no package, only their calls)

pytestmark = [needs_corpus, pytest.mark.slow]

CAPTURES = 200
TASK_OCTETS = 1 << 20  # the least there is: some tasks
WRONG = {"050-text": b"some text\n", "100-empty": b""}
CUT = "150-cut"
ALL = f"s3://{BUCKET}/*"
SOME = f"s3://{BUCKET}/[01][05]0-*"  # the wrong ones and their neighbours
PLANS = (
    {"by": "5tuple"},
    {"by": "5tuple", "idle_timeout": "1s"},
    {"by": "ports", "active_timeout": "1s"},
    {"by": "src_ip/24,dst_port", "idle_timeout": "5s", "active_timeout": "20s"},
)


def octets_of(paths: list[str]) -> dict[str, bytes]:
    """The captures, by names in the order of the paths."""
    return {f"{at:03}-capture": (CORPUS / path).read_bytes() for at, path in enumerate(paths)}


@pytest.fixture(scope="module")
def stored() -> Iterator[dict[str, bytes]]:
    """The objects of a bucket, by their names in order."""
    objects = octets_of(spread((row for row in index() if row["capinfos_rc"] == "0"), CAPTURES))
    longest = max(objects.values(), key=len)
    objects |= {**WRONG, CUT: longest[: len(longest) // 2 + 1]}
    with s3_server() as access, pytest.MonkeyPatch.context() as patch:
        for name, value in access.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").pipe({f"{BUCKET}/{name}": octets for name, octets in objects.items()})
        yield dict(sorted(objects.items()))


@pytest.fixture(scope="module")
def workers(stored: dict[str, bytes]) -> Iterator[object]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
        distributed.Client(local) as client,
    ):
        yield client


def alone(read, objects, **options):
    """What one process reads of those that are captures."""
    captures = [octets for name, octets in objects.items() if name not in WRONG]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(captures, **options)


def is_said(errors: list[str]) -> bool:
    """Whether these are the errors of the three inputs that are no whole captures."""
    said = [("050-text", "not a capture"), ("100-empty", "not a capture"), (CUT, "cut short")]
    return all(name in line and what in line for (name, what), line in zip(said, errors, strict=True))


def check_files(metadata, stored) -> None:
    """Each input has a line that says what became of it."""
    assert [one["path"].rpartition("/")[2] for one in metadata["files"]] == list(stored)
    files = metadata["files"]
    assert is_said([one["error"] for one in files if one["error"]])
    assert {one["tries"] for one in files} == {1}
    assert sum(one["packets"] for one in files) == metadata["packets"]
    assert len({one["worker"] for one in files}) == 2


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flows_are_those_of_one_process(plan, stored, workers):
    made = cluster.read_flows(ALL, **plan, client=workers, task_bytes=TASK_OCTETS)
    whole = alone(fluxcap.read_flows, stored, **plan)
    assert made == whole
    assert len(made) > CAPTURES
    assert made.metadata["ledger"] == whole.metadata["ledger"]
    check_files(made.metadata, stored)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_connections_are_those_of_one_process(stored, workers):
    made = cluster.read_connections(ALL, client=workers, task_bytes=TASK_OCTETS)
    assert made == alone(fluxcap.read_connections, stored)
    check_files(made.metadata, stored)


def test_the_command_says_what_it_could_not_read_and_exits_by_3(stored, tmp_path):
    out = tmp_path / "flows.csv"
    done = run("flows", SOME, "--scheduler", "local:2", "-o", out)
    assert done.returncode == 3
    assert is_said([line for line in done.stderr.splitlines() if line.startswith("error: ")]), done.stderr
    some = {name: octets for name, octets in stored.items() if name[0] in "01" and name[1] in "05" and name[2] == "0"}
    alone(fluxcap.read_flows, some).write(tmp_path / "alone.csv")
    assert out.read_text() == (tmp_path / "alone.csv").read_text()

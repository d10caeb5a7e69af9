"""The demonstration: sample images into the landing zones, both sample datasets run, what came out in a table."""

import sys
import time
import urllib.error
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote

from rich.console import Console
from rich.live import Live
from rich.table import Table

from chromapress.paths import DEFAULT_ROOT, STAGES, DatasetPaths
from chromapress.publication import current
from chromapress.storage import Hdfs
from stack import airflow, samples
from stack.home import StackError

SAMPLES = {"sample-photos": samples.photos, "sample-sprites": samples.sprites}
PARSE_TIMEOUT_S = 300
POLL_S = 1.0
ENDED = ("success", "failed")
LOG_LINES = 25


@dataclass
class Run:
    """One dataset's run, as last seen."""

    dataset: str
    run_id: str
    state: str = "queued"
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def dag_id(self) -> str:
        """The DAG that processes the dataset."""
        return f"quantize_{self.dataset}"

    @property
    def path(self) -> str:
        """The run in the REST API."""
        return f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}"


@dataclass(frozen=True)
class Api:
    """Airflow's REST API, logged in."""

    url: str
    token: str

    def call(self, path: str, method: str = "GET", body: object = None) -> dict[str, Any]:
        """One call, of which the answer is an object."""
        return cast(dict[str, Any], airflow.get_json(f"{self.url}/api/v2{path}", method, body, self.token))


def land(store: Hdfs, partition: str) -> None:
    """Put the images into the landing partitions; those that are there already stay as they are."""
    for dataset, images in SAMPLES.items():
        landing = DatasetPaths(DEFAULT_ROOT, dataset).partition(partition).landing
        for path, content in images():
            store.create(f"{landing}/{path}", content)


def wait_for_dags(api: Api) -> None:
    """Wait until Airflow knows the sample datasets' DAGs."""
    deadline = time.monotonic() + PARSE_TIMEOUT_S
    for dataset in SAMPLES:
        while True:
            try:
                api.call(f"/dags/quantize_{dataset}")
                break
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            if time.monotonic() > deadline:
                errors = [error["stack_trace"] for error in api.call("/importErrors")["import_errors"]]
                raise StackError("\n".join([f"Airflow does not know quantize_{dataset}.", *errors]))
            time.sleep(POLL_S)


def trigger(api: Api, dataset: str, partition: str) -> Run:
    """Start a dataset's run."""
    answer = api.call(
        f"/dags/quantize_{dataset}/dagRuns", "POST", {"logical_date": None, "conf": {"partition": partition}}
    )
    return Run(dataset, answer["dag_run_id"])


def refresh(api: Api, run: Run) -> None:
    """Look at a run again."""
    tasks = api.call(f"{run.path}/taskInstances")["task_instances"]
    run.tasks = {task["task_id"]: task for task in tasks}
    run.state = api.call(run.path)["state"]


def stage_seconds(task: Mapping[str, Any]) -> float:
    """How long a task has been running, or ran."""
    if not task.get("start_date"):
        return 0.0
    end = datetime.fromisoformat(task["end_date"]) if task.get("end_date") else datetime.now(UTC)
    return (end - datetime.fromisoformat(task["start_date"])).total_seconds()


def progress_table(runs: Iterable[Run]) -> Table:
    """Where the runs are."""
    table = Table("dataset", *STAGES, box=None)
    marks = {"success": "[green]✓", "failed": "[red]✗", "running": "[yellow]▶", "up_for_retry": "[red]↻"}
    for run in runs:
        cells = []
        for stage in STAGES:
            task = run.tasks.get(stage, {})
            mark = marks.get(task.get("state") or "")
            cells.append(f"{mark} {stage_seconds(task):.0f} s" if mark else "[dim]·")
        table.add_row(run.dataset, *cells)
    return table


@contextmanager
def progress(console: Console) -> Iterator[Any]:
    """A function that shows the runs: in place on a terminal, else a line for each change."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda runs: live.update(progress_table(runs))
        return
    seen: dict[tuple[str, str], str] = {}

    def print_changes(runs: Iterable[Run]) -> None:
        for run in runs:
            for stage in STAGES:
                task = run.tasks.get(stage, {})
                state = task.get("state")
                if (
                    state in ("running", "success", "failed", "up_for_retry")
                    and seen.get((run.dataset, stage)) != state
                ):
                    seen[run.dataset, stage] = state
                    took = f" after {stage_seconds(task):.0f} s" if task.get("end_date") else ""
                    print(f"{run.dataset}: {stage} {state}{took}", flush=True)

    yield print_changes


def follow(api: Api, runs: list[Run], console: Console) -> None:
    """Show the runs until all have ended."""
    with progress(console) as show:
        while True:
            for run in runs:
                if run.state not in ENDED:
                    refresh(api, run)
            show(runs)
            if all(run.state in ENDED for run in runs):
                return
            time.sleep(POLL_S)


def last_log_lines(api: Api, run: Run) -> str:
    """Which task of a failed run failed, and the end of its log."""
    failed = next((task for task in run.tasks.values() if task["state"] == "failed"), None)
    if failed is None:
        return "No task of it has failed; see the run in the UI."
    path = f"{run.path}/taskInstances/{failed['task_id']}/logs/{failed['try_number']}?full_content=true"
    events = [event for event in api.call(path)["content"] if isinstance(event, dict)]
    lines = [str(event.get("event", "")) for event in events if event.get("timestamp")]
    return "\n".join([f"Its task {failed['task_id']} failed. The end of its log:", *lines[-LOG_LINES:]])


def summary(store: Hdfs, partition: str, datasets: Iterable[str]) -> Table:
    """What was published, in numbers, from each dataset's run.json."""
    facts = {
        dataset: current(store, DatasetPaths(DEFAULT_ROOT, dataset).partition(partition)).run() for dataset in datasets
    }
    table = Table("", *facts, title=f"Published, partition {partition}", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    runs = list(facts.values())
    table.add_row("images", *(str(run["images"]) for run in runs))
    for outcome in sorted({outcome for run in runs for outcome, count in run["outcomes"].items() if count}):
        table.add_row(f"  {outcome}", *(str(run["outcomes"].get(outcome, 0)) for run in runs))
    table.add_row("bytes before", *(f"{run['bytes_in']:,}" for run in runs))
    table.add_row("bytes after", *(f"{run['bytes_out']:,}" for run in runs))
    table.add_row("saved", *(f"{100 * (1 - run['bytes_out'] / run['bytes_in']):.1f} %" for run in runs))
    for name, key in (("lowest PSNR", "min"), ("mean PSNR", "mean")):
        table.add_row(name, *("-" if (v := run["psnr_db"][key]) is None else f"{v:.1f} dB" for run in runs))
    for stage in STAGES:
        times = [run["stages"].get(stage, {}).get("seconds") for run in runs]
        table.add_row(f"{stage}, seconds", *("-" if t is None else f"{t:.1f}" for t in times))
    return table


def run(at: airflow.Address) -> int:
    """Run the demonstration on running services; 1 if a run failed. HADOOP_CONF_DIR tells where HDFS is."""
    console = Console() if sys.stdout.isatty() else Console(width=100)
    store = Hdfs()
    partition = f"dt={datetime.now(UTC).date() - timedelta(days=1)}"
    api = Api(at.url, airflow.log_in(at))
    print(f"landing the sample images in partition {partition}", flush=True)
    land(store, partition)
    wait_for_dags(api)
    runs = [trigger(api, dataset, partition) for dataset in SAMPLES]
    follow(api, runs, console)
    done = [run.dataset for run in runs if run.state == "success"]
    if done:
        console.print(summary(store, partition, done))
    failed = [run for run in runs if run.dataset not in done]
    for each in failed:
        print(f"chromapress: error: {each.dag_id} failed. {last_log_lines(api, each)}", file=sys.stderr)
    return 1 if failed else 0

"""The DAGs, the operators and the timetable in this process, with an Airflow configuration of their own.

Airflow reads its configuration when it is imported first, so it is set here, before any test module is.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
_HOME = tempfile.TemporaryDirectory(prefix="chromapress-airflow-")

os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
sys.path += [str(PROJECT / "dags"), str(PROJECT / "plugins")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Airflow's own deprecation warnings are Airflow's business."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))

"""Airflow in the tests' own process, with a configuration of its own.

Airflow reads its configuration when it is imported first: a conftest.py imports this before any test module is.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_HOME = tempfile.TemporaryDirectory(prefix="chromapress-airflow-")

os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
}
sys.path += [str(PROJECT / "dags"), str(PROJECT / "plugins")]

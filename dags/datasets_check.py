"""What is wrong in the datasets' YAML files, where an operator looks: among the import errors of Airflow's UI.

A DAG file that raises loses its DAGs, so dags/quantize.py makes those of the good files, and this one names the bad.
"""

from __future__ import annotations

from estate import read_estate

from chromapress.config import ConfigError, load

problems = []
for path in sorted(read_estate().datasets_folder.glob("*.yaml")):
    try:
        load(path)
    except ConfigError as error:
        problems.append(str(error))
if problems:
    raise ConfigError("\n".join(problems))

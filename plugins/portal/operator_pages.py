"""The portal's pages within Airflow: a tab of a run with its images, a tab of a DAG with its trends.

Airflow's UI shows them in a frame of its own origin. It fills in the braces, already encoded.
"""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from portal.access import Operator
from portal.pages import Identifier, operator_dataset

router = APIRouter(prefix="/operator", include_in_schema=False)

# What dags/quantize.py puts before a dataset's name.
_DAG_PREFIX = "quantize_"


@router.get("/dags/{dag_id}")
def trends_of_dag(request: Request, person: Operator, dag_id: Identifier) -> HTMLResponse:
    """The trends of the dataset that a DAG is for; 404 for DAGs that are for none."""
    if not dag_id.startswith(_DAG_PREFIX):
        raise HTTPException(404, f"{dag_id} is not the DAG of a dataset")
    return operator_dataset(request, person, dag_id.removeprefix(_DAG_PREFIX))

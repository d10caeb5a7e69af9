"""Runs over HTTP: what can be set, start one, watch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, HTTPException, Request
from pydantic import BaseModel, Field

from chromapress.config import ConfigError
from portal.access import Access, Person
from portal.airflow_runs import NoDagError
from portal.inventory import Busy, NotFound
from portal.runs import NothingToRunError, Runs, parameters
from portal.settings import read_dataset

_MOST_PARAMETERS: Final = 100

router = APIRouter(tags=["runs"])


class NewRun(BaseModel):
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=_MOST_PARAMETERS)


class Stage(BaseModel):
    """How far a stage is."""

    name: str
    state: str | None = Field(description="In Airflow's words; null: the run has not come to it.")
    started_at: datetime | None
    ended_at: datetime | None
    tries: int


class Run(BaseModel):
    """A run of an upload, and how far it is."""

    run_id: str
    state: Literal["queued", "running", "success", "failed"]
    parameters: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None = Field(description="Why it has failed.")
    stages: list[Stage] = Field(description="Of one run alone; empty in a list.")
    airflow_url: str | None = Field(description="The run in Airflow, for operators.")


class RunList(BaseModel):
    items: list[Run]
    total: int


def service(request: Request) -> Runs:
    found: Runs = request.app.state.runs
    return found


Work = Annotated[Runs, Depends(service)]


def settle(asking: Access, work: Work) -> None:
    """Note which of one's runs are over. A dependency of what has to do with uploads."""
    work.settle(asking.name)


@router.get("/parameters")
def get_parameters(_: Access, request: Request) -> dict[str, dict[str, Any]]:
    """What you may set of a run: a JSON schema for each parameter, with its default."""
    with answering():
        return parameters(read_dataset(request.app.state.portal.settings))


@router.post("/uploads/{upload_id}/runs", status_code=HTTPStatus.ACCEPTED)
def start_run(
    upload_id: str, asking: Access, request: Request, work: Work, wanted: Annotated[NewRun | None, Body()] = None
) -> Run:
    """Run the pipeline on what has been received. 409 while another run of the upload is not over."""
    with answering():
        # Parameters are the person's fault, a dataset that cannot be read is not.
        read_dataset(request.app.state.portal.settings)
        try:
            row = work.start(asking.name, upload_id, wanted.parameters if wanted else {})
        except (ConfigError, NothingToRunError) as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        return view(request, asking, row)


@router.get("/uploads/{upload_id}/runs")
def list_runs(upload_id: str, asking: Access, request: Request, work: Work) -> RunList:
    """The runs of an upload, the newest first."""
    with answering():
        rows = work.page(None if asking.operator else asking.name, upload_id)
        return RunList(items=[view(request, asking, row) for row in rows], total=len(rows))


@router.get("/uploads/{upload_id}/runs/{run_id}")
def get_run(upload_id: str, run_id: str, asking: Access, request: Request, work: Work) -> Run:
    """One run, stage by stage."""
    with answering():
        return view(request, asking, work.find(None if asking.operator else asking.name, upload_id, run_id))


@contextmanager
def answering() -> Iterator[None]:
    """What goes wrong, as answers."""
    try:
        yield
    except NotFound:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Not Found") from None
    except Busy as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from None
    except NoDagError:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The pipeline is not ready yet. Try again soon.",
            {"Retry-After": "30"},
        ) from None
    except ConfigError as error:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, f"The dataset of uploads is misconfigured: {error}"
        ) from None
    except OSError as error:
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, "The storage does not answer. Try again.", {"Retry-After": "5"}
        ) from error


def view(request: Request, asking: Person, row: dict[str, Any]) -> Run:
    stages = [vars(stage) for stage in row.get("stages", ())]
    base = request.app.state.portal.settings.base_url
    url = f"{base}/dags/{row['dag_id']}/runs/{quote(row['run_id'], safe='')}" if asking.operator else None
    return Run.model_validate({**row, "stages": stages, "airflow_url": url})

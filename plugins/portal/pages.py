"""The portal's HTML pages. They carry the frame and what must be there without a script; the modules in static/ fill
them from the API, so that what a page shows and what the API gives cannot differ.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse

from portal.access import Access, Operator, Person
from portal.rendering import TEMPLATES

router = APIRouter(include_in_schema=False)

Identifier = Annotated[str, InPath(max_length=250)]


def page(request: Request, template: str, person: Person | None, **values: Any) -> HTMLResponse:
    """A template with what all of them know: where the portal is, where Airflow is, and who reads."""
    base = request.scope.get("root_path", "")
    context = {
        "base": base,
        # A path only: people may know the server by another name than its configuration does.
        "airflow": urlsplit(request.app.state.portal.settings.base_url).path.rstrip("/"),
        "person": person,
        "template": template,
        **values,
    }
    return HTMLResponse(TEMPLATES.get_template(template).render(context))


@router.get("/")
def uploads(request: Request, person: Access) -> HTMLResponse:
    """One's uploads, and where to drop new ones."""
    return page(request, "portal_uploads.html", person)


@router.get("/new")
def new_upload(request: Request, person: Access) -> HTMLResponse:
    """An upload that is not there yet: it is made when its first file is sent."""
    return page(request, "portal_upload.html", person, upload_id="")


@router.get("/uploads/{upload_id}")
def upload(request: Request, person: Access, upload_id: Identifier) -> HTMLResponse:
    """An upload: its files, the preview, the run, the results."""
    return page(request, "portal_upload.html", person, upload_id=upload_id)


@router.get("/shared/{key}")
def shared(request: Request, key: Identifier) -> HTMLResponse:
    """Results that somebody has shared, for anyone who has the link; the script finds out whether it still holds."""
    return page(request, "portal_shared.html", None, key=key)


@router.get("/operator/runs/{dag_id}/{run_id}")
def operator_run(request: Request, person: Operator, dag_id: Identifier, run_id: Identifier) -> HTMLResponse:
    """The pictures of any dataset's run, in Airflow's own page of the run."""
    return page(request, "portal_operator_run.html", person, dag_id=dag_id, run_id=run_id)


@router.get("/operator/datasets/{dataset}")
def operator_dataset(request: Request, person: Operator, dataset: Identifier) -> HTMLResponse:
    """How a dataset's runs develop, in Airflow's own page of the DAG."""
    return page(request, "portal_operator_dataset.html", person, dataset=dataset)

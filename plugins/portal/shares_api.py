"""Shared links over HTTP: make them, list them, revoke them. What they lead to is in portal.gallery_api."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request
from pydantic import BaseModel, Field

from portal import shares
from portal.access import Access
from portal.inventory import NotFound

router = APIRouter(tags=["shares"])


class NewShare(BaseModel):
    days: int = Field(7, ge=1, le=365, description="How long the link holds.")


class Share(BaseModel):
    """A link to an upload's results, for anyone who has it."""

    key: str = Field(description="What the link ends with; of a link that cannot be shown again, what revokes it.")
    url: str | None = Field(description="Null, of an earlier link, where Airflow has no Fernet key.")
    created_at: datetime
    expires_at: datetime


class ShareList(BaseModel):
    items: list[Share]
    total: int


@router.post("/uploads/{upload_id}/shares", status_code=HTTPStatus.CREATED)
def create_share(
    upload_id: str, asking: Access, request: Request, wanted: Annotated[NewShare | None, Body()] = None
) -> Share:
    """Make a read-only link to the results."""
    portal = request.app.state.portal
    with answering():
        return view(request, shares.create(portal.records, asking.name, upload_id, (wanted or NewShare(days=7)).days))


@router.get("/uploads/{upload_id}/shares")
def list_shares(upload_id: str, asking: Access, request: Request) -> ShareList:
    """The links that still hold, the newest first."""
    with answering():
        rows = shares.of_upload(request.app.state.portal.records, asking.name, upload_id)
        return ShareList(items=[view(request, row) for row in rows], total=len(rows))


@router.delete("/shares/{key}", status_code=HTTPStatus.NO_CONTENT)
def revoke_share(key: str, asking: Access, request: Request) -> None:
    """End a link, at once."""
    with answering():
        shares.revoke(request.app.state.portal.records, asking.name, key)


@contextmanager
def answering() -> Iterator[None]:
    """What goes wrong, as answers."""
    try:
        yield
    except NotFound:
        raise HTTPException(HTTPStatus.NOT_FOUND, "Not Found") from None


def view(request: Request, row: dict[str, Any]) -> Share:
    base = request.app.state.portal.settings.base_url
    url = f"{base}{request.scope.get('root_path', '')}/shared/{row['key']}"
    return Share.model_validate({**row, "url": None if row["hidden"] else url})

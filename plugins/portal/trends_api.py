"""Trends over a dataset's runs, for operators."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel

from chromapress.config import DATASET_NAME
from chromapress.paths import DatasetPaths
from chromapress.trends import trends
from portal.access import Operator

router = APIRouter(tags=["trends"])


class Spread(BaseModel):
    min: float
    mean: float


class Point(BaseModel):
    """One published version."""

    partition: str
    version: str
    run_id: str
    started: str
    images: int
    rejected: int
    bytes_in: int
    bytes_out: int
    saved_bytes: int
    saved_percent: float
    psnr_db: Spread | None
    ssim: Spread | None
    seconds: dict[str, float]


class Trends(BaseModel):
    dataset: str
    items: list[Point]
    total: int


@router.get("/datasets/{dataset}/trends")
def get_trends(
    dataset: str, _: Operator, request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Trends:
    """Bytes saved, quality, rejects and seconds of the last partitions' versions, the oldest first."""
    portal = request.app.state.portal
    points: list[dict[str, Any]] = []
    if re.fullmatch(DATASET_NAME, dataset):
        try:
            points = trends(portal.storage, DatasetPaths(portal.settings.root, dataset), limit)
        except OSError as error:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE, "The storage does not answer. Try again.", {"Retry-After": "5"}
            ) from error
    if not points:
        raise HTTPException(HTTPStatus.NOT_FOUND, "This dataset has published nothing (yet).")
    return Trends.model_validate({"dataset": dataset, "items": points, "total": len(points)})

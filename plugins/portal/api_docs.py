"""The page about the REST API, for people who have logged in, made from the app's OpenAPI description. The usual pages
of this kind load their scripts from elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from portal.access import Access
from portal.pages import page

router = APIRouter(prefix="/api", include_in_schema=False)

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """A method of a path, in words."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[tuple[str, str, str, bool]]  # name, where, what, and whether it must be there
    body: str | None  # of which type or schema
    answers: list[tuple[str, str]]  # status and what it means

    @property
    def anchor(self) -> str:
        return f"{self.method}-{self.path}".translate(str.maketrans("/{}", "---")).lower()


def operations(description: dict[str, Any]) -> dict[str, list[Operation]]:
    """The operations of an OpenAPI description by their tag, in its order."""
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in description["paths"].items():
        for method in (each for each in _METHODS if each in methods):
            told = methods[method]
            by_tag.setdefault((told.get("tags") or ["others"])[0], []).append(
                Operation(
                    method.upper(),
                    path,
                    told.get("summary", ""),
                    told.get("description", ""),
                    [_parameter(each) for each in told.get("parameters", [])],
                    _body(told.get("requestBody"), description),
                    [(status, answer.get("description", "")) for status, answer in told["responses"].items()],
                )
            )
    return by_tag


def _parameter(told: dict[str, Any]) -> tuple[str, str, str, bool]:
    schema = told.get("schema", {})
    kinds = [each.get("type", "") for each in schema.get("anyOf", [schema])]
    choices = ", ".join(map(str, schema.get("enum", [])))
    what = ". ".join(filter(None, [told.get("description") or schema.get("description"), choices]))
    return told["name"], told["in"], what or ", ".join(filter(None, kinds)), bool(told.get("required"))


def _body(told: dict[str, Any] | None, description: dict[str, Any]) -> str | None:
    if told is None:
        return None
    kind, content = next(iter(told["content"].items()))
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return f"{kind}\n{json.dumps(schema, indent=1)}" if kind.endswith("json") else kind


@router.get("/openapi.json")
def describe(request: Request, _person: Access) -> dict[str, Any]:
    """The description, for programs."""
    described: dict[str, Any] = request.app.openapi()
    return described


@router.get("/docs")
def show(request: Request, person: Access) -> HTMLResponse:
    """The description, for people."""
    site = request.app.state.portal.settings.base_url
    return page(request, "portal_api.html", person, site=site, operations=operations(request.app.openapi()))

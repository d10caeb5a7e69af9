"""Who asks. A mounted app is open to anyone unless each of its routes depends on one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, status


@dataclass(frozen=True)
class Person:
    """Someone who has logged in."""

    name: str  # of the account: unique, and what uploads belong to
    operator: bool  # may read every dataset's runs; of others' uploads an operator changes nothing


def reads_runs(user: Any) -> bool:
    """Whether a user of Airflow's is an operator: may read the runs of all DAGs."""
    return get_auth_manager().is_authorized_dag(method="GET", access_entity=DagAccessEntity.RUN, user=user)


def person(user: GetUserDep) -> Person:
    """Who has logged in, by the session's cookie or by a bearer token; 401 for strangers."""
    return Person(user.get_name(), reads_runs(user))


Access = Annotated[Person, Depends(person)]


def operator(asking: Access) -> Person:
    """Who has logged in and is an operator; 404 for others, as if there were nothing."""
    if not asking.operator:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "Not Found")
    return asking


Operator = Annotated[Person, Depends(operator)]

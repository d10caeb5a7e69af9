"""What Chromapress registers with Airflow. Airflow imports every file of this folder that .airflowignore does not
name, in every process: so there is this one, and it does no work."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from chromapress_timetable import DayBeforeTimetable


class ChromapressPlugin(AirflowPlugin):
    """The timetable of the datasets, and the portal."""

    name = "chromapress"
    timetables = [DayBeforeTimetable]  # noqa: RUF012  (Airflow's contract)
    # In a frame within Airflow's own pages, which fill in the braces.
    external_views = [  # noqa: RUF012
        {
            "name": "Images",
            "href": "/chromapress/operator/runs/{DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "images",
            "icon": "/chromapress/static/logo.svg",
        },
        {
            "name": "Trends",
            "href": "/chromapress/operator/dags/{DAG_ID}",
            "destination": "dag",
            "url_route": "trends",
            "icon": "/chromapress/static/logo.svg",
        },
        {
            "name": "Portal",
            "href": "/chromapress/",
            "destination": "nav",
            "icon": "/chromapress/static/logo.svg",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        # Imported in the API server only, which alone asks for it.
        from airflow.settings import get_engine  # noqa: PLC0415
        from portal.app import PREFIX, Portal, create_app  # noqa: PLC0415
        from portal.records import Records  # noqa: PLC0415
        from portal.settings import read_settings  # noqa: PLC0415

        from chromapress.storage import Hdfs  # noqa: PLC0415

        settings = read_settings()
        app = create_app(Portal(settings, Hdfs(settings.filesystem, attempts=3), Records(get_engine)))
        return [{"app": app, "url_prefix": PREFIX, "name": "Chromapress"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from airflow.settings import get_engine  # noqa: PLC0415
        from portal.app import PREFIX  # noqa: PLC0415
        from portal.one_writer import OneWriter  # noqa: PLC0415

        if get_engine().dialect.name != "sqlite":
            return []
        return [{"middleware": OneWriter, "kwargs": {"free": PREFIX}, "name": "One writer"}]

"""A button of a publish task in Airflow's UI: the images that it has published, in the portal."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf


class GalleryLink(BaseOperatorLink):
    """Leads to the run's gallery, with its report and a download of the published directory."""

    name = "Published images"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        base_url = conf.get("api", "base_url", fallback="").rstrip("/")
        run = f"{quote(ti_key.dag_id, safe='')}/{quote(ti_key.run_id, safe='')}"
        return f"{base_url}/chromapress/operator/runs/{run}"

"""What Chromapress registers with Airflow. Airflow imports every file of this folder that .airflowignore does not
name, in every process: so there is this one, and it does no work."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from chromapress_timetable import DayBeforeTimetable


class ChromapressPlugin(AirflowPlugin):
    """The timetable of the datasets."""

    name = "chromapress"
    timetables = [DayBeforeTimetable]  # noqa: RUF012  (Airflow's contract)

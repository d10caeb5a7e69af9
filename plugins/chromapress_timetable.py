"""When a dataset's runs start, and which day's partition each of them processes.

A partition is a plain date, the day before the run in the dataset's time zone, whatever the hour of the cron
expression. A backfill from A to B is the partitions A to B, both included; it needs no schedule. A run that is
triggered may have the key upload=<id> instead, which has no date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.trigger import CronPartitionTimetable
from pendulum import DateTime

# A dataset without schedule has days too, or Airflow would not let it be backfilled.
_DAILY: Final = "0 0 * * *"
_KEY: Final = "%Y-%m-%d"


class DayBeforeTimetable(CronPartitionTimetable):
    """A run at each tick of `cron` for the partition of the day before; without a cron none starts by itself."""

    def __init__(self, cron: str | None, *, timezone: str) -> None:
        super().__init__(cron or _DAILY, timezone=timezone, key_format=_KEY)
        self._cron = cron
        self._zone = timezone
        self.can_be_scheduled = cron is not None
        if cron is None:
            self.description = "By hand and by backfill only"

    @property
    def summary(self) -> str:
        return self._cron or "by hand"

    def serialize(self) -> dict[str, Any]:
        return {"cron": self._cron, "timezone": self._zone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> DayBeforeTimetable:
        return cls(data["cron"], timezone=data["timezone"])

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if self._cron is None:
            return None
        return super().next_dagrun_info_v2(last_dagrun_info=last_dagrun_info, restriction=restriction)

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """The days of a backfill, both bounds included."""
        day, last = self._day_of(earliest), self._day_of(latest)
        while day <= last:
            midnight = self._midnight(day)
            yield DagRunInfo(
                run_after=midnight, data_interval=None, partition_date=midnight, partition_key=day.isoformat()
            )
            day += timedelta(days=1)

    def _day_of(self, bound: datetime) -> date:
        """The day that a bound of a backfill means.

        The command line and the API send a day as its midnight, mostly in UTC: the day as it is written. The UI sends
        the midnight of its reader's zone, converted to UTC: the day that it falls on in the dataset's zone.
        """
        if bound.time() == time.min:
            return bound.date()
        return bound.astimezone(self._timezone).date()

    def _get_partition_info(self, run_date: DateTime) -> tuple[DateTime, str]:
        day = run_date.astimezone(self._timezone).date() - timedelta(days=1)
        return self._midnight(day), day.isoformat()

    def _decode_partition_date(self, partition_key: str) -> datetime | None:  # type: ignore[override]
        if re.fullmatch(r"upload=[A-Za-z0-9-]{1,64}", partition_key):
            return None
        try:
            day = date.fromisoformat(partition_key)
        except ValueError:
            day = None
        if day is None or day.isoformat() != partition_key:
            raise InvalidPartitionKeyError(
                f"The partition key must be a day such as 2026-11-23 or upload=<id>, but is {partition_key!r}"
            )
        return self._midnight(day)

    def _midnight(self, day: date) -> DateTime:
        return self.localize_partition_datetime(datetime.combine(day, time.min))

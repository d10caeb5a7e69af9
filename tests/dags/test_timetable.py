"""Which day each run processes: properties over cron hours, time zones and changes of the clock."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pendulum
import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, TimeRestriction
from chromapress_timetable import DayBeforeTimetable
from hypothesis import example, given
from hypothesis import strategies as st

# Zones whose clocks change at midnight, so that some days have no midnight or two, are the hard ones.
HARD_ZONES = ["Africa/Cairo", "America/Havana", "America/Asuncion", "Asia/Beirut", "America/Sao_Paulo", "Asia/Tehran"]
zones = st.sampled_from(HARD_ZONES) | st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
crons = st.builds(lambda minute, hour: f"{minute} {hour} * * *", st.integers(0, 59), st.integers(0, 23))
days = st.dates(date(2012, 1, 1), date(2037, 12, 31))
lengths = st.integers(0, 40)


def keys(infos):
    return [info.partition_key for info in infos]


def named(first, length):
    return [(first + timedelta(days=day)).isoformat() for day in range(length + 1)]


@given(st.none() | crons, zones, days, lengths)
@example("0 2 * * *", "UTC", date(2026, 11, 1), 2)
@example("30 23 * * *", "America/Havana", date(2026, 10, 30), 3)
def test_a_backfill_from_a_to_b_is_the_days_a_to_b_both_included(cron, zone, first, length):
    timetable = DayBeforeTimetable(cron, timezone=zone)
    last = first + timedelta(days=length)

    def backfill(zone_of_bounds):
        bounds = [datetime.combine(day, time.min, zone_of_bounds).astimezone(UTC) for day in (first, last)]
        return list(timetable.iter_partition_dagrun_infos(earliest=bounds[0], latest=bounds[1]))

    from_the_api = backfill(UTC)
    from_the_ui = backfill(ZoneInfo(zone))
    assert keys(from_the_api) == keys(from_the_ui) == named(first, length)
    assert len({info.partition_date for info in from_the_api}) == length + 1


@given(crons, zones, days)
def test_a_run_processes_the_day_before_its_tick_in_the_zone_of_the_dataset(cron, zone, start):
    info = next_tick(DayBeforeTimetable(cron, timezone=zone), pendulum.datetime(start.year, start.month, start.day))
    day_of_the_tick = info.run_after.astimezone(ZoneInfo(zone)).date()
    assert info.partition_key == (day_of_the_tick - timedelta(days=1)).isoformat()


@given(crons, zones, days)
def test_a_key_and_its_date_say_the_same(cron, zone, day):
    timetable = DayBeforeTimetable(cron, timezone=zone)
    moment = timetable.resolve_partition_date(day.isoformat())
    assert moment.astimezone(ZoneInfo(zone)).date() == day
    (info,) = timetable.iter_partition_dagrun_infos(
        earliest=datetime.combine(day, time.min, UTC), latest=datetime.combine(day, time.min, UTC)
    )
    assert info.partition_date == moment


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", *HARD_ZONES])
@pytest.mark.parametrize("cron", ["0 0 * * *", "30 0 * * *", "0 2 * * *", "30 2 * * *", "59 23 * * *"])
def test_nightly_runs_of_a_year_process_every_day_once(cron, zone):
    timetable = DayBeforeTimetable(cron, timezone=zone)
    info, seen = None, []
    for _ in range(366):
        info = next_tick(timetable, pendulum.datetime(2026, 1, 10, 12), info)
        seen.append(date.fromisoformat(info.partition_key))
    assert [later - earlier for earlier, later in itertools.pairwise(seen)] == [timedelta(days=1)] * 365


def test_a_dataset_without_schedule_never_starts_by_itself():
    timetable = DayBeforeTimetable(None, timezone="UTC")
    assert next_tick(timetable, pendulum.datetime(2026, 1, 1)) is None
    assert not timetable.can_be_scheduled
    assert timetable.periodic  # or Airflow refuses to backfill it


@pytest.mark.parametrize(
    "key",
    [
        "upload=",
        "upload=a/b",
        "2026-11-31",
        "2026-1-5",
        "20261105",
        "2026-11-05T00:00:00",
        "yesterday",
        "dt=2026-11-05",
    ],
)
def test_a_key_that_is_no_day_is_refused(key):
    with pytest.raises(InvalidPartitionKeyError, match="must be a day such as"):
        DayBeforeTimetable("0 2 * * *", timezone="UTC").resolve_partition_date(key)


def test_the_key_of_an_upload_has_no_day():
    assert DayBeforeTimetable(None, timezone="UTC").resolve_partition_date("upload=0f3a-1") is None


@given(st.none() | crons, zones)
def test_the_scheduler_reads_back_what_the_dag_processor_wrote(cron, zone):
    timetable = DayBeforeTimetable(cron, timezone=zone)
    again = decode_timetable(encode_timetable(timetable))
    assert again.serialize() == timetable.serialize()
    assert (again.summary, again.can_be_scheduled) == (timetable.summary, timetable.can_be_scheduled)


def next_tick(timetable: DayBeforeTimetable, earliest: pendulum.DateTime, last: DagRunInfo | None = None):
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    return timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction)

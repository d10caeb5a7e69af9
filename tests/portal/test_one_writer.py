"""Who waits for whom in front of Airflow's API, on SQLite."""

import asyncio

from portal.one_writer import OneWriter


def most_at_once(*requests: tuple[str, str]) -> int:
    """How many of some requests, all sent at the same moment, were in the application at the same time."""
    inside = most = 0

    async def application(scope, receive, send):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1

    async def send_all():
        guarded = OneWriter(application, "/chromapress")
        scopes = [{"type": "http", "method": method, "path": path} for method, path in requests]
        await asyncio.gather(*(guarded(scope, None, None) for scope in scopes))

    asyncio.run(send_all())
    return most


def test_what_changes_something_goes_one_after_the_other():
    runs, states = ("POST", "/api/v2/dags/a/dagRuns"), ("PATCH", "/execution/task-instances/1/state")
    assert most_at_once(runs, states, runs) == 1


def test_readers_and_the_portal_wait_for_nobody():
    reader, upload = ("GET", "/api/v2/dags"), ("PUT", "/chromapress/api/uploads/1/files/a.png")
    assert most_at_once(reader, upload, reader, ("POST", "/api/v2/dags/a/dagRuns")) == 4


def test_the_place_is_free_again_after_a_failure():
    async def fails(scope, receive, send):
        raise ValueError

    async def send_twice():
        guarded = OneWriter(fails, "/chromapress")
        sent = (guarded({"type": "http", "method": "POST", "path": "/"}, None, None) for _ in range(2))
        return await asyncio.wait_for(asyncio.gather(*sent, return_exceptions=True), 60)

    assert [type(error) for error in asyncio.run(send_twice())] == [ValueError, ValueError]

"""Links by which anyone may look at an upload's results and download them, until a day or until they are revoked.

A link's key is 256 random bits. The database holds its hash, by which it is found, and the key itself only sealed with
Airflow's Fernet key, so that its owner can be shown the link again, and a copy of the database opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from airflow.models.crypto import get_fernet
from sqlalchemy import Connection, delete, insert, select

from portal.inventory import NotFound, lock_upload, own
from portal.records import Records, now, shares, uploads


def create(records: Records, owner: str, upload_id: str, days: int) -> dict[str, Any]:
    """A new link to one's upload; NotFound."""
    key = secrets.token_urlsafe(32)
    fernet = get_fernet()
    made = now()
    row = {
        "key": digest(key),
        "sealed": fernet.encrypt(key.encode()).decode() if fernet.is_encrypted else None,
        "upload_id": upload_id,
        "created_by": owner,
        "created_at": made,
        "expires_at": made + timedelta(days=days),
    }

    def write(connection: Connection) -> None:
        lock_upload(connection, owner, upload_id)
        connection.execute(delete(shares).where(shares.c.upload_id == upload_id, shares.c.expires_at <= made))
        connection.execute(insert(shares).values(row))

    records.write(write)
    return {**row, "key": key, "hidden": False}


def of_upload(records: Records, owner: str, upload_id: str) -> list[dict[str, Any]]:
    """One's links to an upload that still hold, the newest first; NotFound."""
    theirs = select(shares).where(shares.c.upload_id == upload_id, shares.c.expires_at > now())
    with records.reading() as connection:
        if connection.execute(select(uploads.c.id).where(own(owner, upload_id))).first() is None:
            raise NotFound
        rows = connection.execute(theirs.order_by(shares.c.created_at.desc())).mappings().all()
    return [{**row, "key": _opened(row["sealed"]) or row["key"], "hidden": row["sealed"] is None} for row in rows]


def revoke(records: Records, owner: str, key: str) -> None:
    """End a link to one's upload, given as its key or as the key's hash; NotFound."""
    mine = select(uploads.c.id).where(uploads.c.owner == owner)
    which = delete(shares).where(shares.c.key.in_([digest(key), key]), shares.c.upload_id.in_(mine))
    if not records.write(lambda connection: connection.execute(which).rowcount):
        raise NotFound


def shared_upload(records: Records, key: str) -> str:
    """The upload that a link leads to; NotFound, also if it does no more."""
    valid = select(shares.c.upload_id).join(uploads).where(shares.c.key == digest(key), shares.c.expires_at > now())
    with records.reading() as connection:
        upload_id = connection.scalar(valid.where(uploads.c.deleting.is_(None)))
    if upload_id is None:
        raise NotFound
    return str(upload_id)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _opened(sealed: str | None) -> str | None:
    return None if sealed is None else get_fernet().decrypt(sealed.encode()).decode()

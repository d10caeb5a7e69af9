"""Accounts: who may have one, how a password is checked, and what makes a session end.

Flask-AppBuilder keeps the users, in Airflow's database and with scrypt. Every way to log in, the form and the API's
/auth/token, goes through `auth_user_db`.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from airflow.configuration import conf
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.auth_manager.security_manager.override import (
    FabAirflowSecurityManagerOverride,
    FabException,
)
from flask import current_app
from flask_appbuilder.api import BaseApi
from flask_appbuilder.exceptions import PasswordComplexityValidationError
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash

from portal.settings import SECTION, Registration, read_settings
from portal.throttle import Throttle

log = logging.getLogger(__name__)

UPLOADER: Final = "Uploader"
# No '@': a name must not be mistaken for somebody's address, which logs in as well.
USER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,31}")
SHORTEST_PASSWORD: Final = 10
# Hashing a megabyte would be a way to keep the server busy.
LONGEST_PASSWORD: Final = 200

# Failures are counted for a name from an address, so that nobody can lock others out of their accounts from elsewhere;
# for an address, against lists of names; and, higher, for a name, against many addresses.
_failures_of_name_at: Final = Throttle(5, window_s=60)
_failures_at: Final = Throttle(50, window_s=600)
_failures_of_name: Final = Throttle(50, window_s=600)
_signed_up_at: Final = Throttle(20, window_s=3600)

# The address from which the request being answered came.
asking_from: ContextVar[str] = ContextVar("asking_from", default="")


class WaitingError(Exception):
    """The password is right, and the account not active."""


class TakenError(Exception):
    """The name or the address belongs to another account."""


class NoApi(BaseApi):
    """In the place of Flask-AppBuilder's own log-in by API: Airflow's /auth/token is the one."""


def refuse_weak_password(password: str) -> None:
    """Flask-AppBuilder's hook for a new password: an error if it is too easy to guess or too long to hash."""
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordComplexityValidationError(f"A password has at least {SHORTEST_PASSWORD} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise PasswordComplexityValidationError(f"A password has at most {LONGEST_PASSWORD} characters.")
    if len(set(password)) < 4:
        raise PasswordComplexityValidationError("A password has at least four different characters.")


class PortalSecurityManager(FabAirflowSecurityManagerOverride):
    """Flask-AppBuilder's accounts, with the role of uploaders, a first administrator, and attempts that are counted."""

    security_api = NoApi

    def register_views(self) -> None:
        from portal.account_pages import LogInView, PasswordView, SignUpView  # noqa: PLC0415  (they need this class)

        self.authdbview = LogInView
        self.resetmypasswordview = PasswordView
        super().register_views()
        self.appbuilder.add_view_no_menu(SignUpView())

    def sync_roles(self) -> None:
        """Airflow's roles and the uploaders'; and an administrator, where there is no account yet."""
        super().sync_roles()
        self.add_role(UPLOADER)
        first = conf.get(SECTION, "first_administrator", fallback="")
        if first and self.count_users() == 0:
            for name, password in json.loads(Path(first).read_text()).items():
                try:
                    self.add_user(name, name, "", f"{name}@example.org", self.find_role("Admin"), password)
                except FabException:
                    log.info("Another process has made the first administrator")

    def add_homepage_access_to_custom_roles(self) -> None:
        """Not to uploaders: they have no permission at all in Airflow, and the portal needs none."""

    def find_by_name_or_address(self, name: str) -> User | None:
        """In one query, so that it takes the same time whether there is such a user or not."""
        wanted = name.lower()
        query = select(User).where(or_(func.lower(User.username) == wanted, func.lower(User.email) == wanted))
        user: User | None = self.session.scalars(query.limit(1)).first()
        return user

    def auth_user_db(self, username: str, password: str, rotate_session_id: bool = True) -> User | None:
        """The user whose name or address and password these are, or None; WaitingError for one who is not active yet,
        TooOftenError for who has tried too often. An unknown name takes as long as a wrong password.
        """
        name = username.lower()[:256]
        attempts = ((_failures_of_name_at, (name, asking_from.get())), (_failures_at, asking_from.get()))
        for throttle, key in (*attempts, (_failures_of_name, name)):
            throttle.check(key)
        user = self.find_by_name_or_address(name)
        known = user.password if user is not None else None
        right = check_password_hash(
            known or current_app.config["AUTH_DB_FAKE_PASSWORD_HASH_CHECK"], password[: LONGEST_PASSWORD + 1]
        )
        if user is None or not known or not right:
            # Not written to the account: that would take time for those only that exist.
            for throttle, key in (*attempts, (_failures_of_name, name)):
                throttle.count(key)
            log.warning("Log-in failed for %r from %s", username[:64], asking_from.get() or "an unknown address")
            return None
        if not user.is_active:
            raise WaitingError
        _failures_of_name_at.forget((name, asking_from.get()))
        if rotate_session_id:
            self._rotate_session_id()
        self.update_user_auth_stat(user, True)
        return user

    def sign_up(self, name: str, email: str, password: str) -> User:
        """A new account with the role of uploaders, active if registration is open; TakenError, TooOftenError."""
        _signed_up_at.check(asking_from.get())
        # Every attempt: the answer tells whether there is such an account.
        _signed_up_at.count(asking_from.get())
        taken = select(User.id).where(
            or_(func.lower(User.username) == name.lower(), func.lower(User.email) == email.lower())
        )
        if self.session.scalars(taken.limit(1)).first() is not None:
            raise TakenError
        user = User()
        user.username, user.email, user.first_name, user.last_name = name, email, name, ""
        user.password = self._hash_password(password)
        user.active = read_settings().registration is Registration.OPEN
        user.roles = [role] if (role := self.find_role(UPLOADER)) else []
        user.groups = []
        self.session.add(user)
        try:
            self.session.commit()
        except IntegrityError:
            self.session.rollback()
            raise TakenError from None
        return user

    def reset_password(self, userid: int, password: str) -> bool:
        """Change a password; all sessions and tokens of the user end."""
        done = super().reset_password(userid, password)
        FabAuthManager.cache.pop(int(userid), None)
        return bool(done)

    def update_user(self, user: User) -> bool:
        done = super().update_user(user)
        FabAuthManager.cache.pop(int(user.id), None)
        return bool(done)

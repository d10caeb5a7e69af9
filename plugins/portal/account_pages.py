"""The pages of accounts: log in, log out, sign up, change the password. They are Flask's, since the session is."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager, get_cookie_path
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.configuration import conf
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.www.views import get_safe_url
from airflow.providers.fab.www.views import redirect as redirect_with_token
from flask import g, make_response, redirect, request, session
from flask_appbuilder import BaseView, expose
from flask_appbuilder.exceptions import PasswordComplexityValidationError
from flask_appbuilder.security.views import AuthDBView
from flask_login import login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import EmailField, Field, PasswordField, StringField
from wtforms.validators import Email, EqualTo, InputRequired, Length, Regexp, StopValidation

from portal.access import reads_runs
from portal.accounts import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    USER_NAME,
    TakenError,
    WaitingError,
    refuse_weak_password,
)
from portal.app import PREFIX
from portal.headers import CONTENT_SECURITY_POLICY
from portal.rendering import TEMPLATES
from portal.settings import Registration, read_settings
from portal.throttle import TooOftenError

WRONG: Final = "The user name or the password is not right."
WAITING: Final = "Your account waits for an administrator, who has to activate it. Try again later."
TAKEN: Final = "This user name or e-mail address cannot be used. Choose another one, or log in if it is yours."


def strong_enough(_form: FlaskForm, field: Field) -> None:
    """WTForms' validator of a new password."""
    try:
        refuse_weak_password(field.data)
    except PasswordComplexityValidationError as error:
        raise StopValidation(str(error)) from error


class LogInForm(FlaskForm):
    """A name and a password, as long as hashing them is harmless."""

    username = StringField("User name", [InputRequired("Enter your user name."), Length(max=256)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=LONGEST_PASSWORD)])


class SignUpForm(FlaskForm):
    """What an account is made of."""

    username = StringField(
        "User name",
        [
            InputRequired("Choose a user name."),
            Regexp(f"^{USER_NAME.pattern}$", message="2 to 32 letters, digits, dots, dashes and underscores."),
        ],
        description="2 to 32 letters, digits, dots, dashes and underscores",
    )
    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address."), Email("This is not an e-mail address."), Length(max=256)],
    )
    password = PasswordField(
        "Password",
        [InputRequired("Choose a password."), strong_enough],
        description=f"At least {SHORTEST_PASSWORD} characters",
    )
    repeated = PasswordField("Password again", [EqualTo("password", "The two passwords differ.")])


class PasswordForm(FlaskForm):
    """The old password and a new one."""

    old = PasswordField("Old password", [InputRequired("Enter your old password."), Length(max=LONGEST_PASSWORD)])
    password = PasswordField(
        "New password",
        [InputRequired("Choose a password."), strong_enough],
        description=f"At least {SHORTEST_PASSWORD} characters",
    )
    repeated = PasswordField("New password again", [EqualTo("password", "The two passwords differ.")])


def portal_url() -> str:
    """Where the portal is, as browsers see it."""
    return read_settings().base_url + PREFIX


def page(template: str, status: int = 200, **values: Any) -> Response:
    """One of the account templates, with the portal's strict policy; Flask-AppBuilder's own pages have a laxer one."""
    context = {
        "base": urlsplit(portal_url()).path,
        "auth": f"{urlsplit(read_settings().base_url).path}/auth",
        "registration": read_settings().registration,
        **values,
    }
    response = make_response(TEMPLATES.get_template(template).render(context), status)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


def landing(user: User) -> str:
    """Where somebody goes who did not say where: operators to Airflow, others to the portal."""
    return read_settings().base_url + "/" if reads_runs(user) else f"{portal_url()}/"


def enter(user: User) -> Response:
    """Send somebody who has logged in to where they wanted to go, with a new token as a cookie. The one they brought
    is void from then on: it would outlive the log-out.
    """
    if old := request.cookies.get(COOKIE_NAME_JWT_TOKEN):
        get_auth_manager().revoke_token(old)
    g.user = user
    wanted = request.args.get("next")
    answer: Response = redirect_with_token(get_safe_url(wanted) if wanted else landing(user))
    return answer


def leave() -> None:
    """End the session: its row in the database goes, and its token is void."""
    if token := request.cookies.get(COOKIE_NAME_JWT_TOKEN):
        get_auth_manager().revoke_token(token)
    logout_user()
    session.clear()


def without_cookies(response: Response) -> Response:
    """The same answer, by which the browser forgets session and token."""
    for name in ("session", COOKIE_NAME_JWT_TOKEN):
        secure = request.scheme == "https" or bool(conf.get("api", "ssl_cert", fallback=""))
        response.delete_cookie(name, path=get_cookie_path(), secure=secure, httponly=True, samesite="Lax")
    return response


class LogInView(AuthDBView):
    """Log-in and log-out."""

    @expose("/login/", methods=["GET", "POST"])
    def login(self) -> Response:
        """The form, and what it sends."""
        if g.user is not None and g.user.is_authenticated:
            return enter(g.user)
        form = LogInForm()
        if not form.validate_on_submit():
            return page("account_log_in.html", form=form, problem=None, told=request.args.get("told"))
        try:
            user = self.appbuilder.sm.auth_user_db(form.username.data, form.password.data)
        except WaitingError:
            return page("account_log_in.html", 403, form=form, problem=WAITING, told=None)
        except TooOftenError as refusal:
            response = page("account_log_in.html", 429, form=form, problem=str(refusal), told=None)
            response.headers["Retry-After"] = str(refusal.wait_s)
            return response
        if user is None:
            return page("account_log_in.html", 401, form=form, problem=WRONG, told=None)
        login_user(user, remember=False)
        return enter(user)

    @expose("/logout/")
    def logout(self) -> Response:
        """End the session, unless another site sends people here."""
        log_in = redirect(get_auth_manager().get_url_login())
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return log_in
        leave()
        return without_cookies(log_in)


class SignUpView(BaseView):
    """Makes accounts for people who ask for one."""

    route_base = "/signup"
    default_view = "sign_up"

    @expose("/", methods=["GET", "POST"])
    def sign_up(self) -> Response:
        """The form, and what it sends."""
        if g.user is not None and g.user.is_authenticated:
            return enter(g.user)
        if read_settings().registration is Registration.CLOSED:
            return page("account_closed.html", 403)
        form = SignUpForm()
        if not form.validate_on_submit():
            return page("account_sign_up.html", 422 if form.is_submitted() else 200, form=form, problem=None)
        try:
            user = self.appbuilder.sm.sign_up(form.username.data, form.email.data, form.password.data)
        except (TakenError, TooOftenError) as refusal:
            status, problem = (409, TAKEN) if isinstance(refusal, TakenError) else (429, str(refusal))
            return page("account_sign_up.html", status, form=form, problem=problem)
        if not user.is_active:
            return page("account_waiting.html", name=user.username)
        self.appbuilder.sm._rotate_session_id()
        login_user(user, remember=False)
        return enter(user)


class PasswordView(BaseView):
    """Changes one's password; in the place of Flask-AppBuilder's, which does not ask for the old one."""

    route_base = "/resetmypassword"
    default_view = "change"

    @expose("/form", methods=["GET", "POST"])
    def change(self) -> Response:
        """The form, and what it sends."""
        if g.user is None or not g.user.is_authenticated:
            return redirect(get_auth_manager().get_url_login(next_url=request.url))
        form = PasswordForm()
        if not form.validate_on_submit():
            return page("account_password.html", 422 if form.is_submitted() else 200, form=form, problem=None)
        manager = self.appbuilder.sm
        try:
            user = manager.auth_user_db(g.user.username, form.old.data, rotate_session_id=False)
        except TooOftenError as refusal:
            return page("account_password.html", 429, form=form, problem=str(refusal))
        if user is None:
            return page("account_password.html", 401, form=form, problem="The old password is not right.")
        manager.reset_password(user.id, form.password.data)
        leave()
        return without_cookies(redirect(f"{get_auth_manager().get_url_login()}?told=password"))

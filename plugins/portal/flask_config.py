"""What Flask-AppBuilder is told: `[fab] config_file` of Airflow's configuration names this file. Upper-case names are
settings.
"""

from flask_appbuilder.const import AUTH_DB

from portal.accounts import PortalSecurityManager, refuse_weak_password

AUTH_TYPE = AUTH_DB
SECURITY_MANAGER_CLASS = PortalSecurityManager
# Its own form wants a reCAPTCHA and a mail server; the portal's is portal.account_pages.
AUTH_USER_REGISTRATION = False
# It counts successes too, all people behind a proxy as one, and knows nothing of /auth/token: portal.throttle.
AUTH_RATE_LIMITED = False
RATELIMIT_STORAGE_URI = "memory://"  # of the limiter that it makes all the same
FAB_PASSWORD_COMPLEXITY_ENABLED = True
FAB_PASSWORD_COMPLEXITY_VALIDATOR = refuse_weak_password
SESSION_COOKIE_SAMESITE = "Lax"

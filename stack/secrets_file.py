"""The secrets that docker-compose.yaml asks for, as lines of an .env: `./pipeline env > .env`.

Only the standard library, and any Python 3: the machine that runs the containers needs nothing else.
"""

import base64
import secrets


def lines() -> list[str]:
    """One for each variable, new at each call."""
    return [
        "# Chromapress' secrets. Keep this file: with other keys, stored passwords and open sessions are void.",
        f"POSTGRES_PASSWORD={secrets.token_hex(16)}",
        f"FERNET_KEY={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
        f"JWT_SECRET={secrets.token_hex(32)}",
        f"SECRET_KEY={secrets.token_hex(32)}",
        "# Log in with admin and this password at http://localhost:8080, and change it there.",
        f"ADMIN_PASSWORD={secrets.token_urlsafe(12)}",
    ]


if __name__ == "__main__":
    print("\n".join(lines()))

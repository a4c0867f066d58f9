"""What the role of the services may do in the database: read and write rows, and change nothing else."""

from contextlib import closing
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password
from sqlalchemy.engine import make_url

from pulse_core.db import psycopg2_url

# Rows of all other tables are never deleted by the services; their owner moves history into the archive.
DELETED_FROM = (
    "broker_turns",
    "idempotency_keys",
    "instruments",
    "login_failures",
    "login_networks",
    "processes",
    "revocations",
    "sessions",
    "webhook_deliveries",
    "webhooks",
)
# The same as that of the migrations: of two at once, the second waits.
_LOCK = 7_075_132
_MAY_MAKE_ROLES = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"


class OneRole(Exception):
    """The owner of the tables would be the role of the services, too."""


def let_services_in(owner_url: str, services_url: str) -> None:
    """Give the role of `services_url` its rights, and no others, to the tables that the owner's migrations have made.

    Where the owner may make roles, the role is made, or given the password in the URL. Raises OneRole, psycopg2.Error.
    """
    owner, services = make_url(psycopg2_url(owner_url)), make_url(psycopg2_url(services_url))
    if owner.username == services.username or services.username is None:
        raise OneRole(f"PULSE_OWNER_DATABASE_URL and DATABASE_URL must name two roles, not {owner.username} twice.")
    dsn = owner.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(dsn, connect_timeout=10)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        cursor.execute(_MAY_MAKE_ROLES)
        if cursor.fetchone()[0]:
            _make_role(cursor, services.username, services.password)
        _grant(cursor, sql.Identifier(services.username))


def _make_role(cursor: Any, name: str, password: str | None) -> None:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
    if cursor.rowcount == 0:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    if password is not None:
        # Hashed here, so that no log of Postgres can hold it.
        hashed = encrypt_password(str(password), name, cursor.connection, "scram-sha-256")
        cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(name)), (hashed,))


def _grant(cursor: Any, role: sql.Identifier) -> None:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    tables = {name for (name,) in cursor.fetchall()}
    deleted = sql.SQL(", ").join(map(sql.Identifier, sorted(tables & set(DELETED_FROM))))
    statements = [
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO {role}",
    ]
    if "alembic_version" in tables:
        statements.append("REVOKE INSERT, UPDATE ON alembic_version FROM {role}")
    if tables & set(DELETED_FROM):
        statements.append("GRANT DELETE ON {deleted} TO {role}")
    for statement in statements:
        cursor.execute(sql.SQL(statement).format(role=role, deleted=deleted))

"""The role that Locum's processes have in the database, where the one that they log in as is above the policies.

Superusers, and roles with BYPASSRLS, see every row whatever the policies say (app.db.project). Compose and `locum up`
log in as one: they become ROLE, which may use the tables and own nothing. Any other role is subject to the policies
itself, since the tables force them on their owner, too.
"""

from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from app.db.project import ROLE

log = structlog.get_logger()

#: Roles are of the whole cluster: a Locum in another of its databases may make it at the same moment.
_MAKE: Final = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
        CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""
_GRANT: Final = f"""
DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO {ROLE}', current_schema);
    REVOKE ALL ON chunks FROM {ROLE};
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {ROLE};
    REVOKE UPDATE, DELETE ON audit_log FROM {ROLE};
END $$
"""
_IS_ABOVE: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
#: Since Postgres 16 a member may lack the right to become the role: so does whoever makes it and is no superuser.
BECOMING: Final = "CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END"
_MAY_BECOME: Final = f"SELECT pg_has_role(session_user, '{ROLE}', {BECOMING})"

#: Whether policies hold for the role that asks, which that is, and which one logged in; null before there are any.
IN_FORCE: Final = (
    "SELECT CASE WHEN to_regclass('visible_chunks') IS NOT NULL THEN row_security_active(to_regclass('threads')) END,"
    " current_user::text, session_user::text"
)


def ready(connection: Connection) -> None:
    """Makes ROLE and gives it its rights, where the role that is logged in needs it.

    One that may not make or grant roles goes on as what it is; that is told by `complaint`.
    """
    if not connection.scalar(text(_IS_ABOVE)):
        return
    try:
        with connection.begin_nested():
            connection.execute(text(_MAKE))
            if not connection.scalar(text(_MAY_BECOME)):
                connection.execute(text(f"GRANT {ROLE} TO session_user"))
            connection.execute(text(_GRANT))
    except ProgrammingError as error:
        log.warning("role_not_made", role=ROLE, error=str(error.orig))


def complaint(in_force: bool | None, current: str, login: str) -> str | None:
    """Returns what is wrong with row-level security, in one line, by a row of IN_FORCE; None if it holds."""
    if in_force is not False:
        return None
    return (
        f"row-level security does not hold: {login} logs in, and is {current}. Log in as a role that is no superuser"
        f" and has no BYPASSRLS, or run `locum migrate` as one that may make the role {ROLE}, and grant that to {login}"
    )

"""`keepwell user`: users and tokens straight on the database; how the first administrator comes.

Whoever may run this on the machine of the database is trusted; every change is in the evidence.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from keepwell.frame.context import Frame
    from keepwell.trust.access.policy import Role, Scope
    from keepwell.trust.access.users import Person

LoginArgument = Annotated[str, typer.Argument(help="Log-in name.", metavar="LOGIN")]
TemporaryOption = Annotated[
    bool,
    typer.Option("--temporary", help="The user must choose another one at the next log-in."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    users = typer.Typer(no_args_is_help=True, help="Users and API tokens, without a server.")
    users.command("add")(add)
    users.command("list")(list_users)
    users.command("password")(password)
    users.command("token")(token)
    users.command("disable")(disable)
    app.add_typer(users, name="user")


def add(
    login: LoginArgument,
    role: Annotated[str, typer.Option("--role", help="manager, lead, admin, …")],
    name: Annotated[str, typer.Option("--name", help="Name; default: the log-in name.")] = "",
    scope: Annotated[
        str | None, typer.Option("--scope", help="Narrower than the role's: own, team, …")
    ] = None,
    staff: Annotated[
        str | None, typer.Option("--staff", help="The broker's own number of the person.")
    ] = None,
    locale: Annotated[str, typer.Option("--locale", help="en or zh.")] = "en",
    temporary: TemporaryOption = False,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Make a user; the password is asked for, or read from a pipe. Programs have none."""
    from pydantic import TypeAdapter, ValidationError

    from keepwell.trust.access import sessions, users
    from keepwell.trust.access.policy import LOCAL, Role
    from keepwell.trust.access.schema import LoginName

    chosen, narrower = _role(role), _scope(scope)
    try:
        TypeAdapter(LoginName).validate_python(login)
    except ValidationError:
        raise UsageError("user.login-invalid", login=login) from None
    if locale not in ("en", "zh"):
        raise UsageError("user.word-unknown", word=locale, nearest="–", known="en, zh")
    with _Desk(workspace) as frame:
        hashed = None
        if chosen is not Role.INTEGRATION:
            hashed = sessions.new_hash(frame, login, _ask())
        with frame.write() as tx:
            users.create(
                tx, LOCAL, login=login, name=name or login, role=chosen, scope=narrower,
                staff_id=staff, locale=locale, password_hash=hashed, must_change=temporary,
            )  # fmt: skip
    say("User {login} is made.", login=login)


def list_users(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List all users."""
    from keepwell.trust.access import users

    found: list[Person] = []
    with _Desk(workspace) as frame, frame.read() as tx:
        cursor = None
        while True:
            page = users.listed(tx, 500, cursor)
            found += page[:500]
            if len(page) <= 500:
                break
            from keepwell.frame.paging import encode_cursor

            cursor = encode_cursor([page[499].user.login])
    rows = [
        {
            "login": p.user.login, "name": p.user.name, "role": p.user.role,
            "scope": p.user.scope, "staff_id": p.user.staff_id, "active": p.user.active,
        }
        for p in found
    ]  # fmt: skip
    if as_json:
        write_json(rows)
        return
    show(
        ["Log-in name", "Name", "Role", "Scope", "Staff number", "Active"],
        [[*list(row.values())[:-1], "✓" if row["active"] else "–"] for row in rows],
    )


def password(
    login: LoginArgument, temporary: TemporaryOption = False, workspace: WorkspaceOption = Path()
) -> None:
    """Give a user a new password; their sessions end."""
    from keepwell.trust.access import sessions, users
    from keepwell.trust.access.policy import LOCAL

    with _Desk(workspace) as frame:
        with frame.read() as tx:
            users.find_login(tx, login)
        hashed = sessions.new_hash(frame, login, _ask())
        with frame.write() as tx:
            user = users.find_login(tx, login).user
            sessions.set_password(tx, LOCAL, user, hashed, must_change=temporary)
    say("User {login} has a new password.", login=login)


def token(
    login: LoginArgument,
    name: Annotated[str, typer.Option("--name", help="What it is for.")],
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="Days it holds.")] = 90,
    permission: Annotated[
        list[str] | None,
        typer.Option("--permission", "-p", help="Only this; may be repeated. Default: all."),
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Make an API token; its secret is written to standard output, once."""
    from keepwell.trust.access import tokens, users
    from keepwell.trust.access.policy import GRANTS, LOCAL, Permission, Role

    known = [p.value for p in Permission]
    chosen = [Permission(_known(word, known)) for word in permission or []]
    with _Desk(workspace) as frame, frame.write() as tx:
        user = users.find_login(tx, login).user
        wanted = chosen or sorted(GRANTS[Role(user.role)].permissions)
        made = tokens.make(tx, LOCAL, user, name, wanted, tx.at + timedelta(days=days))
    typer.echo(made.secret)


def disable(login: LoginArgument, workspace: WorkspaceOption = Path()) -> None:
    """Switch a user off: sessions end, tokens are revoked."""
    from keepwell.trust.access import users
    from keepwell.trust.access.policy import LOCAL

    with _Desk(workspace) as frame, frame.write() as tx:
        user = users.find_login(tx, login).user
        users.change(tx, LOCAL, user.user_id, user.version, {"active": False})
    say("User {login} is switched off.", login=login)


class _Desk:
    """The desk of a workspace, closed at the end; one that is new gets its tables."""

    def __init__(self, workspace: Path) -> None:
        from keepwell import rooms
        from keepwell.frame.context import Frame

        rooms.load_all()
        self.frame = Frame.open(workspace)

    def __enter__(self) -> Frame:
        from keepwell.frame.migrate import check, found, migrate

        if found(self.frame.database) is None:
            migrate(self.frame)  # the first administrator of a new desk
        check(self.frame)
        return self.frame

    def __exit__(self, *_: object) -> None:
        self.frame.close()


def _ask() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _role(word: str) -> Role:
    from keepwell.trust.access.policy import Role

    return Role(_known(word, [role.value for role in Role]))


def _scope(word: str | None) -> Scope | None:
    from keepwell.trust.access.policy import Scope

    return None if word is None else Scope(_known(word, [scope.value for scope in Scope]))


def _known(word: str, known: list[str]) -> str:
    if word not in known:
        raise UsageError(
            "user.word-unknown", word=word, nearest=nearest(word, known) or "–",
            known=", ".join(known),
        )  # fmt: skip
    return word

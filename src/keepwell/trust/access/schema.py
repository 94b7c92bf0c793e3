"""What the endpoints of access take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic import StringConstraints as Text

from keepwell.frame.text import Id, Line, Moment
from keepwell.trust.access.passwords import LONGEST
from keepwell.trust.access.policy import Permission, Role, Scope

Locale = Literal["en", "zh"]
LoginName = Annotated[str, Text(pattern=r"^[a-z0-9][a-z0-9_.@-]{0,99}$")]
"""A log-in name: lower case, digits, . _ @ -"""


def _encodable(value: SecretStr) -> SecretStr:
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("not text") from None
    return value


Password = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST), AfterValidator(_encodable)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LogIn(_Given):
    """Log-in by password.

    Attributes:
        login: log-in name.
        password: the password.
    """

    login: Annotated[str, Text(strip_whitespace=True, to_lower=True, max_length=200)] = Field(
        examples=["wang.li"]
    )
    password: Password = Field(examples=["correct horse battery"])


class SessionOut(BaseModel):
    """A session that was opened; the cookie came with the answer.

    Attributes:
        user_id: who.
        must_change: whether the password must be changed before anything else.
        expires_at: when it ends at the latest.
    """

    user_id: str = Field(examples=["user_01kjtvre00w9x8m3q5t7yfz2bc"])
    must_change: bool = Field(examples=[False])
    expires_at: datetime = Field(examples=["2026-03-04T14:00:00Z"])


class PasswordChange(_Given):
    """A new password of one's own.

    Attributes:
        current: the present password.
        new: the new one.
    """

    current: Password = Field(examples=["correct horse battery"])
    new: Password = Field(examples=["seven green bicycles"])


class PasswordGiven(_Given):
    """A password that an administrator gives; it must be changed at the next log-in.

    Attributes:
        password: the password.
    """

    password: Password = Field(examples=["seven green bicycles"])


class Me(BaseModel):
    """Who is calling.

    Attributes:
        user_id: the user.
        login: log-in name.
        name: name of the person or program.
        role: what they are.
        scope: whose clients they see.
        permissions: what this session or token may do.
        staff_id: the broker's own number of the person.
        team_id: their team.
        branch_id: their branch.
        region_id: their region.
        via: 'session' or 'token'.
        locale: 'en' or 'zh'.
        must_change: whether the password must be changed before anything else.
    """

    user_id: str = Field(examples=["user_01kjtvre00w9x8m3q5t7yfz2bc"])
    login: str = Field(examples=["wang.li"])
    name: str = Field(examples=["Wang Li"])
    role: Role
    scope: Scope
    permissions: list[Permission] = Field(examples=[["case:read", "client:read"]])
    staff_id: str | None = Field(examples=["m17"])
    team_id: str | None = Field(examples=["t3"])
    branch_id: str | None = Field(examples=["b1"])
    region_id: str | None = Field(examples=["east"])
    via: str = Field(examples=["session"])
    locale: str = Field(examples=["zh"])
    must_change: bool = Field(examples=[False])


class TokenIn(_Given):
    """A token to be made.

    Attributes:
        name: what it is for.
        permissions: what it may do; at most what its user may.
        expires_at: when it ends, at most a year ahead.
    """

    name: Line = Field(examples=["nightly export"])
    permissions: list[Permission] = Field(
        min_length=1, max_length=len(Permission), examples=[["case:read", "client:read"]]
    )
    expires_at: Moment = Field(examples=["2026-09-01T00:00:00Z"])


class TokenOut(BaseModel):
    """A token, without its secret.

    Attributes:
        token_id: its id.
        user_id: whose it is.
        name: what it is for.
        prefix: the first characters of its secret, to recognise it by.
        permissions: what it may do.
        created_at: when it was made.
        expires_at: when it ends.
        used_at: when it was last used, to the minute.
    """

    token_id: str = Field(examples=["token_01kjtvre00w9x8m3q5t7yfz2bc"])
    user_id: str = Field(examples=["user_01kjtvre00w9x8m3q5t7yfz2bc"])
    name: str = Field(examples=["nightly export"])
    prefix: str = Field(examples=["kw_Zx81aQ"])
    permissions: list[str] = Field(examples=[["case:read", "client:read"]])
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class TokenMade(TokenOut):
    """A new token with its secret, which is shown only now.

    Attributes:
        secret: what the program sends as Authorization: Bearer.
    """

    secret: str = Field(examples=["kw_Zx81aQ…"])


class RoleOut(BaseModel):
    """A role and what it gives.

    Attributes:
        role: its name.
        title: in the caller's language.
        scope: whose clients it sees at most.
        scope_title: in the caller's language.
        permissions: what it may do, with what each allows.
    """

    role: Role
    title: str = Field(examples=["Team lead"])
    scope: Scope
    scope_title: str = Field(examples=["The clients of the managers of one's team."])
    permissions: dict[str, str] = Field(examples=[{"case:read": "See cases."}])


class UserIn(_Given):
    """A user to be made.

    Attributes:
        login: log-in name.
        name: of the person or program.
        role: what they are.
        scope: whose clients they see; default: the role's, never wider.
        staff_id: the broker's own number of the person.
        locale: 'en' or 'zh'.
        password: a first password, to be changed at the first log-in; programs have none.
    """

    login: LoginName = Field(examples=["wang.li"])
    name: Line = Field(examples=["Wang Li"])
    role: Role
    scope: Scope | None = None
    staff_id: Id | None = Field(default=None, examples=["m17"])
    locale: Locale = "en"
    password: Password | None = Field(default=None, examples=["seven green bicycles"])


class UserChange(_Given):
    """Changes of a user; what is left out stays.

    Attributes:
        name: of the person or program.
        role: what they are; brings its usual scope unless one is given.
        scope: whose clients they see; never wider than the role's.
        staff_id: the broker's own number of the person.
        locale: 'en' or 'zh'.
        active: whether they may use the desk at all.
    """

    name: Line = Field(default="", examples=["Wang Li"])
    role: Role = Role.MANAGER
    scope: Scope = Scope.OWN
    staff_id: Id | None = Field(default=None, examples=["m17"])
    locale: Locale = "en"
    active: bool = True


class UserOut(BaseModel):
    """A user.

    Attributes:
        user_id: the user.
        login: log-in name.
        name: of the person or program.
        role: what they are.
        scope: whose clients they see.
        staff_id: the broker's own number of the person.
        team_id: their team.
        branch_id: their branch.
        region_id: their region.
        locale: 'en' or 'zh'.
        active: whether they may use the desk.
        must_change: whether they must change their password first.
        version: for If-Match.
        created_at: when the user was made.
    """

    user_id: str = Field(examples=["user_01kjtvre00w9x8m3q5t7yfz2bc"])
    login: str = Field(examples=["wang.li"])
    name: str = Field(examples=["Wang Li"])
    role: Role
    scope: Scope
    staff_id: str | None = Field(examples=["m17"])
    team_id: str | None = Field(examples=["t3"])
    branch_id: str | None = Field(examples=["b1"])
    region_id: str | None = Field(examples=["east"])
    locale: str = Field(examples=["zh"])
    active: bool
    must_change: bool
    version: int = Field(examples=[1])
    created_at: datetime


class Ended(BaseModel):
    """What was ended.

    Attributes:
        sessions: how many sessions.
    """

    sessions: int = Field(examples=[2])

"""What connectors of databases share: options, credentials, and the one SELECT they run.

A password never stands in keepwell.yaml: the mapping names an environment variable or a file, and
every message that a driver gives is cleared of what the address holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa
from pydantic import AfterValidator, model_validator

from keepwell.core.errors import DataError, UsageError
from keepwell.observe.connectors.base import Options, RawBatch, Since, options_of
from keepwell.observe.mapping import Source

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HIDDEN: Final = "***"


def _variable(value: str) -> str:
    if value and not _NAME.fullmatch(value):
        raise ValueError("the name of an environment variable, not an address")
    return value


class DatabaseOptions(Options):
    """Options of every database.

    Attributes:
        table: table or view to read, with its schema if need be.
        query: or one SELECT, in the database's own SQL.
        key: columns that order the rows, so that each read gives them alike; default: the
            table's primary key.
    """

    table: str = ""
    query: str = ""
    key: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> DatabaseOptions:
        if bool(self.table) == bool(self.query):
            raise ValueError("either table or query")
        return self

    @property
    def title(self) -> str:
        """What is read, for people."""
        return self.table or "query"


class ServerOptions(DatabaseOptions):
    """Options of a database server.

    Attributes:
        url_env: environment variable that holds the address with user and password.
        url_file: or a file that holds it, relative to keepwell.yaml.
    """

    url_env: Annotated[str, AfterValidator(_variable)] = ""
    url_file: str = ""

    @model_validator(mode="after")
    def _address(self) -> ServerOptions:
        if bool(self.url_env) == bool(self.url_file):
            raise ValueError("either url_env or url_file")
        return self


class Address:
    """A database's address, whose parts stay out of all messages.

    Args:
        name: the source's name, for messages.
        options: where the address is.
        base: folder that relative paths start from.
        schemes: acceptable schemes, such as postgresql.

    Raises:
        UsageError: `source.address-missing`, `source.address-wrong`.
    """

    def __init__(
        self, name: str, options: ServerOptions, base: Path, schemes: tuple[str, ...]
    ) -> None:
        self.name = name
        where = options.url_env or options.url_file
        if options.url_env:
            found = os.environ.get(options.url_env, "")
        else:
            file = base / options.url_file
            found = file.read_text("utf-8-sig") if file.is_file() else ""
        self.url = found.strip()
        if not self.url:
            raise UsageError("source.address-missing", source=name, where=where)
        try:
            self.parts: SplitResult = urlsplit(self.url)
            known = self.parts.scheme in schemes and self.parts.port != 0
        except ValueError:
            known = False
        if not known:
            form = f"{schemes[0]}://user:password@host:port/database"
            raise UsageError("source.address-wrong", source=name, where=where, form=form)

    def failed(self, code: str, problem: object) -> DataError:
        """An error of the database with what its driver says, cleared of the address."""
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        text = lines[0]
        password = self.parts.password or ""
        for secret in (self.url, password, unquote(password)):
            if secret:
                text = text.replace(secret, _HIDDEN)
        return DataError(code, source=self.name, problem=text.rstrip(". "))


def relation(options: DatabaseOptions, quote: str) -> str:
    """The FROM item of what is read.

    Args:
        options: the source's.
        quote: the database's quote of names.
    """
    if options.query:
        return f"({options.query.strip().rstrip(';')}) as keepwell_query"
    return ".".join(quoted(part, quote) for part in options.table.split("."))


def quoted(name: str, quote: str) -> str:
    """A name in a database's quotes.

    Example:
        >>> quoted('a"b', '"')
        '"a""b"'
    """
    return quote + name.replace(quote, quote * 2) + quote


def select(
    options: DatabaseOptions,
    source: Source,
    since: Since | None,
    quote: str,
    key: Sequence[str],
    bound: str,
    binary: str = "{column}",
) -> str:
    """The SELECT that reads a source.

    Args:
        options: the source's.
        source: its mapping.
        since: where the last read ended.
        quote: the database's quote of names.
        key: columns that order the rows; empty when none are known.
        bound: SQL of the least value to be read, such as a placeholder.
        binary: SQL of the {column} whose text is compared byte by byte.
    """
    sql = f"select * from {relation(options, quote)}"
    if source.increment and since and since.value is not None:
        column = quoted(source.increment.by, quote)
        side = binary.format(column=column) if isinstance(since.value, str) else column
        sql += f" where {side} >= {bound} or {column} is null"
    if key:
        sql += " order by " + ", ".join(quoted(part, quote) for part in key)
    return sql


class DatabaseConnector:
    """What connectors of databases have in common."""

    suffixes: tuple[str, ...] = ()
    text_cells: bool = False
    rows_stay: bool = False
    increments: str = "column"

    def fingerprint(self, name: str, source: Source, base: Path) -> Mapping[str, str] | None:
        """None: a database must be asked each time."""
        del name, source, base
        return None


class ServerConnector(DatabaseConnector):
    """What connectors of database servers have in common.

    A subclass names the driver's module, the extra that installs it and the address's schemes, and
    reads in `read`.
    """

    options: ClassVar[type[Options]] = ServerOptions
    driver: ClassVar[str]
    extra: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`.

        Raises:
            DataError: `source.database-failed`.
            UsageError: `source.address-missing`, `source.address-wrong`, `source.driver-missing`.
        """
        options = options_of(ServerOptions, name, source)
        try:
            driver: Any = import_module(self.driver)
        except ImportError:
            package = f"keepwell[{self.extra}]"
            raise UsageError("source.driver-missing", source=name, package=package) from None
        address = Address(name, options, base, self.schemes)
        try:
            yield from self.read(address, source, options, since)
        except (driver.Error, pa.ArrowException, OSError, UnicodeError) as error:
            # A driver's last argument is its message; the ones before are numbers.
            said = error.args[-1] if error.args else error
            raise address.failed("source.database-failed", said) from None

    def read(
        self, address: Address, source: Source, options: ServerOptions, since: Since | None
    ) -> Iterator[RawBatch]:
        """Connect, read and close; the driver's errors pass."""
        raise NotImplementedError

"""Errors with a code, words in two languages, and an exit code.

`ERRORS` and `REASONS` are the complete lists: every code has an English template here, a Chinese
one in the catalogues, and a row in docs/reference/errors.md. The grammar of a code is
`<room>.<noun>-<fault>`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from keepwell.core.messages import (
    access,
    action,
    alert,
    case,
    client,
    clock,
    context,
    events,
    evidence,
    experiment,
    frame,
    incident,
    jobs,
    kept,
    kpi,
    monitor,
    rehearsal,
    script,
    sources,
    spark,
    value,
    webhook,
)
from keepwell.core.text import tr

ERRORS: dict[str, str] = {
    "archive.decisions-unknown": (
        "{found} archived rankings begin with {name!r}; give the beginning of one; the newest: "
        "{known}."
    ),
    "archive.file-unreadable": "The archive's {file} cannot be read: {why}.",
    "as-of.day-invalid": "{text!r} is not a date or an instant; expected YYYY-MM-DD or ISO 8601.",
    "as-of.span-invalid": (
        "{text!r} is not a span; expected days such as 45d or months such as 6mo."
    ),
    "backup.file-changed": "{file} of the backup {folder} is not what its index says.",
    "backup.file-strange": (
        "{file} of the backup {folder} is missing, or is there and not in its index."
    ),
    "backup.folder-inside": (
        "{folder} lies within the workspace {workspace}; a backup belongs elsewhere, best on "
        "another machine."
    ),
    "backup.folder-invalid": "{folder} is not a backup that this keepwell can read: {why}.",
    "backup.folder-taken": "There is a backup {folder} already; try again in a second.",
    "dataset.column-missing": "The data set has no input {columns}.",
    "dataset.columns-differ": "The indicators at {as_of} differ from those of the other dates.",
    "dataset.label-immature": (
        "None of {dates} dates has a mature label {label!r} with clients at risk. Give "
        "earlier dates or a shorter horizon, and see that the sources cover its end."
    ),
    "engine.client-unknown": "No client {client!r} is known at any time.",
    "explain.client-unknown": "No client {client!r} at {as_of}.",
    "explain.model-missing": "No model was trained yet; run 'keepwell run' first.",
    "indicator.id-taken": "Indicator {id!r} is registered already; choose another id.",
    "indicator.id-unknown": "There is no indicator {id!r}; nearest: {nearest}.",
    "indicator.peers-alone": (
        "Indicator {id!r} asks about peers and of something else too: make the rest an indicator "
        "of its own and ask for it with w.peer.own."
    ),
    "indicator.peers-of-peers": (
        "Indicator {id!r} compares {other!r} with peers, which itself is such a comparison."
    ),
    "indicator.measure-unknown": "The tiles keep no measure {name!r}; nearest: {nearest}.",
    "indicator.setting-invalid": (
        "Indicator {id!r}: {what} {given!r} is not acceptable; expected {known}."
    ),
    "indicator.statistic-unknown": (
        "The windowed measures have no statistic {name!r}; nearest: {nearest}."
    ),
    "indicator.table-unknown": (
        "No windowed measures are kept of table {name!r}; nearest: {nearest}."
    ),
    "indicator.window-unknown": "No window of {name} days is kept; there are: {nearest}.",
    "init.folder-missing": "There is no folder {path}.",
    "init.mapping-exists": (
        "{path} exists already and is left as it is. Remove it first, or name another folder."
    ),
    "label.horizon-immature": (
        "The label of {as_of} is known at {ends} at the earliest, which is after {known_by}."
    ),
    "label.name-taken": "Label {name!r} is registered already; choose another name.",
    "label.name-unknown": "There is no label {name!r}; nearest: {nearest}.",
    "lake.files-busy": (
        "A backup or a vacuum is at work on the lake of {folder}; wait until it ends, then try "
        "again."
    ),
    "lake.manifest-exists": "{file} exists already; a manifest is never written twice.",
    "lake.manifest-retired": (
        "Manifest {number} was retired by a vacuum: nothing pinned it, and its files may be gone. "
        "Decisions and training sets made from it are in the archive."
    ),
    "lake.manifest-unreadable": "The manifest {file} cannot be read: {why}.",
    "lake.table-unreadable": "Table {table!r} at version {version} cannot be read: {why}.",
    "lake.writer-busy": (
        "Another keepwell is writing to the lake of {folder}; wait until it ends, then try again."
    ),
    "mapping.activity-missing": (
        "{file}, line {line}: no activity table is mapped; at least one of these is needed: "
        "{known}."
    ),
    "mapping.covers-missing": (
        "{file}, line {line}: table {table!r} needs covers: the [from, until) dates for which "
        "it is complete. 'keepwell init --from FOLDER' proposes them."
    ),
    "mapping.key-missing": "{file}, line {line}: key {key!r} is missing.",
    "mapping.key-twice": "{file}, line {line}: key {key!r} is given twice.",
    "mapping.key-unknown": (
        "{file}, line {line}: unknown key {key!r}; nearest known key: {nearest}. Known here: "
        "{known}."
    ),
    "mapping.table-unknown": (
        "{file}, line {line}: the contract has no table {table!r}; nearest: {nearest}. "
        "Tables: {known}."
    ),
    "mapping.table-unmapped": (
        "{file} maps no table {table!r}; nearest: {nearest}. Mapped: {known}."
    ),
    "mapping.value-invalid": (
        "{file}, line {line}: {key}: {value!r} is not acceptable; expected {expected}."
    ),
    "mapping.yaml-invalid": "{file}, line {line}: not valid YAML: {problem}.",
    "metric.class-single": "All {rows} rows have the same outcome; nothing can be measured.",
    "model.class-single": (
        "Model {model!r} needs clients who left and clients who stayed; all {rows} rows agree."
    ),
    "model.column-missing": "Model {model!r} lacks the input {columns}.",
    "model.column-repeated": "Model {model!r} was given an input twice.",
    "model.extra-missing": "Model {name!r} needs an extra: pip install 'keepwell[{extra}]'.",
    "model.file-unreadable": "The model file {file} cannot be read; train again.",
    "model.fit-missing": "Model {model!r} has not been fitted.",
    "model.inputs-absent": "No input of model {model!r} has any value at the training dates.",
    "model.name-taken": "Model {name!r} is registered already; choose another name.",
    "model.name-unknown": "There is no model {name!r}; nearest: {nearest}.",
    "model.parameter-unknown": "Model {name!r} does not take these parameters: {fault}.",
    "model.shape-wrong": "{rows} labels and {columns} names do not fit a matrix of shape {shape}.",
    "model.version-unknown": "There is no model version {id!r}; there are: {known}.",
    "money.currency-unknown": (
        "Unknown currency {currency!r}; expected an ISO 4217 code such as CNY."
    ),
    "risk.columns-wrong": "The risk table is not of RISK_SCHEMA: {detail}.",
    "restore.database-damaged": "SQLite finds {database} damaged after it was restored.",
    "restore.database-differs": (
        "{database} does not hold what the backup says, or held something before; different: "
        "{tables}."
    ),
    "restore.database-occupied": (
        "There is a database {database} already; restore to an empty place, or name another one."
    ),
    "restore.database-other": (
        "The backup holds a database of {needed}, but the desk's settings name one of {found}; "
        "give --database."
    ),
    "restore.lake-differs": (
        "Table {table!r} of the restored lake has {rows} rows; the backup says {expected}."
    ),
    "restore.manifest-differs": (
        "The newest manifest of the restored lake is {number}; the backup says {expected}."
    ),
    "restore.target-missing": "Name the folder to restore to.",
    "restore.target-occupied": "{folder} is not empty; restore to a new folder.",
    "run.dates-immature": (
        "No training date has a label that is mature by the ranking (horizon {horizon}, "
        "{dates} candidate dates); list earlier dates under dates.train in keepwell.yaml."
    ),
    "run.lake-empty": "The lake holds no dated rows; run 'keepwell ingest' first.",
    "score.calibration-empty": "The score needs finite log-odds; it was given {rows} rows.",
    "score.capacity-invalid": (
        "Capacity must satisfy 0 < severe < moderate < mild < 1; got {severe}, {moderate}, {mild}."
    ),
    "score.knots-invalid": "The knots of a score must be finite and increasing; got {knots}.",
    "select.column-unknown": (
        "Table {table!r}: no column {column!r} in source {source}; nearest: {nearest}. Its "
        "columns: {columns}."
    ),
    "select.count-wrong": (
        "Table {table!r}: exactly one SELECT is expected, found {found} statements."
    ),
    "select.deleted-alone": (
        "Table {table!r}: the select gives deleted without revision; a row is taken back by a "
        "higher revision of its key."
    ),
    "select.failed": "Table {table!r}: the select fails: {problem}.",
    "select.kind-wrong": "Table {table!r}: only a SELECT may be used, found {kind}.",
    "select.output-missing": (
        "Table {table!r}: the select gives no column {column!r}, which the contract requires; "
        "nearest of what it gives: {nearest}. It gives: {columns}."
    ),
    "select.output-twice": "Table {table!r}: the select gives column {column!r} twice.",
    "select.output-unknown": (
        "Table {table!r}: the contract has no column {column!r}; nearest: {nearest}. Columns: "
        "{columns}."
    ),
    "select.reach-outside": (
        "Table {table!r}: a select may read only the sources that the mapping names: {problem}."
    ),
    "select.source-none": (
        "Table {table!r}: the select reads no source; it must read at least one of: {known}."
    ),
    "select.source-unknown": (
        "Table {table!r}: the select reads {source!r}, which is not among the sources; "
        "nearest: {nearest}. Sources: {known}."
    ),
    "select.syntax-at": (
        'Table {table!r}: {problem}. A column called at must be written "at", in double '
        "quotes; '... as at' needs none."
    ),
    "select.syntax-wrong": "Table {table!r}: {problem}.",
    "source.column-missing": (
        "Source {source!r}: {file} has no column {column!r}; nearest: {nearest}. Its columns: "
        "{columns}."
    ),
    "source.csv-broken": "Source {source!r}: {file}: not readable as CSV: {problem}.",
    "source.encoding-wrong": (
        "Source {source!r}: {file}, line {row}, byte {byte}: not {encoding} as the mapping "
        "says; it looks like {guess}."
    ),
    "source.file-empty": (
        "Source {source!r}: {file} is empty; a file with data, or at least a header, is expected."
    ),
    "source.file-missing": "Source {source!r}: no file {path}; nearest in that folder: {nearest}.",
    "source.format-unknown": "Source {source!r}: no reader for {format!r}; known formats: {known}.",
    "source.header-twice": "Source {source!r}: {file}: the header names column {column!r} twice.",
    "source.no-rows": (
        "Source {source!r}: {file} has a header and no rows. Is the export complete? If an "
        "empty source is right, set allow_empty: true."
    ),
    "source.parquet-broken": (
        "Source {source!r}: {file} is not a readable Parquet file; was it cut off while being "
        "copied? ({problem})"
    ),
    "source.quote-open": (
        "Source {source!r}: {file}, row {row}: a quoted cell is opened and never closed; the "
        "rest of the file would be lost in it."
    ),
    "tier.rules-invalid": (
        "Tier cuts must increase within 0..100 and the hysteresis may not be negative; got "
        "{cuts} and {hysteresis}."
    ),
    "tiles.lake-empty": "The lake holds nothing yet. Run 'keepwell ingest' first.",
    "workspace.folder-unusable": (
        "The folder {folder} cannot hold a workspace: the lake's files are not found below a name "
        "with {part}. Rename it, or choose another."
    ),
    "workspace.mapping-missing": (
        "No keepwell.yaml in {folder}. Run 'keepwell init {folder}' to begin, or name the "
        "folder with --workspace."
    ),
    "world.action-unknown": "There is no action {action!r}; nearest: {nearest}.",
    "world.calendar-short": (
        "The exchange's holidays are known from {since} to {until}; choose a start and a number of "
        "days within."
    ),
    "world.client-twice": (
        "Client {client} is named twice on one day; staff do one thing at a time."
    ),
    "world.client-unknown": "The world has no client {client!r}; nearest: {nearest}.",
    "world.day-order": "The next day of the world is {expected}, not {day}; days come in order.",
    "world.days-over": "All {days} days of the world are over; make one with more days.",
    "world.end-future": (
        "What this world tells would be known by {until}, which is still to come, and no ingest "
        "takes what has not happened; choose an earlier start or fewer days."
    ),
    "world.folder-taken": (
        "{folder} holds something that is not a world; name another folder, or empty it."
    ),
    "world.parameter-unknown": (
        "{file}: there is no parameter {parameter!r}; nearest: {nearest}. All parameters: "
        "docs/reference/scenarios.md."
    ),
    "world.parameter-wrong": (
        "{file}: {parameter}: {value!r} is not acceptable: {problem}.{default}"
    ),
    "world.scenario-broken": (
        "{file} is not a scenario; sections such as leaving or happenings are expected, with "
        "their parameters below them."
    ),
    "world.scenario-missing": "There is no scenario file {file}.",
    "world.scenario-unknown": (
        "There is no scenario {name!r}; nearest: {nearest}. A file of your own ends in .yaml."
    ),
    "world.outcomes-entangled": (
        "Outcomes by household are its own only when leaving spreads within households alone; set "
        "contagion.referrer and contagion.adviser to 0."
    ),
    "world.size-wrong": "A world needs {name} of at least 1; got {value}.",
    **access.MESSAGES,
    **action.MESSAGES,
    **alert.MESSAGES,
    **case.MESSAGES,
    **client.MESSAGES,
    **clock.MESSAGES,
    **context.MESSAGES,
    **events.MESSAGES,
    **evidence.MESSAGES,
    **experiment.MESSAGES,
    **frame.MESSAGES,
    **incident.MESSAGES,
    **jobs.MESSAGES,
    **kept.MESSAGES,
    **kpi.MESSAGES,
    **monitor.MESSAGES,
    **rehearsal.MESSAGES,
    **script.MESSAGES,
    **sources.MESSAGES,
    **spark.MESSAGES,
    **value.MESSAGES,
    **webhook.MESSAGES,
}
"""Error code to English template; fields in braces."""

REASONS: dict[str, str] = {
    "cell.below-zero": "{value!r} is negative",
    "cell.control-character": "{value!r} contains a control character",
    "cell.formula": "{value!r} is a spreadsheet formula, not a value",
    "cell.missing": "empty, but required",
    "cell.no-zone": "{value!r} has no time zone and the mapping names none",
    "cell.not-boolean": "{value!r} is neither true nor false",
    "cell.not-date": "{value!r} is not a date of the form {format}",
    "cell.not-decimal": "{value!r} is not a decimal number",
    "cell.not-double": "{value!r} is not a finite number",
    "cell.not-in-list": "{value!r} is not one of the words of the contract",
    "cell.not-instant": "{value!r} is not an instant of the form {format}",
    "cell.not-integer": "{value!r} is not a whole number",
    "cell.not-text": "{value!r} is not text",
    "cell.out-of-range": "{value!r} is outside what the contract allows",
    "cell.too-large": "{value!r} is too large to be true",
    "cell.too-long": "longer than 200 characters",
    "cell.unknown-currency": "{value!r} is not an ISO 4217 currency",
    **sources.REASONS,
    "row.before-opening": "{value!r} is before the client's relationship was opened",
    "row.conflict": "same key as another row, other content, and no higher revision",
    "row.ahead-of-known": (
        "{value!r} is later than the row was known, by more than the source's clock may run ahead"
    ),
    "row.in-future": "{value!r} is after the moment of this ingest",
    "row.ragged": "{found} cells where the header has {expected}",
}
"""Quarantine reason code to English template; fields in braces."""


class KeepwellError(Exception):
    """An error that a person can act on.

    Args:
        code: a key of `ERRORS`.
        **fields: what the template names: file, row, column, what was expected.

    Example:
        >>> error = UsageError("as-of.day-invalid", text="2021-13-01")
        >>> error.code, error.exit_code
        ('as-of.day-invalid', 2)
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, /, **fields: Any) -> None:
        if code not in ERRORS:
            raise KeyError(f"error code {code!r} is not registered in keepwell.core.errors.ERRORS")
        super().__init__(code)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return self.words()

    def words(self, locale: str | None = None) -> str:
        """The message in a language ('en' or 'zh'; default: the current one)."""
        return tr(ERRORS[self.code], locale, **self.fields)


class DataError(KeepwellError):
    """Data or a result is not acceptable (exit code 1)."""

    exit_code = 1


class UsageError(KeepwellError):
    """A command, setting or mapping is wrong (exit code 2)."""

    exit_code = 2


def nearest(name: str, known: list[str]) -> str:
    """The known name that looks most like `name`, or '' when none does.

    Example:
        >>> nearest("tradeid", ["trade_id", "side"])
        'trade_id'
    """
    import difflib

    found = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.55)
    return next((k for k in known if k.lower() == found[0]), "") if found else ""

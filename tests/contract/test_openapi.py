"""The description of the API is complete: what a stranger needs to write a client."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from keepwell.frame.problem import MEDIA_TYPE
from keepwell.web.app import PREFIX
from tests.contract.routes import endpoints, permissions
from tests.desk import Desk, Ticker, write_workspace


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    desk = Desk.open(write_workspace(folder / "ws"), f"sqlite:///{folder / 'x.sqlite'}", Ticker())
    yield desk.app.openapi()
    desk.close()


@pytest.fixture(scope="module")
def operations(document):
    found = [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        if path.startswith("/api/")
        for method, operation in item.items()
    ]
    assert len(found) > 80
    return found


def test_every_operation_says_what_it_does(operations):
    poor = [
        name
        for name, operation in operations
        if not (operation.get("summary") and operation.get("tags") and operation.get("description"))
    ]
    assert poor == []


def test_the_reference_page_has_a_line_for_each_operation_and_no_other(document):
    """Against the application's own description: what renders the page may miss some."""
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text("utf-8")
    found = re.findall(r"^\| `([A-Z]+ /\S*)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE)
    described = {
        (f"{method.upper()} {path.removeprefix(PREFIX)}", operation["summary"])
        for path, item in document["paths"].items()
        if path.startswith(f"{PREFIX}/")
        for method, operation in item.items()
    }
    assert len(described) > 110
    assert set(found) == described
    assert len(found) == len(described)


def test_every_operation_has_a_short_id_of_its_own(operations):
    ids = Counter(operation["operationId"] for _, operation in operations)
    assert [i for i, count in ids.items() if count > 1] == []
    assert [i for i in ids if "api_v1" in i or not i.replace("_", "").isalnum()] == []


def test_every_json_body_shows_an_example(document, operations):
    missing = []
    for name, operation in operations:
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is None:
            continue
        schema = _resolved(document, body["schema"])
        shown = body.get("example") or body.get("examples") or schema.get("examples")
        fields = schema.get("properties", {}).values()
        # A choice from a list needs no example: the list is there.
        if not shown and not all(_has_example(document, field) for field in fields):
            missing.append(name)
    assert missing == []


def _has_example(document, field):
    resolved = _resolved(document, field)
    options = [_resolved(document, o) for o in field.get("anyOf", [])]
    return bool(
        "examples" in field
        or "examples" in resolved
        or resolved.get("type") == "boolean"
        or any("enum" in o or "const" in o or o.get("type") == "boolean" for o in options)
        or "enum" in resolved
        or "const" in resolved
    )


def _resolved(document, schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def test_every_operation_tells_its_problems(operations):
    poor = []
    for name, operation in operations:
        for status, answer in operation["responses"].items():
            if status >= "400" and MEDIA_TYPE not in answer.get("content", {}):
                poor.append((name, status))
        if not {"401", "403", "422", "503"} <= set(operation["responses"]):
            poor.append((name, sorted(operation["responses"])))
    assert poor == []


def test_every_success_says_what_it_holds(operations):
    """204 holds nothing; all else has a schema or a media type of its own."""
    poor = []
    for name, operation in operations:
        good = {s: a for s, a in operation["responses"].items() if s.startswith("2")}
        if not good:
            poor.append(name)
        poor += [
            (name, status)
            for status, answer in good.items()
            if status != "204"
            and not any(
                content.get("schema") or media != "application/json"
                for media, content in answer.get("content", {}).items()
            )
        ]
    assert poor == []


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert sorted(wanted - set(schemas)) == []


def test_every_parameter_is_bounded(operations):
    """Text has a greatest length or a pattern, numbers have bounds: nothing is open-ended."""
    open_ended = [
        (name, parameter["name"])
        for name, operation in operations
        for parameter in operation.get("parameters", [])
        if parameter["in"] in ("path", "query") and not _bounded(parameter["schema"])
    ]
    assert open_ended == []


def _bounded(schema):
    if "anyOf" in schema:
        return all(_bounded(option) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind == "string":
        return bool({"maxLength", "pattern", "enum", "const", "format"} & set(schema))
    if kind in ("integer", "number"):
        low = {"minimum", "exclusiveMinimum"} & set(schema)
        return bool(low and {"maximum", "exclusiveMaximum"} & set(schema))
    if kind == "array":
        return "maxItems" in schema and _bounded(schema["items"])
    return True


def _headers(operation):
    given = [p for p in operation.get("parameters", []) if p["in"] == "header"]
    return {p["name"]: p["required"] for p in given}


def test_headers_that_endpoints_take_are_described(operations):
    for name, operation in operations:
        headers = _headers(operation)
        changes = not name.startswith("GET ") and operation["operationId"] != "log_in"
        assert ("Idempotency-Key" in headers) == changes, name
        assert ("If-Match" in headers) == ("412" in operation["responses"]), name
        assert ("If-None-Match" in headers) == ("304" in operation["responses"]), name
    by_id = {operation["operationId"]: _headers(operation) for _, operation in operations}
    assert by_id["edit_case"] == {"Idempotency-Key": False, "If-Match": True}
    assert by_id["change_clock_policy"]["If-Match"] is False, "a new policy has no version"
    assert by_id["read_alert"] == {"If-None-Match": False}
    assert by_id["read_case"] == {}
    assert by_id["list_alerts"] == {}


def test_every_list_that_can_be_a_file_says_so(operations):
    files = {
        operation["operationId"]
        for _, operation in operations
        if any("csv" in json.dumps(p["schema"]) for p in operation.get("parameters", []))
    }
    saying = {
        operation["operationId"]
        for _, operation in operations
        if "text/csv" in operation["responses"].get("200", {}).get("content", {})
    }
    assert files == saying >= {"list_alerts", "list_cases", "list_clients", "list_treatments"}


def test_every_endpoint_names_its_permission(tmp_path):
    desk = Desk.open(write_workspace(tmp_path / "ws"), f"sqlite:///{tmp_path / 'x'}", Ticker())
    found = endpoints(desk.app)
    desk.close()
    assert len(found) > 80
    open_to_all = [r.operation_id for r in found if len(permissions(r)) != 1]
    assert open_to_all == ["log_in"]

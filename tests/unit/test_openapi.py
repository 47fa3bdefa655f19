"""The OpenAPI document is valid, complete and true to what is served."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from api import headers, paging
from api.app import ENVELOPE_ROUTES, OPERATIONS_ROUTES, PUBLIC, RESPONSES_ROUTES
from api.openapi import build_openapi
from common.envelope import envelope
from common.jobs import JobRecord, JobStatus
from common.schemas import CreateResponse, Response
from tests.unit.test_schemas_page import PAGE_ERROR, PAGE_RESPONSE
from tests.unit.test_schemas_request import PASSES, WRONG
from tests.unit.test_schemas_response import JOB, RESPONSE

DOCUMENT = build_openapi("1.2.3")
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
CREATE = DOCUMENT["paths"]["/openai/v1/responses"]["post"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def follow(part: dict[str, Any]) -> Any:
    return resolve(part["$ref"]) if "$ref" in part else part


def is_valid(name: str, value: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(value))


def test_the_document_says_what_it_is() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["title"] == "Muninn"
    assert DOCUMENT["info"]["version"] == "1.2.3"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_parameter_and_header_has_a_valid_schema() -> None:
    for kind in ("parameters", "headers"):
        for part in DOCUMENT["components"][kind].values():
            Draft202012Validator.check_schema(part["schema"])


def test_every_reference_resolves() -> None:
    found = list(references(DOCUMENT))

    assert found
    assert all(resolve(reference) for reference in found)


def test_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    components = {k: v for k, v in DOCUMENT["components"].items() if k != "securitySchemes"}

    assert {f"#/components/{kind}/{name}" for kind in components for name in components[kind]} == (
        used
    )


def test_every_operation_has_its_required_members() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for _, path, operation in OPERATIONS:
        assert path.startswith("/")
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        assert any(status.startswith("2") for status in operation["responses"])
        for response in map(follow, operation["responses"].values()):
            assert response["description"]
            assert response["content"]


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(ids) == len(set(ids))


def test_every_parameter_of_a_path_is_declared() -> None:
    for _, path, operation in OPERATIONS:
        declared = [follow(part) for part in operation.get("parameters", [])]
        in_path = {part["name"] for part in declared if part["in"] == "path" and part["required"]}
        assert in_path == set(re.findall(r"{(\w+)}", path))


def test_what_is_documented_is_what_is_served() -> None:
    served = {(method.lower(), "/openai/v1" + path) for method, path, _ in RESPONSES_ROUTES}
    served |= {(method.lower(), path) for method, path, _ in (*ENVELOPE_ROUTES, *OPERATIONS_ROUTES)}

    assert {(method, re.sub(r"<(?:id:)?\w+>", "{id}", path)) for method, path in served} == {
        (method, path) for method, path, _ in OPERATIONS
    }


def test_all_headers_of_the_gateway_are_parameters_of_create() -> None:
    declared = {follow(part)["name"] for part in CREATE["parameters"]}
    known = {value for name, value in vars(headers).items() if name.isupper()}

    assert declared == {value for value in known if isinstance(value, str)}


def test_a_page_of_input_is_asked_for_as_openai_does() -> None:
    operation = DOCUMENT["paths"]["/openai/v1/responses/{id}/input_items"]["get"]
    query = {p["name"]: p["schema"] for p in map(follow, operation["parameters"])}

    assert query.keys() == {"id", "limit", "order", "after"}
    assert (query["limit"]["minimum"], query["limit"]["maximum"]) == (1, paging.LARGEST_LIMIT)
    assert query["order"]["enum"] == ["asc", "desc"]


def test_what_a_submit_or_a_poll_may_answer_in_headers_is_named() -> None:
    assert set(CREATE["responses"]["200"]["headers"]) == {
        "Retry-After",
        "openai-poll-after-ms",
        "idempotent-replayed",
        "preference-applied",
        "x-bf-async-id",
        "x-request-id",
        "x-muninn-request-id",
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    }


def test_every_operation_but_the_public_ones_takes_a_key_and_says_so() -> None:
    schemes = set(DOCUMENT["components"]["securitySchemes"])
    for _, path, operation in OPERATIONS:
        named = {name for scheme in operation.get("security", []) for name in scheme}
        assert named == (set() if path in PUBLIC else schemes), path
        assert ("401" in operation["responses"]) == (path not in PUBLIC), path


def test_create_takes_the_request_and_answers_json_or_events() -> None:
    body = CREATE["requestBody"]["content"]["application/json"]["schema"]
    answers = CREATE["responses"]["200"]["content"]

    assert body["$ref"].endswith("/CreateResponse")
    assert answers["application/json"]["schema"]["$ref"].endswith("/Response")
    assert answers["text/event-stream"]["schema"]["$ref"].endswith("/StreamEvent")


def test_all_errors_have_the_one_shape() -> None:
    for status, part in CREATE["responses"].items():
        if status != "200":
            schema = follow(part)["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("/ErrorBody")


@pytest.mark.parametrize("status", ["429", "503"])
def test_statuses_that_pass_say_when_to_try_again(status: str) -> None:
    assert "Retry-After" in follow(CREATE["responses"][status])["headers"]


def test_readiness_answers_both_ways() -> None:
    assert set(DOCUMENT["paths"]["/readyz"]["get"]["responses"]) == {"200", "503"}


@pytest.mark.parametrize(
    ("name", "model"), [("CreateResponse", CreateResponse), ("Response", Response)]
)
def test_every_field_of_a_model_is_in_the_document_with_a_description(
    name: str, model: type[CreateResponse | Response]
) -> None:
    described = {
        field: part.get("description") for field, part in SCHEMAS[name]["properties"].items()
    }

    assert set(described) == set(model.model_fields)
    assert all(described.values())


def test_every_field_of_every_schema_has_a_description() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, part in schema["properties"].items()
        if not part.get("description")
    ]

    assert bare == []


@pytest.mark.parametrize("fields", PASSES, ids=lambda v: str(v)[:60])
def test_what_the_gateway_takes_is_valid_by_the_document(fields: dict[str, Any]) -> None:
    assert is_valid("CreateResponse", {"model": "m"} | fields)


def test_what_the_gateway_refuses_outside_of_lists_is_invalid_by_the_document() -> None:
    # Inside a list any object passes by the document: it may be of a type of tomorrow.
    plain = [fields for fields, param, _ in WRONG if "[0]." not in param]

    assert [fields for fields in plain if is_valid("CreateResponse", {"model": "m"} | fields)] == []


@pytest.mark.parametrize("shown", [PAGE_RESPONSE, RESPONSE, JOB], ids=["page", "openai", "job"])
def test_responses_are_valid_by_the_document(shown: dict[str, Any]) -> None:
    assert is_valid("Response", shown)


def test_errors_are_valid_by_the_document() -> None:
    assert is_valid("ErrorBody", PAGE_ERROR)
    assert not is_valid("ErrorBody", PAGE_ERROR | {"status_code": "400"})


RECORD = JobRecord(
    id="3f0c0a52-7f3c-4f4e-9a54-27d8f0a1b2c3",
    status=JobStatus.QUEUED,
    owner="",
    shape=orjson.dumps(JOB),
    attempts=1,
    created_at_ms=1_795_000_000_123,
)
ENDED = replace(RECORD, completed_at_ms=1_795_000_001_000, expires_at_ms=1_795_000_002_000)
FAULT = {"type": "provider_error", "code": "x", "message": "no", "param": None, "status_code": 502}


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(ENDED, status=JobStatus.COMPLETED, result=orjson.dumps(RESPONSE)),
        replace(ENDED, status=JobStatus.FAILED, error=FAULT),
        replace(ENDED, status=JobStatus.CANCELLED),
    ],
    ids=lambda record: record.status.value,
)
def test_envelopes_are_valid_by_the_document_and_all_of_them_is_described(
    record: JobRecord,
) -> None:
    shown = orjson.loads(orjson.dumps(envelope(record)))

    assert is_valid("Envelope", shown)
    assert shown.keys() <= SCHEMAS["Envelope"]["properties"].keys()

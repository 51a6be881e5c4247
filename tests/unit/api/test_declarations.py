"""What the endpoints declare of themselves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from api.answers.organizations import OrganizationAnswer
from api.answers.posts import AuthorAnswer, PostAnswer
from api.answers.users import Data
from api.describe import ENDPOINTS
from api.present import PUBLIC
from schema.http.faults import FAULTS
from schema.postgres.contracts import Organization, Post
from schema.postgres.user_data import USER_DATA

if TYPE_CHECKING:
    from schema.http.endpoints import Endpoint

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)


@every_endpoint
def test_examples_are_what_the_models_say(endpoint: Endpoint) -> None:
    """Whoever copies one has something that is real but for the people."""
    for status, answer in endpoint.answers.items():
        if answer.model is None:
            assert (status, answer.example) == (304, None)
        else:
            answer.model.model_validate_json(json.dumps(answer.example))


@every_endpoint
def test_what_can_go_wrong_is_known(endpoint: Endpoint) -> None:
    """Each code once, and one that stands for something."""
    assert len(set(endpoint.errors)) == len(endpoint.errors)
    assert set(endpoint.errors) <= FAULTS.keys()
    assert ("UNAUTHENTICATED" in endpoint.errors) == endpoint.signed_in


@every_endpoint
def test_parameters_are_complete(endpoint: Endpoint) -> None:
    """Those of the path, and what an ETag is for; their examples match their patterns."""
    named = {(each.place, each.name) for each in endpoint.parameters}
    in_path = {("path", name) for name in re.findall(r"{(\w+)}", endpoint.path)}

    assert {each for each in named if each[0] == "path"} == in_path
    assert (304 in endpoint.answers) == (("header", "If-None-Match") in named)
    for each in endpoint.parameters:
        assert re.search(each.schema.get("pattern", ""), str(each.example))
        assert each.required == (each.place == "path")


def test_endpoints_have_names_of_their_own() -> None:
    """Limits and caches are configured by them."""
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)


def test_answers_keep_to_the_contracts() -> None:
    """A field is called what others may rely on."""
    assert set(PostAnswer.model_fields) - {"author"} <= set(Post.model_fields)
    assert set(AuthorAnswer.model_fields) <= set(PUBLIC)
    assert set(OrganizationAnswer.model_fields) - {"membership"} == set(Organization.model_fields)
    assert set(Data.model_fields) == set(USER_DATA)

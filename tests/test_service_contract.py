"""The service keeps its contract whatever is sent: no fault of its own, no answer that it does not state."""

from collections import Counter
from contextlib import suppress
from itertools import product

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving import serving

pytestmark = pytest.mark.operations


@pytest.fixture(scope="module")
def service(made, tmp_path_factory):
    with serving(f"sqlite:///{tmp_path_factory.mktemp('contract')}/fkd.sqlite", made) as running:
        yield running


def test_every_answer_is_in_the_contract(service):
    contract = schemathesis.openapi.from_asgi("/openapi.json", service.client.app)
    operations = [found.ok() for found in contract.get_all_operations()]
    assert len(operations) > 15
    answers = Counter()
    for operation, mode in product(operations, schemathesis.GenerationMode):

        @given(operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def keep(case):
            # What is well formed may still be no image, or be of a customer who was erased.
            answer = case.call_and_validate(
                headers=service.using("all"), excluded_checks=[positive_data_acceptance]
            )
            answers[answer.status_code] += 1

        with suppress(Unsatisfiable):  # nothing wrong can be sent where nothing is taken
            keep()
    assert answers[200] > 30 and answers[201] > 10 and answers[404] > 30 and answers[422] > 30

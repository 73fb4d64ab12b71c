"""Physical names keep their service's rules, for every input."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import naming

NAME = st.text(min_size=1, max_size=120)


@given(NAME, NAME)
def test_dns_labels_are_rfc_1123(first, second):
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", naming.dns_label(first, second))


@given(NAME, NAME, NAME)
def test_global_azure_names_keep_their_limits(project, stack, scope):
    assert re.fullmatch(r"[a-z0-9]{3,24}", naming.storage_account(project, stack, scope))
    assert re.fullmatch(r"[a-z0-9]{5,50}", naming.container_registry(project, stack, scope))
    assert re.fullmatch(r"[a-z]([a-z0-9-]{1,22})[a-z0-9]", naming.key_vault(project, stack, scope))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{1,31})[a-z0-9]", naming.workspace(project, stack, scope))


@pytest.mark.parametrize("name", ["storage_account", "container_registry", "key_vault", "workspace"])
def test_names_that_are_global_differ_by_scope(name):
    function = getattr(naming, name)
    assert function("churn", "prod", "subscription-a") != function("churn", "prod", "subscription-b")


def test_public_names_do_not_show_the_subscription():
    scope = "11111111-2222-4333-8444-555555555555"
    assert re.fullmatch(r"crchurnprod[0-9a-f]{6}", naming.container_registry("churn", "prod", scope))
    assert re.fullmatch(r"stchurnprod[0-9a-f]{6}", naming.storage_account("churn", "prod", scope))


def test_long_names_that_begin_alike_stay_apart():
    long = "a" * 80
    assert naming.dns_label(long + "x") != naming.dns_label(long + "y")


def test_a_name_that_fits_is_left_as_it_is():
    assert naming.dns_label("churn-model") == "churn-model"

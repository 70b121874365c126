"""A description tells its route by the verb: who goes through a framework, and who sets one up."""

import pytest

from matching.text.route import Route, route_of
from tests.unit.matching.builders import plan


@pytest.mark.parametrize(
    ("description", "route"),
    [
        ("Payments are taken through a card provider, bought via the CCS RM6325 framework.", Route.CALL_OFF),
        ("Quotations are invited through the Sport England framework Lot B.", Route.CALL_OFF),
        ("Only open to suppliers available under the ESPO 509_23 framework.", Route.CALL_OFF),
        ("The contract was called off of the LASER Framework Agreement.", Route.CALL_OFF),
        ("Award utilising an existing dynamic purchasing system.", Route.CALL_OFF),
        ("The Council is seeking to establish a framework agreement for roof repairs.", Route.FRAMEWORK),
        ("The Council will set up a single supplier framework.", Route.FRAMEWORK),
        ("Tenders are invited from qualified suppliers to establish a framework.", Route.FRAMEWORK),
        ("Framework agreement for the provision of weed control.", Route.FRAMEWORK),
        ("Suppliers are invited to join a dynamic purchasing system (DPS).", Route.DYNAMIC_PURCHASING),
        ("Support is overseen through a formal framework of governance.", None),
        ("Services under the national planning policy framework.", None),
        ("The council's democratic framework is kept in one system.", None),
        ("Suppliers on the present framework may bid again.", None),
        ("Awarded through the framework agreement for signs.", Route.CALL_OFF),
        ("Bought via framework RM1234.", Route.CALL_OFF),
        ("The council will procure a supplier listed on the ESPO framework.", Route.CALL_OFF),
        ("The council will establish a skills training framework.", Route.FRAMEWORK),
        ("A portal built using the .NET framework.", None),
        ("Advice and support under the Care Act framework.", None),
        ("Families are supported through the Early Help framework.", None),
        ("Surveys under the council's Local Plan framework.", None),
        ("Staff are assessed under the framework.", None),
        ("To be awarded following competition on the ESPO framework.", None),
        ("The council will award against the YPO framework.", None),
        ("The council will award a new contract as the current framework ends.", None),
        ("The partner will create a monitoring and evaluation framework.", None),
        ("The partner will establish a skills framework.", None),
        ("", None),
    ],
)
def test_a_description_tells_its_route(description: str, route: Route | None) -> None:
    assert route_of(plan(title="A purchase", description=description)) is route


@pytest.mark.parametrize(
    ("title", "route"),
    [
        ("Framework for transport - list reopening 2020", None),
        ("Reopening of the framework list", None),
        ("Framework for transport", Route.FRAMEWORK),
    ],
)
def test_a_list_that_opens_again_is_no_new_framework(title: str, route: Route | None) -> None:
    assert route_of(plan(title=title, description="")) is route

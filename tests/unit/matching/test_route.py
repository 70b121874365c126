"""A description tells its route by the verb: who goes through a framework, and who sets one up."""

import pytest

from matching.text.route import Route, route_of
from tests.unit.matching.builders import plan


@pytest.mark.parametrize(
    ("description", "route"),
    [
        ("Payments are taken through a card provider, bought via the CCS RM9999 framework.", Route.CALL_OFF),
        ("Prices are asked for through the Northvale Leisure framework, lot 3.", Route.CALL_OFF),
        ("Bids may come from firms under the ESPO 9001_27 framework only.", Route.CALL_OFF),
        ("This order is called off the Northvale Framework Agreement.", Route.CALL_OFF),
        ("An order utilising the present dynamic purchasing system of Northvale.", Route.CALL_OFF),
        ("Northvale wants to establish a framework agreement for roof repairs.", Route.FRAMEWORK),
        ("The Council will set up a single supplier framework.", Route.FRAMEWORK),
        ("Firms can bid to establish a framework with Northvale.", Route.FRAMEWORK),
        ("Framework agreement for the provision of weed control.", Route.FRAMEWORK),
        ("Firms may join a dynamic purchasing system (DPS) at any time.", Route.DYNAMIC_PURCHASING),
        ("A board steers the work through a governance framework.", None),
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
        ("Framework for transport - list reopening 2031", None),
        ("Reopening of the framework list", None),
        ("Framework for transport", Route.FRAMEWORK),
    ],
)
def test_a_list_that_opens_again_is_no_new_framework(title: str, route: Route | None) -> None:
    assert route_of(plan(title=title, description="")) is route

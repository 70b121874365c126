"""A framework that covers the plans of the tests."""

from datetime import date

from matching.frameworks import FrameworkLot

SOFTWARE = FrameworkLot(
    framework="EX-0001",
    title="Back-office software",
    owner="Example Purchasing Body",
    starts=date(2026, 4, 1),
    ends=date(2028, 3, 31),
    scope="Human resources, payroll and finance software for councils, hosted or on site, with migration and support.",
    cpv=("48450000", "72260000"),
    entitled=(),
    source="an example",
)

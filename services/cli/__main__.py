"""`python -m services.cli` is `jointly`."""

from services.cli import main

main()

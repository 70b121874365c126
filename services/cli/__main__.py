"""`python -m services.cli` is `jointly`."""

from services.cli import main

if __name__ == "__main__":
    main()

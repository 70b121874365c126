"""`python -m services.cli` runs `jointly`."""

from services.cli import main

if __name__ == "__main__":
    main()

"""`python -m ferrotype`."""

from ferrotype.cli import main

if __name__ == "__main__":
    main()

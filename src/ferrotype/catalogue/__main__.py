"""Checks the catalogue, or writes what follows from it: `python -m ferrotype.catalogue`."""

import sys
from pathlib import Path

from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.catalogue.audit import findings
from ferrotype.catalogue.postman import FILE, collection
from ferrotype.catalogue.reference import pages

USAGE = "usage: python -m ferrotype.catalogue [docs DIR | postman DIR]\n"


def main(arguments: list[str]) -> int:
    """Return 0 when all is well, 1 with findings on standard error, 2 for wrong use."""
    try:
        catalogue = Catalogue.load()
    except BadCatalogue as error:
        sys.stderr.write(f"{error}\n")
        return 1
    match arguments:
        case []:
            found = findings(catalogue.models)
            sys.stderr.writelines(f"{finding}\n" for finding in found)
            return 1 if found else 0
        case ["docs", folder]:
            for name, text in pages(catalogue).items():
                file = Path(folder) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return 0
        case ["postman", folder]:
            file = Path(folder) / FILE
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(collection(catalogue), encoding="utf-8")
            return 0
    sys.stderr.write(USAGE)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

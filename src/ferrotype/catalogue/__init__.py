"""What models allow, as data: `Catalogue.load().check(route, body, asynchronous=True)`."""

from ferrotype.catalogue.check import Catalogue, Checked, Mismatch
from ferrotype.catalogue.model import Model
from ferrotype.catalogue.reader import BadCatalogue

__all__ = ["BadCatalogue", "Catalogue", "Checked", "Mismatch", "Model"]

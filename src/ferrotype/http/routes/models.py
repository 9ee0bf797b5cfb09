"""GET /api/v1/models: what may be asked here, and who would answer."""

from ferrotype.catalogue import Catalogue
from ferrotype.http import wire
from ferrotype.http.exchange import Exchange
from ferrotype.service import Service


class Models:
    """Lists the models that this deployment serves, in the catalogue's order."""

    def __init__(self, service: Service, catalogue: Catalogue) -> None:
        recipes = [(name, service.recipe(name)) for name in catalogue.models]
        self._rows = [
            (name, recipe.served_by, recipe.label == "same weights")
            for name, recipe in recipes
            if recipe
        ]

    async def list(self, exchange: Exchange) -> None:
        """Answer with a page of models, or with the one that `model` names."""
        query = exchange.query()
        number, size = wire.read_page(query)
        name = query.get("model")
        rows = [row for row in self._rows if row[0] == name] if name else self._rows
        page = rows[(number - 1) * size : number * size]
        await exchange.reply(200, wire.models(exchange.request_id, page, len(rows), number, size))

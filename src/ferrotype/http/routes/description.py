"""GET /openapi.json: what may be asked here, for machines."""

from ferrotype.http.exchange import Exchange


class Description:
    """Hands out the API's description, written once."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    async def read(self, exchange: Exchange) -> None:
        """Answer with the document."""
        await exchange.reply(200, self._document)

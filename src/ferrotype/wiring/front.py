"""What an API process is built from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ferrotype.catalogue import Catalogue
from ferrotype.janitor import Janitor
from ferrotype.keyring import Keyring
from ferrotype.limits import VendorLimits
from ferrotype.links import Links
from ferrotype.ports.bell import Bell
from ferrotype.ports.full_ledger import FullLedger
from ferrotype.ports.ledger import Outbox
from ferrotype.ports.media_store import MediaStore
from ferrotype.rehearsal import Rehearsal
from ferrotype.service import Options, Service
from ferrotype.settings import Settings
from ferrotype.uploads import Uploads
from ferrotype.wiring.ledger import open_both
from ferrotype.wiring.shared import (
    SystemClock,
    load_catalogue,
    make_janitor,
    make_stores,
    make_uploads,
)


@dataclass(frozen=True, kw_only=True)
class Front:
    """The parts that the HTTP face translates for."""

    service: Service
    keyring: Keyring
    links: Links
    store: MediaStore
    uploads: Uploads
    catalogue: Catalogue
    janitor: Janitor
    rehearsal: Rehearsal | None
    outbox: Outbox
    bell: Bell
    watched: FullLedger
    clock: SystemClock


@asynccontextmanager
async def open_front(settings: Settings) -> AsyncIterator[Front]:
    """Open what an API process needs."""
    clock, catalogue = SystemClock(), load_catalogue(settings)
    store, inputs = make_stores(settings)
    options = Options(latency=settings.latency)
    async with open_both(settings, migrate=bool(settings.postgres_url)) as (bell, ledger):
        await ledger.set_profile(_profile(settings, catalogue))
        uploads = make_uploads(settings, ledger, store, inputs)
        recipes = settings.all_recipes
        limits = VendorLimits(clock) if settings.limits == "vendor" else None
        rehearsal = Rehearsal(ledger, clock) if settings.rehearses else None
        yield Front(
            service=Service(
                ledger,
                catalogue,
                recipes,
                bell,
                clock,
                store,
                uploads,
                options,
                limits,
                rehearsal,
            ),
            keyring=Keyring(ledger, clock, any_key=settings.any_key),
            links=Links(ledger.secrets, clock),
            store=store,
            uploads=uploads,
            catalogue=catalogue,
            janitor=make_janitor(settings, ledger, store, uploads),
            rehearsal=rehearsal,
            outbox=ledger,
            bell=bell,
            watched=ledger,
            clock=clock,
        )


def _profile(settings: Settings, catalogue: Catalogue) -> dict[str, int]:
    """Return how many tasks of a model one account may have at once, as the profile says."""
    if settings.limits == "off":
        return {}
    rates = {name: model.rate for name, model in catalogue.models.items()}
    return {name: rate.concurrent for name, rate in rates.items() if rate and rate.concurrent}

"""What the API's process and the worker's both have: models, a clock, a janitor."""

import time
from datetime import UTC, datetime

from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.janitor import Janitor, Options
from ferrotype.media_stores.local import LocalStore
from ferrotype.media_stores.local_inputs import LocalInputs
from ferrotype.ports.admin import Admin
from ferrotype.ports.ledger import Upkeep
from ferrotype.settings import Settings, SettingsError
from ferrotype.uploads import Uploads


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the current time in UTC, aware."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()


def load_catalogue(settings: Settings) -> Catalogue:
    """Return what callers may ask for, the operator's own models included."""
    known = Catalogue.load(unknown_model=settings.unknown_model)
    for name, keys in settings.models.items():
        if set(keys) != {"like"}:
            raise SettingsError(f'[models.{name}] has one key, such as like = "wan2.2-t2i-plus".')
        try:
            known = known.with_model(name, str(keys["like"]))
        except BadCatalogue as error:
            raise SettingsError(f"[models.{name}]: {error}.") from None
    for recipe in settings.all_recipes:
        if recipe.model != "*" and recipe.model not in known.models:
            raise SettingsError(f'[recipes."{recipe.model}"]: there is no such model.')
    return known


def make_uploads(settings: Settings, ledger: Admin, store: LocalStore) -> Uploads:
    """Return the way in for callers' files, which lie beside the results."""
    inputs = LocalInputs(settings.media_dir)
    space = settings.upload_space << 20
    return Uploads(ledger.secrets, inputs, store, SystemClock(), space)


def make_janitor(
    settings: Settings, upkeep: Upkeep, store: LocalStore, uploads: Uploads
) -> Janitor:
    """Return the janitor of one process. Nothing is late that only waits for its latency."""
    waits = settings.latency
    deadlines = {recipe.model: recipe.deadline + waits for recipe in settings.all_recipes}
    options = Options(
        unserved_after=settings.unserved_after,
        deadline=deadlines.pop("*", Options().deadline + waits),
        deadlines=deadlines,
        retention=settings.retention,
    )
    return Janitor(upkeep, store, uploads, SystemClock(), options)

"""What the API's process and the worker's both have: models, a clock, a janitor."""

import time
from datetime import UTC, datetime

from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.janitor import Janitor, Options
from ferrotype.ports.admin import Admin
from ferrotype.ports.engine_room import Recipe
from ferrotype.ports.input_store import InputStore
from ferrotype.ports.ledger import Upkeep
from ferrotype.ports.media_store import MediaStore
from ferrotype.settings import Settings, SettingsError
from ferrotype.settings.recipes import near
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
    for apply in (with_name, with_narrowing):
        for recipe in settings.all_recipes:
            try:
                known = apply(known, recipe)
            except BadCatalogue as error:
                raise SettingsError(f'[recipes."{recipe.model}"]: {error}.') from None
    return known


def with_name(known: Catalogue, recipe: Recipe) -> Catalogue:
    """Return a catalogue in which a recipe's model is. Raises `BadCatalogue`."""
    if recipe.model == "*":
        if recipe.like or recipe.narrow:
            raise BadCatalogue("like and narrow are for one model: write a recipe under its name")
        return known
    if recipe.like:
        return known.with_model(recipe.model, recipe.like)
    if recipe.model not in known.models:
        raise BadCatalogue(
            f"there is no such model.{near(recipe.model, known.models)} A name of your own says"
            ' whose rules it has: like = "wan2.2-t2i-plus"'
        )
    return known


def with_narrowing(known: Catalogue, recipe: Recipe) -> Catalogue:
    """Return a catalogue with less to ask of a recipe's model. Raises `BadCatalogue`."""
    return known.narrowed(recipe.model, recipe.narrow) if recipe.narrow else known


def make_stores(settings: Settings) -> tuple[MediaStore, InputStore]:
    """Return where results are kept, and callers' files beside them."""
    if settings.bucket_url is None:
        from ferrotype.media_stores.local import LocalStore
        from ferrotype.media_stores.local_inputs import LocalInputs

        return LocalStore(settings.media_dir), LocalInputs(settings.media_dir)
    from ferrotype.media_stores.object_inputs import ObjectInputs
    from ferrotype.media_stores.objects import ObjectFiles, open_bucket

    try:
        bucket = open_bucket(settings.bucket_url)
        outside = settings.media_endpoint and open_bucket(
            settings.bucket_url, settings.media_endpoint
        )
    except ValueError as error:
        raise SettingsError(f"MEDIA_URL: {error}.") from None
    direct = settings.media_links == "direct"
    return ObjectFiles(bucket, direct=direct, outside=outside or None), ObjectInputs(bucket)


def make_uploads(
    settings: Settings, ledger: Admin, store: MediaStore, inputs: InputStore
) -> Uploads:
    """Return the way in for callers' files."""
    space = settings.upload_space << 20
    return Uploads(ledger.secrets, inputs, store, SystemClock(), space)


def make_janitor(
    settings: Settings,
    upkeep: Upkeep,
    store: MediaStore,
    uploads: Uploads,
    *,
    knows_all: bool = True,
) -> Janitor:
    """Return the janitor of one process. Nothing is late that only waits for its latency.

    `knows_all`: the settings hold the recipes of all workers. One that has only its own must not
    end by them what others run.
    """
    waits = settings.latency
    deadlines = {recipe.model: recipe.deadline + waits for recipe in settings.all_recipes}
    options = Options(
        unserved_after=settings.unserved_after,
        knows_deadlines=knows_all,
        deadline=deadlines.pop("*", Options().deadline + waits),
        deadlines=deadlines,
        retention=settings.retention,
    )
    return Janitor(upkeep, store, uploads, SystemClock(), options)

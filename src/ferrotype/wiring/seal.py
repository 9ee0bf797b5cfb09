"""Whether result files are signed, and with what."""

from ferrotype.ports.seal import Seal
from ferrotype.settings import Settings, SettingsError


def make_seal(settings: Settings) -> Seal | None:
    """Return what signs result files, or None: nothing does. Raises `SettingsError`."""
    chain, key = settings.c2pa_cert, settings.c2pa_key
    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise SettingsError("C2PA_CERT and C2PA_KEY belong together: set both, or neither.")
    try:
        from ferrotype.seals.c2pa import BadCertificate, C2paSeal  # an extra
    except ImportError as error:
        raise SettingsError(
            f"Results cannot be signed ({error}): pip install 'ferrotype[c2pa]', or leave "
            "C2PA_CERT and C2PA_KEY out."
        ) from None
    try:
        return C2paSeal(chain, key)
    except BadCertificate as error:
        raise SettingsError(f"C2PA_CERT and C2PA_KEY: {error}") from None

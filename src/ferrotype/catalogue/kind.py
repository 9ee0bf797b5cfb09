"""What every kind of field has in common."""

from typing import Any, NoReturn

from msgspec import Struct

from ferrotype.errors import InvalidParameter


class Kind(Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """One field of a request, as a catalogue file states it.

    `default` is in the caller's spelling. `aliases` are other names the wire knows it by. `late`:
    a bad value does not fail the create call, the task ends FAILED. `error` replaces our message
    with the vendor's. `note` says what is uncertain or odd.
    """

    required: bool = False
    default: Any = None
    aliases: tuple[str, ...] = ()
    late: bool = False
    error: str | None = None
    note: str = ""

    def say(self) -> str:
        """Say what a value must be, to end the sentence "n must be ..."."""
        raise NotImplementedError

    def read(self, value: Any, where: str) -> Any:
        """Return the value in our form. `where` names it in the message of `InvalidParameter`."""
        raise NotImplementedError

    def refuse(self, where: str) -> NoReturn:
        """Raise the `InvalidParameter` of a value that is not what it must be."""
        raise InvalidParameter(
            self.error
            or f"the parameters must conform to the specification: {where} must be {self.say()}"
        )


def missing(where: str) -> InvalidParameter:
    """Make the error of a required field that is absent or empty."""
    return InvalidParameter(f"Field required: {where}")


def span(least: int, most: int) -> str:
    """Say how many there may be."""
    return str(least) if least == most else f"{least} to {most}"

"""Reads a form that brings one file, piece by piece: nothing is held but the fields before it."""

import logging
import re
from typing import Final

from python_multipart import multipart as parser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ferrotype.errors import Refused

MOST_FIELDS = 64
FIELD_BYTES = 64 * 1024  # of all fields together, their names included
HEADERS = 8  # of one part
HEADER_BYTES = 2048
logging.getLogger(parser.__name__).setLevel(logging.ERROR)  # it warns of each bad form
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class BadForm(Refused):
    """The body of your POST request is not well-formed multipart/form-data."""

    code = "MalformedPOSTRequest"


class Form:
    """A form on its way in. `fields` are those before the file; what follows it is passed over."""

    def __init__(self, content_type: bytes) -> None:
        kind, options = parse_options_header(content_type.decode("latin-1"))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise BadForm()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._open,
                    "on_part_data": self._data,
                    "on_part_end": self._close,
                    "on_end": self._end,
                },
                max_header_count=HEADERS,
                max_header_size=HEADER_BYTES,
            )
        except FormParserError:
            raise BadForm() from None
        self.fields: Final[dict[str, str]] = {}
        self.has_file = False  # its part has begun
        self.ended = False
        self._parts = 0
        self._bytes = 0
        self._name = ""
        self._in_file = False
        self._header = (b"", b"")
        self._value: list[bytes] = []
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take more of the body; return what of the file was in it. Raises `BadForm`."""
        self._pieces = []
        try:
            self._parser.write(data)
        except FormParserError:
            raise BadForm() from None
        return self._pieces

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_FIELDS:
            raise BadForm("The form has too many parts.")
        self._name, self._value, self._header = "", [], (b"", b"")
        self._in_file = False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name + data[start:end], value)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name, value + data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._header = (b"", b"")
        if name.lower() == b"content-disposition":
            kind, options = parse_options_header(value.decode("latin-1"))
            if kind == b"form-data":
                self._name = options.get(b"name", b"").decode("latin-1")

    def _open(self) -> None:
        """Learn what a part is. The file is told by its name: not all clients give a filename."""
        if not self._name:
            raise BadForm("A part of the form has no name.")
        if self.has_file:
            return
        self._count(len(self._name))
        self._in_file = self.has_file = self._name == "file"

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
        elif not self.has_file:
            self._count(end - start)
            self._value.append(data[start:end])

    def _close(self) -> None:
        if self.has_file:
            self._in_file = False
            return
        if self._name in self.fields:
            raise BadForm("A field of the form is repeated.")
        try:
            value = b"".join(self._value).decode()
        except UnicodeDecodeError:
            raise BadForm("A field of the form is not UTF-8.") from None
        if _CONTROLS.search(value):
            raise BadForm("A field of the form has control characters.")
        self.fields[self._name] = value

    def _end(self) -> None:
        self.ended = True

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._bytes > FIELD_BYTES:
            raise BadForm("The fields of the form are too long.")

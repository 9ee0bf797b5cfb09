"""The one way to PyAV: a stranger's file, one demuxer, few decoders, and no second file.

FFmpeg gets a descriptor and never a name. Before we can ask which decoders a file wants, FFmpeg
has tried some of its frames; so the list of the allowed ones goes to FFmpeg itself.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

import av
import av.subtitles.stream
from av.container import InputContainer

from ferrotype.errors import InvalidFile, InvalidFileFormat, InvalidFileResolution

MAX_PIXELS = 4096 * 4096  # of a film's frame
MAX_STREAMS = 32  # telephones add streams of measurements
# PyAV imports it when it opens a file, which would be too late.
_NEEDED_LATER = (av.subtitles.stream,)


@contextmanager
def opened(source: BinaryIO, demuxer: str, codecs: Collection[str]) -> Iterator[InputContainer]:
    """Open a file as what it is said to be. Whatever is wrong with it becomes an `InvalidFile`;
    an `OSError` is ours. No word of the decoders' own gets out.
    """
    options = {
        "codec_whitelist": ",".join(sorted(codecs)),
        "protocol_whitelist": "none",
        "enable_drefs": "0",
        "max_streams": str(MAX_STREAMS),
        "max_pixels": str(MAX_PIXELS),
        "threads": "1",
    }
    try:
        with av.open(
            source,
            "r",
            format=demuxer,
            options=options,
            io_open=_no_second_file,
            metadata_errors="ignore",
        ) as container:
            yield container
    except InvalidFile:
        raise
    except MemoryError:
        raise InvalidFileResolution(
            "The resolution of the input file is invalid: it needs too much memory."
        ) from None
    except av.FFmpegError:
        raise InvalidFileFormat from None
    except OSError:
        raise
    except Exception:
        raise InvalidFileFormat from None


def limit(stream: Any) -> None:
    """Have a stream decoded in this thread, and no frame that is larger than any may be."""
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}


def _no_second_file(*_: object) -> NoReturn:
    raise InvalidFileFormat

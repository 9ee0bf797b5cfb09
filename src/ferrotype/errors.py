"""Every way Ferrotype says no, named by who must act.

The code is the word the wire uses; the docstring's first paragraph is the default message, in
the vendor's own spelling where the vendor has one ("occured" is theirs).

    FerrotypeError
    ├── Refused                       the caller must change the request
    │   ├── InvalidParameter
    │   ├── IllegalInput
    │   ├── EmptyModel
    │   ├── EmptyInput
    │   ├── EmptyParameters
    │   ├── DataInspectionFailed
    │   ├── InputInspectionFailed
    │   ├── InputDownloadFailed
    │   ├── InvalidURL
    │   ├── InvalidImageFormat
    │   ├── InvalidImageResolution
    │   └── InvalidFile               sound or film
    │       ├── InvalidFileFormat
    │       ├── InvalidFileDuration
    │       ├── InvalidFileSize
    │       ├── InvalidFileResolution
    │       ├── InvalidFileAspectRatio
    │       └── InvalidFileFPS
    ├── Unauthorised                  the caller must present another key
    │   └── WorkspaceNotAuthorised
    ├── Denied                        the caller may not do this
    ├── Missing                       there is no such thing
    │   └── ModelNotFound
    ├── Conflict                      somebody moved first
    ├── Busy                          the caller must come back later
    │   ├── RateQuotaExceeded
    │   ├── AllocationQuotaExceeded
    │   └── Unavailable
    ├── Told                          in the words of somebody else
    └── Broken                        we, or an engine of ours, must be mended
        ├── AlgorithmFailed
        ├── UploadFailed
        ├── TimedOut
        └── Occupied                  other processes must end first
"""

from collections.abc import Iterator
from typing import ClassVar


class FerrotypeError(Exception):
    """An internal error has occured, please try again later or contact service support."""

    code: ClassVar[str] = "InternalError"

    def __init__(self, message: str | None = None) -> None:
        self.message = message or default_message(type(self))
        super().__init__(self.message)


def default_message(kind: type[FerrotypeError]) -> str:
    """Return the first paragraph of an error's docstring: what it says when nobody says more."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def message_of(code: str) -> str:
    """Return what the error of a code says by itself; a code that we do not know says the least."""

    def kinds(kind: type[FerrotypeError]) -> Iterator[type[FerrotypeError]]:
        for child in kind.__subclasses__():
            yield from kinds(child)
        yield kind

    found = (kind for kind in kinds(FerrotypeError) if kind.code == code)
    return default_message(next(found, FerrotypeError))


class Told(FerrotypeError):
    """An error in the words of somebody else, such as of a task that ended FAILED.

    `status` is its HTTP status, where that is not the code's own.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.told, self.status = code, status


class Refused(FerrotypeError):
    """Required parameter(s) missing or invalid, please check the request parameters."""

    code = "InvalidParameter"


class InvalidParameter(Refused):
    """Required parameter(s) missing or invalid, please check the request parameters."""


class IllegalInput(Refused):
    """The input parameter requires json format."""

    code = "BadRequest.IllegalInput"


class EmptyModel(Refused):
    """Required parameter "model" missing from request."""

    code = "BadRequest.EmptyModel"


class EmptyInput(Refused):
    """Required input parameter missing from request."""

    code = "BadRequest.EmptyInput"


class EmptyParameters(Refused):
    """Required parameter "parameters" missing from request."""

    code = "BadRequest.EmptyParameters"


class DataInspectionFailed(Refused):
    """Input data may contain inappropriate content."""

    code = "DataInspectionFailed"


class InputInspectionFailed(Refused):
    """Unable to download the media resource during the data inspection process."""

    code = "InvalidParameter.DataInspection"


class InputDownloadFailed(Refused):
    """Failed to download the input file."""

    code = "BadRequest.InputDownloadFailed"


class InvalidURL(Refused):
    """The provided URL is not valid."""

    code = "InvalidURL"


class InvalidImageFormat(Refused):
    """The format of the input image is invalid."""

    code = "InvalidImageFormat"


class InvalidImageResolution(Refused):
    """The size of the input image is too small or too large."""

    code = "InvalidImageResolution"


class InvalidFile(Refused):
    """The input file is invalid."""

    code = "InvalidFile.Openerror"


class InvalidFileFormat(InvalidFile):
    """The format of the input file is invalid."""

    code = "InvalidFile.Format"


class InvalidFileDuration(InvalidFile):
    """The duration of the input file is invalid."""

    code = "InvalidFile.Duration"


class InvalidFileSize(InvalidFile):
    """The input file is too large."""

    code = "InvalidFile.Size"


class InvalidFileResolution(InvalidFile):
    """The resolution of the input file is invalid."""

    code = "InvalidFile.Resolution"


class InvalidFileAspectRatio(InvalidFile):
    """The aspect ratio of the input file is invalid."""

    code = "InvalidFile.AspectRatio"


class InvalidFileFPS(InvalidFile):
    """The frame rate of the input file is invalid."""

    code = "InvalidFile.FPS"


class Unauthorised(FerrotypeError):
    """Invalid API-key provided."""

    code = "InvalidApiKey"


class WorkspaceNotAuthorised(Unauthorised):
    """Access denied: Either you are not authorized to access this workspace, or it
    does not exist.
    """

    code = "NOT AUTHORIZED"


class Denied(FerrotypeError):
    """Access denied."""

    code = "AccessDenied"


class Missing(FerrotypeError):
    """Not found!"""

    code = "NotFound"


class ModelNotFound(Missing):
    """Model can not be found."""

    code = "ModelNotFound"


class Conflict(FerrotypeError):
    """Failed to cancel the task, please confirm if the task is in PENDING status."""

    code = "UnsupportedOperation"


class Busy(FerrotypeError):
    """Requests throttling triggered."""

    code = "Throttling"


class RateQuotaExceeded(Busy):
    """Requests rate limit exceeded, please try again later."""

    code = "Throttling.RateQuota"


class AllocationQuotaExceeded(Busy):
    """Allocated quota exceeded, please increase your quota limit."""

    code = "Throttling.AllocationQuota"


class Unavailable(Busy):
    """Model is unavailable, please try again later."""

    code = "ModelUnavailable"


class Broken(FerrotypeError):
    """An internal error has occured, please try again later or contact service support."""


class AlgorithmFailed(Broken):
    """inference internal error."""

    code = "InternalError.Algo"


class UploadFailed(Broken):
    """Failed to upload result."""

    code = "InternalError.Upload"


class TimedOut(Broken):
    """An internal timeout error has occured during execution, please try again later or
    contact service support.
    """

    code = "InternalError.Timeout"


class Occupied(Broken):
    """Other processes still use what this one needs for itself."""

    code = "InternalError.Occupied"

"""What a task's answers hold and how requests fail: the part of the reference that is the same for
every model of a dialect.
"""

from ferrotype import errors
from ferrotype.errors import FerrotypeError, default_message

_TASK = (
    (
        "task_id, task_status",
        "always",
        "`UNKNOWN` (no such task, not yours, or expired) has nothing else",
    ),
    ("submit_time", "all", "`YYYY-MM-DD HH:mm:ss.SSS`, UTC+8, no zone mark; so all times"),
    (
        "scheduled_time",
        "from RUNNING on",
        "when work first began; a task canceled before that has none",
    ),
    ("end_time", "SUCCEEDED, FAILED, CANCELED", "when the task ended"),
)
_END = (
    ("code, message", "FAILED", "why"),
    (
        "usage (beside `output`)",
        "SUCCEEDED",
        "what was made; only files without an error count",
    ),
)

ANSWERS = {
    "results": (
        *_TASK,
        (
            "results[].url",
            "SUCCEEDED",
            "the picture, for 24 hours from `end_time`; the same in every poll",
        ),
        (
            "results[].orig_prompt",
            "SUCCEEDED",
            "the prompt, as far as the model's limit; not for every model (above)",
        ),
        ("results[].actual_prompt", "SUCCEEDED", "the prompt used; only if `prompt_extend` was on"),
        (
            "results[].code, .message",
            "SUCCEEDED",
            "instead of `url`, for a picture that failed while others worked",
        ),
        (
            "task_metrics",
            "PENDING, RUNNING, SUCCEEDED, FAILED",
            "`{TOTAL, SUCCEEDED, FAILED}`; zeros until the end; not for every model",
        ),
        *_END,
    ),
    "choices": (
        *_TASK,
        (
            "choices[].message.content[].image",
            "SUCCEEDED",
            "the picture, one a choice, for 24 hours from `end_time`; the same in every poll",
        ),
        (
            "choices[].message.content[].text",
            "SUCCEEDED",
            "words between pictures (`enable_interleave`: all in one choice)",
        ),
        (
            "choices[].finish_reason",
            "SUCCEEDED",
            "`stop`; `error` for a picture that failed while others worked: its content is one "
            "text, code and message",
        ),
        *_END,
        (
            "a call that waits",
            "at once",
            "holds only `choices`, what the model adds to them (above), and `usage`",
        ),
    ),
    "video": (
        *_TASK,
        (
            "video_url",
            "SUCCEEDED",
            "the film, for 24 hours from `end_time`; the same in every poll",
        ),
        ("orig_prompt", "SUCCEEDED", "the prompt, as far as the model's limit"),
        (
            "actual_prompt",
            "SUCCEEDED",
            "the prompt used; only if `prompt_extend` was on; not for every model (above)",
        ),
        *_END,
    ),
}

CREATE_ERRORS: tuple[tuple[int, type[FerrotypeError], str | None, str], ...] = (
    (401, errors.Unauthorised, "No API-key provided.", "no `Authorization`"),
    (401, errors.Unauthorised, None, "a wrong key"),
    (
        403,
        errors.Denied,
        "current user api does not support synchronous calls",
        "no `X-DashScope-Async: enable`, on a model that needs it",
    ),
    (
        403,
        errors.Denied,
        "current user api does not support asynchronous calls",
        "that header, on a model that answers at once",
    ),
    (400, errors.IllegalInput, None, "the body is no JSON object"),
    (400, errors.EmptyModel, None, "no `model`"),
    (400, errors.InvalidParameter, "Model not exist.", "an unknown model"),
    (
        400,
        errors.InvalidParameter,
        "The model is not served here.",
        "a model that is known by name only",
    ),
    (
        400,
        errors.InvalidParameter,
        "url error, please check url！ ...",
        "a model on another model's path",
    ),
    (400, errors.EmptyInput, None, "no `input`"),
    (
        400,
        errors.InvalidParameter,
        "Field required: input.prompt",
        "a required field is absent, null or empty",
    ),
    (400, errors.InvalidParameter, "The size is not match the allowed size [...]", "`size`"),
    (
        400,
        errors.InvalidParameter,
        "num_images_per_prompt must be 1",
        "`n`, where only 1 is allowed",
    ),
    (400, errors.InvalidParameter, "The style is invalid.", "`style`"),
    (400, errors.InvalidParameter, "No messages found in input", "no `messages`, or none in it"),
    (400, errors.InvalidParameter, "messages length only support 1", "several messages"),
    (
        400,
        errors.InvalidParameter,
        "content length only support 2",
        "a message of more parts than the model takes; the number is the model's",
    ),
    (400, errors.InvalidParameter, "lack of image or text", "a message without what it must have"),
    (
        400,
        errors.InvalidParameter,
        "the parameters must conform to the specification: "
        "parameters.n must be an integer from 1 to 4",
        "any other field of a wrong type or out of range",
    ),
    (
        400,
        errors.InvalidURL,
        "The provided URL is not valid: ...",
        "a URL of another scheme, or with characters outside ASCII",
    ),
    (
        429,
        errors.AllocationQuotaExceeded,
        None,
        "the account, or the deployment, has too many tasks that have not ended",
    ),
    (429, errors.RateQuotaExceeded, None, "too many callers wait for their answer at once"),
    (429, errors.Busy, None, "too many large bodies are on their way at once"),
    (
        503,
        errors.Unavailable,
        None,
        "no engine is set up for the model, the disk is nearly full, or nothing can be written now",
    ),
)

TASK_ERRORS: tuple[tuple[type[FerrotypeError], str], ...] = (
    (errors.InputDownloadFailed, "an input file could not be fetched"),
    (errors.InvalidImageFormat, "an input file is not of a format that the model takes"),
    (errors.InvalidImageResolution, "an input picture is too small or too large"),
    (errors.InvalidFile, "an input sound or film cannot be opened"),
    (errors.InvalidFileFormat, "an input sound or film is not of a format that the model takes"),
    (errors.InvalidFileDuration, "an input sound or film is too short or too long"),
    (errors.InvalidFileSize, "an input file has too many bytes"),
    (errors.InvalidFileResolution, "an input film is too small or too large"),
    (errors.InvalidFileAspectRatio, "an input file is too narrow or too wide"),
    (errors.InvalidFileFPS, "an input film has too few or too many pictures a second"),
    (errors.DataInspectionFailed, "an engine will not make this"),
    (errors.AlgorithmFailed, "an engine failed"),
    (errors.UploadFailed, "a result could not be stored"),
    (errors.TimedOut, "a task ran for too long"),
    (errors.Unavailable, "no worker served the model for too long"),
)


def create_errors() -> list[tuple[str, ...]]:
    """Return the rows status, code, message, when: how a create request fails."""
    return [
        (str(status), f"`{kind.code}`", message or default_message(kind), when)
        for status, kind, message, when in CREATE_ERRORS
    ]


def task_errors() -> list[tuple[str, ...]]:
    """Return the rows code, message, when: how a task fails."""
    return [(f"`{kind.code}`", default_message(kind), when) for kind, when in TASK_ERRORS]

"""What Dagster does with an error: try again, fail with words for people, or fail at once.

Belongs here: the judgement. Does not belong here: any error of our own (`errors`).
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from telco_pipeline.errors import TelcoError

TRANSIENT = frozenset(
    {errno.EINTR, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.ENETUNREACH}
)
Context = dg.AssetExecutionContext | dg.OpExecutionContext
MAX_RETRIES = 3
FIRST_WAIT_SECONDS = 2.0


def is_transient(error: BaseException) -> bool:
    """Whether the same step may well succeed a little later: a busy disk, a lost connection.

    The lake tells errors of the disk as `TelcoError`s; what counts is the error behind them.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionError | TimeoutError):
            return True
        if isinstance(cause, OSError) and cause.errno in TRANSIENT:
            return True
        cause = cause.__cause__
    return False


def wait_before(retry_number: int) -> float:
    """Return the seconds to wait before a retry: 2, 4, 8."""
    return FIRST_WAIT_SECONDS * 2**retry_number


@contextmanager
def judged(context: Context, dataset: str, *, retries: bool = True) -> Iterator[None]:
    """Turn an error of the block into what Dagster shall do about it.

    A transient fault is retried with growing waits, which is safe because a partition appears
    whole or not at all. A `TelcoError` says what to do and would fail again the same way. Anything
    else is a bug and fails at once with its traceback.

    Args:
        context: The step's.
        dataset: What it makes.
        retries: Whether doing all of it once more does no harm.
    """
    try:
        yield
    except (TelcoError, OSError) as error:
        if retries and is_transient(error):
            raise _again(context, dataset, error) from error
        if isinstance(error, TelcoError) or not retries:
            raise _failure(dataset, error) from error
        raise


def _again(context: Context, dataset: str, error: Exception) -> dg.RetryRequested:
    wait = wait_before(context.retry_number)
    context.log.warning(f"{dataset}: {error}; trying again in {wait:g} s")
    return dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=wait)


def _failure(dataset: str, error: Exception) -> dg.Failure:
    metadata = {
        "dataset": dg.MetadataValue.text(dataset),
        "recover": dg.MetadataValue.text(
            f"Mend what the message says, then materialise `{dataset}` and what hangs on it again."
        ),
    }
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)

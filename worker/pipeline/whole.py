"""The active model's files must be those that were published: nothing replaces a damaged model by itself."""

from worker.errors import ErrorCode, JobError
from worker.job.job import ActiveModel
from worker.registry.verify import NotWhole, Unrecorded, active_not_whole, verify


def require_whole(active: ActiveModel) -> None:
    """Read every file of the active model. Raises JobError `output_incomplete` where one is lost or changed.

    A model without a record of its files is another program's: the daemon has looked whether it is.
    """
    try:
        verify(active.folder)
    except Unrecorded:
        return
    except NotWhole as error:
        raise JobError(ErrorCode.OUTPUT_INCOMPLETE, active_not_whole(active.version, error.fault)) from None

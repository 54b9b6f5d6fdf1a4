"""Whether the files of the active model are where the database says: if not, nothing may take its place."""

import os
from pathlib import Path

from worker.registry.models import Active
from worker.registry.verify import NotWhole, Unrecorded, active_not_whole, verify


class OutputIncomplete(Exception):
    """The active model is not whole in OUTPUT_PATH: `fault` says what is missing, the message also what to do."""

    def __init__(self, message: str, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


def require_live(models: Path, model: Active | None, *, contents: bool = False) -> None:
    """Raise OutputIncomplete unless the active model's folder is in `models`, with its files in their sizes and, with
    `contents`, unchanged.

    A model that another program published is not looked into, if it has any file; one that its row has elsewhere is not
    looked for.
    """
    if model is None or not model.is_in_output:
        return
    folder = models / model.version
    try:
        # An unmounted folder is missing, or empty.
        if not any(folder.iterdir()):
            raise FileNotFoundError(None, "there is no file in it")
        verify(folder, contents=contents)
    except Unrecorded as error:
        if model.is_ours:
            raise _incomplete(model, error.fault) from None
    except FileNotFoundError:
        raise _incomplete(model, f"{folder} is missing or empty.") from None
    except OSError as error:
        raise _incomplete(model, f"{folder} cannot be read: {error.strerror}.") from None
    except NotWhole as error:
        raise _incomplete(model, error.fault) from None


def require_output(models: Path, model: Active | None, *, known: bool, contents: bool) -> None:
    """As `require_live`; also creates `models`, unless the database knows folders in it (`known`), and looks whether it
    can be written.

    Raises OutputIncomplete.
    """
    require_live(models, model, contents=contents)
    try:
        if not models.is_dir() and known:
            fault = f'OUTPUT_PATH {models} is no folder, and "ModelMetadata" has models in it.'
            raise OutputIncomplete(f"{fault} Mount it; to start anew, create an empty one.", fault)
        models.mkdir(parents=True, exist_ok=True)
        if not os.access(models, os.W_OK | os.X_OK):
            raise PermissionError(None, "it cannot be written")
    except OSError as error:
        fault = f"OUTPUT_PATH {models} cannot be used: {error.strerror}."
        raise OutputIncomplete(f"{fault} Mount it, or mend its permissions.", fault) from None


def _incomplete(model: Active, fault: str) -> OutputIncomplete:
    return OutputIncomplete(active_not_whole(model.version, fault), fault)

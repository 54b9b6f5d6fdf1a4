"""Whether the backend's storage can be reached at all: an unmounted folder is no shop without photos."""

import os
from pathlib import Path, PurePosixPath


def fault_of(storage: Path, common: PurePosixPath) -> str:
    """Why no photo can be found in `storage`, or "" where it can be listed and has something in it.

    `common` are the folders in it that all photos are in; a volume may be mounted at each of them as well.
    """
    for folder in (storage, *(storage / inner for inner in (*reversed(common.parents[:-1]), common))):
        try:
            with os.scandir(folder) as entries:
                if next(entries, None) is None:
                    return f"{folder} is empty"
        except FileNotFoundError:
            # A storage that has something else in it is there, and perhaps another one than the backend's.
            return f"there is no folder {folder}" if folder == storage else ""
        except OSError as error:
            return f"{folder} cannot be read ({error.strerror})"
    return ""

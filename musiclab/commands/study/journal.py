"""The journal of a search: Optuna's own, in which all that is known of the trials stands."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from musiclab.errors import UserError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"
LOCK = ".journal.lock"
PAUSE = 0.1
"""Seconds between two looks at a journal."""


def open_journal(folder: Path, name: str, mode: str) -> "Study":
    """Return Optuna's study in the journal of a folder, begun if there is none.

    Args:
        folder: Of the search; it is made.
        name: Of the search.
        mode: ``max`` or ``min``.

    Raises:
        UserError: If the journal is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / JOURNAL
    # Optuna's own locks are files that a killed process leaves behind, for which the next one waits, maybe for ever.
    lock: Any = FileLock(folder / LOCK)
    try:
        if _is_cut(journal):
            raise ValueError  # Optuna would add the next line to what is left of the last
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal), lock)),
            study_name=name,
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError):  # whatever damaged lines lead to
        raise UserError(
            f"{journal}: damaged, no journal of Optuna; put back a copy of it, or remove {folder} to search anew"
        ) from None


def _is_cut(journal: Path) -> bool:
    """Whether the last line of a journal has no end, also at a second look: another process may be writing it."""
    for _ in range(2):
        if not journal.exists() or journal.read_bytes()[-1:] in (b"", b"\n"):
            return False
        time.sleep(PAUSE)
    return True


def ended(study: "Study") -> list["FrozenTrial"]:
    """Return the trials that have ended with a value."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

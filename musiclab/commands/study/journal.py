"""The journal of a search: Optuna's own, in which all that is known of the trials stands."""

from pathlib import Path
from typing import TYPE_CHECKING

from musiclab.errors import UserError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

JOURNAL = "journal.log"


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
    try:
        if journal.exists() and journal.read_bytes()[-1:] not in (b"", b"\n"):
            raise ValueError  # a line that was cut, to which Optuna would add the next
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name=name,
            direction="maximize" if mode == "max" else "minimize",
            load_if_exists=True,
        )
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError):  # whatever damaged lines lead to
        raise UserError(
            f"{journal}: damaged, no journal of Optuna; put back a copy of it, or remove {folder} to search anew"
        ) from None


def ended(study: "Study") -> list["FrozenTrial"]:
    """Return the trials that have ended with a value."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

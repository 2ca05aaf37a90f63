"""Work on audio in several processes, which end with it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from musiclab.files import import_librosa

_Result = TypeVar("_Result")


def in_processes(
    function: Callable[..., _Result], calls: Iterable[tuple[Any, ...]], jobs: int | None = None
) -> Iterator[_Result]:
    """Return an iterator over what a function returns for each of the arguments, in their order.

    joblib would keep its processes for further work: 300 MB each, all through a training. These end with the last call.

    Args:
        function: What processes can be given: one of a module.
        calls: The arguments of each call.
        jobs: Number of processes; as many as there are cores if None.
    """
    import_librosa()  # before other processes do, and before a bar is drawn
    return _results(function, calls, jobs)


def _results(function: Callable[..., _Result], calls: Iterable[tuple[Any, ...]], jobs: int | None) -> Iterator[_Result]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    parallel = Parallel(n_jobs=jobs or -1, return_as="generator", backend="loky")
    try:
        yield from parallel(delayed(function)(*arguments) for arguments in calls)
    finally:
        if jobs != 1:
            get_reusable_executor().shutdown(wait=True)

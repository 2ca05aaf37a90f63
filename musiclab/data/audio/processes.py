"""Work on audio in several processes, which end with it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from musiclab.files import import_librosa

_Result = TypeVar("_Result")


def in_processes(
    function: Callable[..., _Result], calls: Iterable[tuple[Any, ...]], jobs: int | None = None
) -> Iterator[_Result]:
    """Yield what a function returns for each of the arguments, in their order.

    joblib would keep its processes for further work: 300 MB each, all through a training. These end with the last call.

    Args:
        function: What processes can be given: one of a module.
        calls: The arguments of each call.
        jobs: Number of processes; as many as there are cores if None.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    import_librosa()  # before other processes do
    parallel = Parallel(n_jobs=jobs or -1, return_as="generator", backend="loky")
    try:
        yield from parallel(delayed(function)(*arguments) for arguments in calls)
    finally:
        if jobs != 1:
            get_reusable_executor().shutdown(wait=True)

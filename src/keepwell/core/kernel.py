"""Functions that numba compiles, without loading numba before the first of them is called.

numba takes the better part of a second to load. Most processes of a desk, and most commands,
compute nothing with it, yet import modules that could.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import RLock
from types import CodeType
from typing import Any

_LOCK = RLock()


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compile a function by numba, without the interpreter's lock, and keep the code.

    Args:
        **options: of `numba.njit`, besides.
    """
    return lambda function: Kernel(function, options)


class Kernel:
    """A function that is compiled when it is first called.

    Args:
        function: what to compile; it may call other kernels by their names.
        options: of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__module__ = function.__module__
        self._function, self._options = function, options
        self._compiled: Any = None

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function."""
        return (self._compiled or self._compile())(*args)

    def _compile(self) -> Any:
        with _LOCK:
            if self._compiled is None:
                import numba

                # numba looks up what a function calls by its name, and knows its own kind only.
                names = self._function.__globals__
                for name in set(_names(self._function.__code__)):
                    if isinstance(names.get(name), Kernel):
                        names[name] = names[name]._compile()
                self._compiled = numba.njit(nogil=True, cache=True, **self._options)(self._function)
        return self._compiled


def _names(code: CodeType) -> Iterator[str]:
    """Names of a function and of those within it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part)

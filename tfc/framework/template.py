"""tf.make_template: a function that makes its variables at the first call and shares them later."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tfc.base.location import user_location
from tfc.framework.graph import GraphKeys, get_default_graph
from tfc.framework.variable_scope import VariableScope, variable_scope


class Template:
    """A function inside a variable scope of its own; from the second call on the scope reuses.

    An error that the function raises says where the template was made.
    """

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        create_scope_now: bool = False,
        unique_name: str | None = None,
        custom_getter: Callable[..., Any] | None = None,
    ):
        if name is None:
            raise ValueError("name cannot be None.")
        self._func, self._name, self._unique_name = func, name, unique_name
        self._custom_getter, self._location = custom_getter, user_location()
        self._scope: VariableScope | None = None
        self._called = False  # to its end, which makes the variables
        if create_scope_now:
            with self._new_scope(auxiliary_name_scope=False) as scope:
                self._scope = scope

    def _new_scope(self, **options: Any) -> variable_scope:
        return variable_scope(
            self._unique_name, default_name=self._name, custom_getter=self._custom_getter, **options
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._scope is not None:
                with variable_scope(self._scope, reuse=self._called):
                    return self._run(args, kwargs)
            with self._new_scope() as scope:
                self._scope = scope
                return self._run(args, kwargs)
        except Exception as error:
            text = error.args[0] if error.args else ""
            where = f"{text}\n\noriginally defined at:\n{self._location}"
            error.args = (where, *error.args[1:])
            raise

    def _run(self, args: Any, kwargs: Any) -> Any:
        """The function's result. ValueError: a later call than the first one made a variable that
        is trained."""
        graph = get_default_graph()
        before = len(graph.get_collection_ref(GraphKeys.TRAINABLE_VARIABLES))
        result = self._func(*args, **kwargs)
        fresh = graph.get_collection_ref(GraphKeys.TRAINABLE_VARIABLES)[before:]
        if self._called and fresh:
            raise ValueError(
                "Trainable variable created when calling a template after the first time, perhaps "
                f"you used tf.Variable when you meant tf.get_variable: {fresh}"
            )
        self._called = True
        return result

    @property
    def name(self) -> str:
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        return self._func

    @property
    def variable_scope(self) -> VariableScope | None:
        return self._scope

    var_scope = variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        """The scope's name with a slash at its end; None where it was not opened yet."""
        if self._scope is None:
            return None
        name = self._scope.name
        return name if not name or name.endswith("/") else f"{name}/"

    def _of(self, key: str) -> list[Any]:
        graph = get_default_graph()
        return graph.get_collection(key, self.variable_scope_name) if self._called else []

    @property
    def variables(self) -> list[Any]:
        """The global and the local ones."""
        return self.global_variables + self.local_variables

    @property
    def global_variables(self) -> list[Any]:
        return self._of(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        return self._of(GraphKeys.LOCAL_VARIABLES)

    @property
    def trainable_variables(self) -> list[Any]:
        return self._of(GraphKeys.TRAINABLE_VARIABLES)

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The global variables that are not trained."""
        trained = set(self.trainable_variables)
        return [v for v in self.global_variables if v not in trained]

    weights, trainable_weights = variables, trainable_variables
    non_trainable_weights = non_trainable_variables


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Callable[..., Any] | None = None,
    **kwargs: Any,
) -> Template:
    """`func_` with `kwargs` bound, such that all calls share the variables of the first one."""
    if kwargs:
        func_ = functools.partial(func_, **kwargs)
    return Template(name_, func_, create_scope_now_, unique_name_, custom_getter_)

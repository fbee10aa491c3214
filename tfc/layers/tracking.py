"""What a layer keeps a list of: variables, updates, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfc.base import nest
from tfc.framework.graph import (
    GraphKeys,
    Operation,
    add_to_collection,
    convert_to_tensor,
    name_scope,
)
from tfc.ops.array_ops import shape
from tfc.ops.cast_ops import cast


class Tracked:
    """The lists of a layer. A layer that is not trainable counts all variables as such, and has no
    updates."""

    trainable: bool
    stateful = False

    def __init__(self, activity_regularizer: Callable[..., Any] | None = None) -> None:
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        # (what, whether it depends on the inputs of a call)
        self._updates: list[tuple[Any, bool]] = []
        self._losses: list[tuple[Any, bool]] = []
        self._activity_regularizer = activity_regularizer

    def _keep(self, variable: Any, trained: bool) -> None:
        """Remember a variable, once."""
        kept = self._trainable_weights if trained else self._non_trainable_weights
        if not any(variable is v for v in kept):
            kept.append(variable)

    def _inner(self) -> list[Tracked]:
        """The layers that this one holds as attributes, or in lists there."""
        found: dict[int, Tracked] = {}
        for value in self.__dict__.values():
            for leaf in value if isinstance(value, list | tuple) else [value]:
                if isinstance(leaf, Tracked) and leaf is not self:
                    found[id(leaf)] = leaf
        return list(found.values())

    @property
    def trainable_weights(self) -> list[Any]:
        if not self.trainable:
            return []
        inner = [v for layer in self._inner() for v in layer.trainable_weights]
        return _once([*self._trainable_weights, *inner])

    @property
    def non_trainable_weights(self) -> list[Any]:
        inner = [v for layer in self._inner() for v in layer.non_trainable_weights]
        kept = [*self._non_trainable_weights, *inner]
        if not self.trainable:
            trained = [v for layer in self._inner() for v in layer.trainable_weights]
            kept = [*self._trainable_weights, *trained, *kept]
        return _once(kept)

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return self.non_trainable_weights

    @property
    def variables(self) -> list[Any]:
        return self.weights

    @property
    def activity_regularizer(self) -> Callable[..., Any] | None:
        """A function of the outputs, whose value is one of the losses."""
        return self._activity_regularizer

    @property
    def updates(self) -> list[Any]:
        """The ops that are to run with every training step."""
        if not self.trainable and not self.stateful:
            return []
        inner = [update for layer in self._inner() for update in layer.updates]
        return [*(update for update, _ in self._updates), *inner]

    @property
    def losses(self) -> list[Any]:
        """What is to be added to the loss."""
        inner = [loss for layer in self._inner() for loss in layer.losses]
        return [*(loss for loss, _ in self._losses), *inner]

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Remember ops that are to run with every training step.

        inputs: whether they depend on the inputs of a call; None if they do not.
        """
        listed = updates if isinstance(updates, list | tuple) else [updates]
        for update in listed:
            op = update if isinstance(update, Operation) else update.op
            self._updates.append((op, inputs is not None))

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Remember what is to be added to the loss; it goes to the collection of regularization
        losses too. A loss may be a function without arguments.

        inputs: whether it depends on the inputs of a call; None if it does not.
        """
        for loss in losses if isinstance(losses, list | tuple) else [losses]:
            value = loss() if callable(loss) else loss
            if value is not None:
                tensor = convert_to_tensor(value)
                self._losses.append((tensor, inputs is not None))
                add_to_collection(GraphKeys.REGULARIZATION_LOSSES, tensor)

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates that depend on `inputs`; for None, those that depend on no inputs."""
        return _depending(self._updates, inputs) if self.updates else []

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that depend on `inputs`; for None, those that depend on no inputs."""
        return _depending(self._losses, inputs)

    def _regularize_activity(self, inputs: Any, outputs: Any) -> None:
        if self._activity_regularizer is None:
            return
        with name_scope("ActivityRegularizer"):
            for output in nest.flatten(outputs):
                loss = self._activity_regularizer(output)
                self.add_loss(loss / cast(shape(output)[0], loss.dtype), inputs=inputs)


def _once(variables: list[Any]) -> list[Any]:
    return list({id(v): v for v in variables}.values())


def _depending(kept: list[tuple[Any, bool]], inputs: Any) -> list[Any]:
    if inputs is None:
        return [what for what, depends in kept if not depends]
    sources = {x.op for x in nest.flatten(inputs)}
    return [what for what, depends in kept if depends and _reached(what, sources)]


def _reached(what: Any, sources: set[Operation]) -> bool:
    """Whether `what` depends on an op of `sources`."""
    todo = [what if isinstance(what, Operation) else what.op]
    seen: set[Operation] = set()
    while todo:
        op = todo.pop()
        if op in sources:
            return True
        if op not in seen:
            seen.add(op)
            todo += [t.op for t in op.inputs]
            todo += op.control_inputs
    return False

"""Scaffold: the ops that a MonitoredSession needs besides the model, found or made."""

from __future__ import annotations

from typing import Any

from tfc.framework.graph import GraphKeys, get_collection, get_collection_ref, get_default_graph
from tfc.framework.variable_lists import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)
from tfc.ops.control_ops import group
from tfc.summary.summary import merge_all
from tfc.train.saver import Saver


class Scaffold:
    """What makes a session ready: ops that initialize, checks, a saver, merged summaries."""

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Any = None,
        copy_from_scaffold: Any = None,
        local_init_feed_dict: Any = None,
    ):
        """What is None is taken from `copy_from_scaffold`, or from the graph's collections, or
        made, by `finalize`. init_fn: called as `init_fn(scaffold, session)` after `init_op`."""
        old = copy_from_scaffold
        if old is not None and not isinstance(old, Scaffold):
            raise TypeError(f"copy_from_scaffold is not a Scaffold instance: {old}")

        def chosen(value: Any, name: str) -> Any:
            return value if value is not None or old is None else getattr(old, name)

        self._init_op = chosen(init_op, "init_op")
        self._init_feed_dict = chosen(init_feed_dict, "init_feed_dict")
        self._init_fn = chosen(init_fn, "init_fn")
        self._ready_op = chosen(ready_op, "ready_op")
        self._ready_for_local_init_op = chosen(ready_for_local_init_op, "ready_for_local_init_op")
        self._local_init_op = chosen(local_init_op, "local_init_op")
        self._local_init_feed_dict = chosen(local_init_feed_dict, "local_init_feed_dict")
        self._summary_op = chosen(summary_op, "summary_op")
        self._saver = chosen(saver, "saver")

    def finalize(self) -> Scaffold:
        """Make what is missing, and finalize the graph."""
        if self._init_op is None:
            default = lambda: group(global_variables_initializer())  # noqa: E731
            self._init_op = self.get_or_default("init_op", GraphKeys.INIT_OP, default)
        if self._ready_op is None:
            self._ready_op = self.get_or_default(
                "ready_op", GraphKeys.READY_OP, report_uninitialized_variables
            )
        if self._ready_for_local_init_op is None:
            self._ready_for_local_init_op = self.get_or_default(
                "ready_for_local_init_op",
                GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )
        if self._local_init_op is None:
            self._local_init_op = self.get_or_default(
                "local_init_op", GraphKeys.LOCAL_INIT_OP, self.default_local_init_op
            )
        if self._summary_op is None:
            self._summary_op = self.get_or_default("summary_op", GraphKeys.SUMMARY_OP, merge_all)
        if self._saver is None and global_variables():
            self._saver = self.get_or_default("saver", GraphKeys.SAVERS, Saver)
        get_default_graph().finalize()
        return self

    @staticmethod
    def get_or_default(arg_name: str, collection_key: str, default_constructor: Any) -> Any:
        """The one item of a collection, or a new one, which is put there.

        Raises:
          RuntimeError: the collection holds several.
        """
        found = get_collection(collection_key)
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item in the collection {collection_key!r}. Please indicate which "
                f"one to use by passing it to the tf.Scaffold constructor as: "
                f"tf.Scaffold({arg_name}=item to use)"
            )
        if found:
            return found[0]
        made = default_constructor()
        if made is not None:
            get_collection_ref(collection_key).append(made)
        return made

    @staticmethod
    def default_local_init_op() -> Any:
        """The Operation that initializes local variables."""
        return group(local_variables_initializer())

    @property
    def init_fn(self) -> Any:
        return self._init_fn

    @property
    def init_op(self) -> Any:
        return self._init_op

    @property
    def ready_op(self) -> Any:
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        return self._ready_for_local_init_op

    @property
    def local_init_op(self) -> Any:
        return self._local_init_op

    @property
    def local_init_feed_dict(self) -> Any:
        return self._local_init_feed_dict

    @property
    def summary_op(self) -> Any:
        return self._summary_op

    @property
    def saver(self) -> Any:
        return self._saver

    @property
    def init_feed_dict(self) -> Any:
        return self._init_feed_dict

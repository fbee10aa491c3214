"""Meta graphs as files: `PREFIX.meta` beside a checkpoint."""

from __future__ import annotations

import os
from typing import Any

from tfc.framework.graph import Graph
from tfc.io.files import write_whole
from tfc.io.meta_graph import (
    from_meta_graph,
    meta_graph_text,
    read_meta_graph,
    to_meta_graph,
)
from tfc.train.saver import Saver

_KNOWN = ("input_map", "restore_collections_predicate")


def export_meta_graph(
    filename: str | os.PathLike[str] | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Any = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """The MetaGraphDef of a graph (the default one), which is also written to `filename`.

    graph_def: nodes to take instead of the graph's own. collection_list: names of the collections
    to take, all if None; what a message cannot hold is left out, which is logged. export_scope:
    only the ops of this name scope. strip_default_attrs: leave out attributes that are as the
    definition of the op has them. clear_extraneous_savers and save_debug_info change nothing:
    Savers have no ops here, and lines of programs are not stored.

    Raises:
      TypeError: graph_def is no GraphDef, or other keywords.
      ValueError: ops of export_scope take tensors from outside. OSError: no file can be written.
    """
    if kwargs:
        raise TypeError(f"export_meta_graph() got unexpected arguments: {sorted(kwargs)}")
    meta = to_meta_graph(
        graph, graph_def, saver_def, meta_info_def, collection_list, export_scope, clear_devices,
        strip_default_attrs,
    )  # fmt: skip
    if filename is not None:
        path = os.fspath(filename)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        write_whole(path, meta_graph_text(meta) if as_text else meta.SerializeToString())
    return meta


def import_meta_graph(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    import_scope: str | None = None,
    **kwargs: Any,
) -> Saver | None:
    """Add a meta graph, given as a message or as a file, to the default graph.

    import_scope: the name scope that its ops are put in. kwargs: input_map as for
    `import_graph_def`; restore_collections_predicate, which is called with the name of each
    collection and says whether it is wanted.

    Returns: a Saver of its variables, with the options of the one that it was saved with; None if
    it has none.

    Raises:
      OSError: there is no such file. ValueError: it holds no meta graph, or one that
        `import_graph_def` refuses. TypeError: other keywords.
    """
    unknown = sorted(set(kwargs) - set(_KNOWN))
    if unknown:
        raise TypeError(f"import_meta_graph() got unexpected arguments: {unknown}")
    given = meta_graph_or_file
    meta = given if hasattr(given, "graph_def") else read_meta_graph(given)
    variables = from_meta_graph(
        meta, clear_devices, import_scope, kwargs.get("input_map"),
        kwargs.get("restore_collections_predicate"),
    )  # fmt: skip
    saved = {v.name: v for v in variables if v in v.graph.get_collection("variables")}
    if not saved:
        return None
    options: dict[str, Any] = {}
    if meta.HasField("saver_def"):
        options["max_to_keep"] = meta.saver_def.max_to_keep
        hours = meta.saver_def.keep_checkpoint_every_n_hours
        options["keep_checkpoint_every_n_hours"] = hours or 10000.0
    if import_scope:  # the file has the names that the variables had
        prefix = import_scope.rstrip("/") + "/"
        named = {v.op.name.removeprefix(prefix): v for v in saved.values()}
        return Saver(named, **options)
    return Saver(list(saved.values()), **options)

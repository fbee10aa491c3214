"""MetaGraphDef messages: a graph with its collections, out of a Graph and into one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tfc.base import logging
from tfc.framework.graph import Graph, GraphKeys, Operation, Tensor, get_default_graph
from tfc.framework.opdef import lookup
from tfc.framework.variables import Variable
from tfc.io.graphdef import graph_to_proto
from tfc.io.import_graph import import_graph_def
from tfc.io.protos import message
from tfc.version import GIT_VERSION, VERSION

OF_VARIABLES = (
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES, GraphKeys.TRAINABLE_VARIABLES,
    GraphKeys.MODEL_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES, GraphKeys.METRIC_VARIABLES,
    GraphKeys.CONCATENATED_VARIABLES, GraphKeys.GLOBAL_STEP, GraphKeys.WEIGHTS, GraphKeys.BIASES,
    GraphKeys.EVAL_STEP,
)  # fmt: skip


def variable_to_proto(variable: Variable, export_scope: str | None = None) -> Any:
    """The VariableDef of a variable, with names relative to `export_scope`; None if the variable
    is not in it."""
    names = {
        "variable_name": variable.name,
        "initializer_name": variable.initializer.name,
        "snapshot_name": variable._snapshot.name,
    }
    if variable._initial_value is not None:
        names["initial_value_name"] = variable._initial_value.name
    if export_scope:
        prefix = export_scope.rstrip("/") + "/"
        if not variable.name.startswith(prefix):
            return None
        names = {field: name.removeprefix(prefix) for field, name in names.items()}
    proto = message("VariableDef")(
        trainable=variable.trainable,
        synchronization=variable.synchronization.value,
        aggregation=variable.aggregation.value,
        **names,
    )
    info = variable._save_slice_info
    if info is not None:
        whole = info.full_name
        of_part = proto.save_slice_info_def
        of_part.full_name = whole.removeprefix(prefix) if export_scope else whole
        of_part.full_shape.extend(info.full_shape)
        of_part.var_offset.extend(info.var_offset)
        of_part.var_shape.extend(info.var_shape)
    return proto


def variable_from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
    """The Variable whose ops, which are in the default graph, a VariableDef names."""
    return Variable(variable_def=variable_def, import_scope=import_scope)


def _relative(name: str, prefix: str) -> str | None:
    """A name in an exported scope, None if it is outside; with `prefix` "" as it is."""
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def _add_collection(meta: Any, key: str, items: Iterable[Any], prefix: str) -> None:
    """Put what a collection holds into `meta`, or say in the log why not."""
    items = list(items)
    kinds = {
        "bytes_list": (str, bytes),
        "int64_list": (int,),
        "float_list": (float,),
        "node_list": (Operation, Tensor),
    }
    target = meta.collection_def[key]
    if items and all(isinstance(item, Variable) for item in items) and key in OF_VARIABLES:
        protos = [variable_to_proto(item, prefix or None) for item in items]
        target.bytes_list.value.extend(p.SerializeToString() for p in protos if p is not None)
        return
    for field, types in kinds.items():
        if all(isinstance(item, types) and not isinstance(item, bool) for item in items):
            values = items
            if field == "node_list":
                names = [_relative(item.name, prefix) for item in items]
                values = [name for name in names if name is not None]
            elif field == "bytes_list":
                values = [v.encode() if isinstance(v, str) else v for v in items]
            getattr(target, field).value.extend(values)
            return
    del meta.collection_def[key]
    logging.warning("the collection %r is not exported: it holds %s", key,
                    sorted({type(item).__name__ for item in items}))  # fmt: skip


def _of_scope(graph_def: Any, prefix: str) -> Any:
    """The nodes of one name scope, with names relative to it.

    Raises:
      ValueError: one of them has an input outside.
    """
    part = type(graph_def)()
    part.versions.CopyFrom(graph_def.versions)
    for node in graph_def.node:
        if not node.name.startswith(prefix):
            continue
        made = part.node.add()
        made.CopyFrom(node)
        made.name = node.name.removeprefix(prefix)
        del made.input[:]
        for text in node.input:
            hat = "^" if text.startswith("^") else ""
            bare = text.removeprefix("^")
            if bare.startswith(prefix):
                made.input.append(hat + bare.removeprefix(prefix))
            elif not hat:
                raise ValueError(f"node {node.name!r} takes {bare!r} from outside of {prefix!r}")
    return part


def _strip_defaults(graph_def: Any) -> None:
    """Take away the attributes that are as the definition of the op has them by default."""
    for node in graph_def.node:
        for name, attr in lookup(node.op).signature().attrs.items():
            if name not in node.attr:
                continue
            value = node.attr[name]
            kind = value.WhichOneof("value")
            found = getattr(value, kind) if kind in ("b", "i", "f", "s") else attr
            found = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
            if found is not attr and found == attr.default:
                del node.attr[name]


def to_meta_graph(
    graph: Graph | None = None,
    graph_def: Any = None,
    saver_def: Any = None,
    meta_info_def: Any = None,
    collection_list: Iterable[str] | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    strip_default_attrs: bool = False,
) -> Any:
    """The MetaGraphDef of a graph (the default one).

    Raises:
      TypeError: graph_def is no GraphDef. ValueError: a scope that takes tensors from outside.
    """
    graph = graph or get_default_graph()
    meta = message("MetaGraphDef")()
    if meta_info_def is not None:
        meta.meta_info_def.CopyFrom(meta_info_def)
    meta.meta_info_def.tensorflow_version = VERSION
    meta.meta_info_def.tensorflow_git_version = GIT_VERSION
    if graph_def is not None and not hasattr(graph_def, "node"):
        raise TypeError(f"graph_def must be of type GraphDef, not {type(graph_def)}")
    whole = graph_to_proto(graph) if graph_def is None else graph_def
    prefix = export_scope.rstrip("/") + "/" if export_scope else ""
    meta.graph_def.CopyFrom(_of_scope(whole, prefix) if prefix else whole)
    if clear_devices:
        for node in meta.graph_def.node:
            node.device = ""
    if strip_default_attrs:
        _strip_defaults(meta.graph_def)
        meta.meta_info_def.stripped_default_attrs = True
    if saver_def is not None:
        meta.saver_def.CopyFrom(saver_def)
    keys = graph.get_all_collection_keys() if collection_list is None else collection_list
    for key in keys:
        if not key.startswith("__") and key != GraphKeys.SAVERS:  # which are made anew
            _add_collection(meta, key, graph.get_collection(key), prefix)
    return meta


def from_meta_graph(
    meta: Any,
    clear_devices: bool = False,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
    restore: Callable[[str], bool] | None = None,
) -> list[Variable]:
    """Add a MetaGraphDef to the default graph: its nodes, in the scope `import_scope`, and its
    collections, those for which `restore(key)` holds. The variables made.

    Raises:
      ValueError: what `import_graph_def` raises, or a collection that names what is not there.
    """
    graph_def = message("GraphDef")()
    graph_def.CopyFrom(meta.graph_def)
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)
        if clear_devices:
            node.device = ""
    import_graph_def(graph_def, input_map=input_map, name=import_scope or "")
    graph = get_default_graph()
    made: dict[bytes, Variable] = {}
    for key in sorted(meta.collection_def):
        if restore is not None and not restore(key):
            continue
        found = meta.collection_def[key]
        kind = found.WhichOneof("kind")
        values = list(getattr(found, kind).value) if kind else []
        if kind == "bytes_list" and key in OF_VARIABLES:
            for data in values:
                if data not in made:
                    made[data] = _variable(data, import_scope)
                graph.add_to_collection(key, made[data])
            continue
        for value in values:
            graph.add_to_collection(key, _item(graph, kind, value, import_scope))
    return list(made.values())


def _variable(data: bytes, import_scope: str | None) -> Variable:
    from google.protobuf.message import DecodeError

    try:
        proto = message("VariableDef").FromString(data)
        return variable_from_proto(proto, import_scope)
    except (DecodeError, KeyError) as error:
        raise ValueError(f"a collection of variables names none: {error}") from None


def _item(graph: Graph, kind: str | None, value: Any, import_scope: str | None) -> Any:
    if kind == "node_list":
        try:
            return graph.as_graph_element(f"{import_scope}/{value}" if import_scope else value)
        except KeyError as error:
            raise ValueError(f"a collection names what is not in the graph: {error}") from None
    return int(value) if kind == "int64_list" else value


def meta_graph_text(meta: Any) -> bytes:
    """A message as protocol buffers print it."""
    from google.protobuf import text_format

    return text_format.MessageToString(meta).encode()


def read_meta_graph(filename: str | os.PathLike[str]) -> Any:
    """The MetaGraphDef in a file, as bytes or as text.

    Raises:
      OSError: there is no such file. ValueError: it holds no meta graph.
    """
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    path = os.fspath(filename)
    if not os.path.isfile(path):
        raise OSError(f"File {path} does not exist.")
    with open(path, "rb") as file:
        data = file.read()
    meta = message("MetaGraphDef")()
    try:
        meta.ParseFromString(data)
        return meta
    except DecodeError:
        pass
    try:
        return text_format.Parse(data, message("MetaGraphDef")())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"Cannot parse file {path}: {error}") from None

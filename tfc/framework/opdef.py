"""OpDef: the definition of one TensorFlow op, the registry, and how an op is applied.

A definition is a class that is never instantiated:

    class MatMul(OpDef, sig="MatMul(a: T, b: T, adjoint: bool = False) -> product: T", T=FLOATS):
        def shape(a, b, *, adjoint): ...         # TensorShapes -> list of shapes
        def grad(op, dy): ...                    # gradients of the inputs, or None each
        def lower(build, a, b, *, adjoint): ...  # Values -> Value or tuple of them
        def host(a, b, *, adjoint): ...          # arrays -> arrays, if there is no native form

Operands come by position, lists of them flat; attributes come by keyword, and a rule receives
those it names (all, if it takes `**attrs`). A rule with a parameter called `op` receives the
Operation there. Signatures are parsed on first use.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from tfc.base import dtypes, errors
from tfc.base.dtypes import DType
from tfc.base.location import user_location
from tfc.base.shapes import TensorShape, as_shape
from tfc.base.uninterrupted import Uninterrupted
from tfc.framework import arguments, signature
from tfc.framework.operation import Operation, Tensor
from tfc.framework.signature import Arg, Signature
from tfc.framework.stack import get_default_graph
from tfc.ir.core import Value

ANY = (*dtypes.NUMBERS, "i1", "str", "resource", "variant")

MOST_OUTPUTS = 1 << 20  # of an op
MOST_SHAPES = 64  # of its arrays that are known to fit

_REGISTRY: dict[str, type[OpDef]] = {}
_LATER: dict[str, str] = {}  # op -> module, of ops that are defined when they are asked for
_HOST_DTYPES = ("str", "resource", "variant")


class OpDef:
    """Base of all op definitions."""

    name: ClassVar[str] = ""
    stateful: ClassVar[bool] = False  # never merged or folded; two equal ops are two ops
    effects: ClassVar[bool] = False
    folds: ClassVar[bool] = False
    shape: ClassVar[Callable[..., Any] | None] = None
    grad: ClassVar[Callable[..., Any] | None] = None
    lower: ClassVar[Callable[..., Any] | None] = None
    shape_holds_when_run: ClassVar[bool] = True  # false: TensorFlow's kernel takes more shapes
    host: ClassVar[Callable[..., Any] | None] = None
    assigns: ClassVar[Callable[..., Any] | None] = None  # new content of a string variable
    # Of op, the content of a string variable (None: it has none) and the other inputs: the result,
    # and whether that is the new content.
    with_content: ClassVar[Callable[..., tuple[Any, bool]] | None] = None
    takes_session: ClassVar[bool] = False  # `host` takes a Call first: the objects of a Session
    takes_arrays: ClassVar[bool] = False  # `lower` takes TensorArrays that are no one value
    constant_strings: ClassVar[bool] = False  # constant string inputs are no operands of `lower`
    pads: ClassVar[tuple[int, int] | None] = None  # indices, values that may have rows for nothing
    takes_kept: ClassVar[bool] = False  # `lower` takes operands that iterations kept (`Kept`)
    _text: ClassVar[str] = ""
    _allowed: ClassVar[dict[str, tuple[str, ...]]] = {}
    _signature: ClassVar[Signature | None] = None

    def __init_subclass__(cls, sig: str, **allowed: Sequence[str]) -> None:
        name = sig.partition("(")[0].strip()
        known = _REGISTRY.get(name, cls)
        # What is defined again in its own module is of an import that Ctrl-C has ended.
        if known.__module__ != cls.__module__ or known.__qualname__ != cls.__qualname__:
            raise ValueError(f"op {name!r} is defined twice")
        cls.name, cls._text, cls._signature = name, sig, None
        cls._allowed = {k: tuple(v) for k, v in allowed.items()}
        if "effects" not in cls.__dict__:
            cls.effects = bool(cls.stateful)
        _REGISTRY[name] = cls

    @classmethod
    def signature(cls) -> Signature:
        found = cls.__dict__.get("_signature")
        if found is None:
            found = cls._signature = signature.parse(cls._text, cls._allowed)
        return found

    @classmethod
    def infer(cls, *types: Any, **attrs: Any) -> tuple[Any, ...]:
        raise NotImplementedError("types of TensorFlow ops are inferred by Graph.create_op")

    @classmethod
    def ref_inputs(cls, op: Operation) -> tuple[bool, ...]:
        """For each input of `op`, whether the definition takes it as a reference."""
        args = cls.signature().inputs
        if not any(arg.is_ref for arg in args):
            return (False,) * len(op.inputs)
        flags: list[bool] = []
        for arg in args:
            flags += [arg.is_ref] * arguments.length(arg, op._attrs)
        return tuple(flags)

    @classmethod
    def is_host(cls, op: Operation) -> bool:
        """Whether Python runs `op` on arrays: it has no native form, or none for its dtypes.

        References to string variables do not count: what only refers to them needs no content.
        """
        if cls.lower is None:
            return cls.host is not None
        if cls.assigns is not None:
            return op.inputs[0].dtype.base_dtype.short in _HOST_DTYPES
        pairs = zip(op.inputs, cls.ref_inputs(op), strict=True)
        taken = [t for t, is_ref in pairs if not is_ref and not cls.leaves_out(t)]
        made = [t for t in op.outputs if not t.dtype.is_ref_dtype]
        return any(t.dtype.base_dtype.short in _HOST_DTYPES for t in (*taken, *made))

    @classmethod
    def leaves_out(cls, tensor: Tensor) -> bool:
        """Whether `lower` reads this input off the graph instead of taking it as an operand."""
        is_text = tensor.dtype.short == "str" and tensor.op.type == "Const"
        return cls.constant_strings and is_text

    @classmethod
    def infer_shapes(cls, op: Operation) -> list[TensorShape]:
        """Shapes of the outputs of `op`. Raises ValueError on inputs of wrong shapes."""
        count = len(op.outputs)
        if cls.shape is None:
            return [TensorShape(None)] * count
        shapes = call_rule(cls.shape, op, [t.get_shape() for t in op.inputs])
        if len(shapes) != count:
            raise RuntimeError(
                f"the shape rule of {cls.name} gives {len(shapes)} shapes for {count} outputs"
            )
        return [as_shape(s) for s in shapes]

    @classmethod
    def run_lower(cls, build: Any, op: Operation, operands: Sequence[Any]) -> tuple[Any, ...]:
        """Results of the `lower` rule, one per output.

        Raises:
          ValueError: shapes that the graph did not know are wrong.
        """
        if cls.lower is None:
            raise errors.UnimplementedError(None, op, f"op {cls.name} has no native form")
        try:
            results = call_rule(cls.lower, op, operands, build)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError):
            cls._check_shapes(op, operands)  # says better what is wrong
            raise
        cls._check_shapes(op, operands)
        return _as_tuple(results, len(op.outputs))

    @classmethod
    def _check_shapes(cls, op: Operation, operands: Sequence[Any]) -> None:
        """Raises ValueError if the shape rule does, now that all shapes are known."""
        known = all(t.get_shape().is_fully_defined() for t in op.inputs)
        if cls.shape is not None and cls.shape_holds_when_run and not known:
            shapes = [_shape_now(t, x) for t, x in zip(op.inputs, operands, strict=True)]
            call_rule(cls.shape, op, shapes)

    @classmethod
    def run_host(cls, op: Operation, arrays: Sequence[Any], *call: Any) -> tuple[Any, ...]:
        """Results of the `host` rule, one per output. call: the Call, for one that takes it.

        Raises:
          InvalidArgumentError: shapes that the graph did not know are wrong.
        """
        if cls.host is None:
            raise errors.UnimplementedError(None, op, f"op {cls.name} has no host form")
        shapes = tuple([getattr(a, "shape", None) for a in arrays])
        if shapes in op._shapes_met:
            return _as_tuple(call_rule(cls.host, op, arrays, *call), len(op.outputs))
        checks = cls.shape is not None and cls.shape_holds_when_run and not cls.effects
        checks = checks and not all(t.get_shape().is_fully_defined() for t in op.inputs)
        try:
            results = call_rule(cls.host, op, arrays, *call)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError):
            if checks:
                cls._check_arrays(op, arrays)  # says better what is wrong
            raise
        if checks:
            cls._check_arrays(op, arrays)
        if len(op._shapes_met) < MOST_SHAPES:
            op._shapes_met |= {shapes}
        return _as_tuple(results, len(op.outputs))

    @classmethod
    def _check_arrays(cls, op: Operation, arrays: Sequence[Any]) -> None:
        """Raises InvalidArgumentError if the shape rule does, now that all shapes are known."""
        if not all(isinstance(a, np.ndarray | np.generic) for a in arrays):
            return
        try:
            call_rule(cls.shape, op, [TensorShape(a.shape) for a in arrays])  # type: ignore[arg-type]
        except ValueError as error:
            raise errors.InvalidArgumentError(None, op, str(error)) from error


def _shape_now(tensor: Tensor, operand: Any) -> TensorShape:
    """The shape of an operand of `lower`; what the graph knows where that is no one array."""
    return TensorShape(operand.type.shape) if isinstance(operand, Value) else tensor.get_shape()


def _as_tuple(results: Any, count: int) -> tuple[Any, ...]:
    if results is None:
        return ()
    if count == 1 and not isinstance(results, tuple | list):
        return (results,)
    return tuple(results)


# What each rule takes: names of keywords (None: any), and how it takes the Operation.
_takes: dict[Callable[..., Any], tuple[frozenset[str] | None, str]] = {}


def _rule_takes(rule: Callable[..., Any]) -> tuple[frozenset[str] | None, str]:
    found = _takes.get(rule)
    if found is None:
        keywords, wants_all, op = set(), False, ""
        try:
            parameters = inspect.signature(rule).parameters.values()
        except (TypeError, ValueError):  # built-in functions and numpy's take no attributes
            parameters = {}.values()
        for p in parameters:
            if p.name == "op":
                op = "keyword" if p.kind is p.KEYWORD_ONLY else "first"
            elif p.kind is p.VAR_KEYWORD:
                wants_all = True
            elif p.kind is p.KEYWORD_ONLY:
                keywords.add(p.name)
        # Any attribute may also be asked for by an ordinary parameter that has a default.
        keywords |= {
            p.name
            for p in parameters
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty
        }
        found = _takes[rule] = (None if wants_all else frozenset(keywords), op)
    return found


def call_rule(rule: Callable[..., Any], op: Operation, operands: Sequence[Any], *first: Any) -> Any:
    """`rule(*first, *operands, **attributes of op that it names)`."""
    keywords, takes_op = _rule_takes(rule)
    attrs = op._attrs
    if keywords is None:
        given = {k: v for k, v in attrs.items() if not k.startswith("_")}
    else:
        given = {k: attrs[k] for k in keywords if k in attrs}
    if takes_op == "keyword":
        given["op"] = op
    elif takes_op == "first":
        return rule(*first, op, *operands, **given)
    return rule(*first, *operands, **given)


def lookup(name: str) -> type[OpDef]:
    """The definition called `name`. Raises ValueError if there is none."""
    defn = _REGISTRY.get(name) or find(name)
    if defn is None:
        raise ValueError(f"Op type not registered '{name}'")
    return defn


def find(name: str) -> type[OpDef] | None:
    """The definition called `name`, None if there is none. Loads the module that has it."""
    if name not in _REGISTRY and name in _LATER:
        with Uninterrupted(None):  # or other threads that load it might wait for ever
            import_module(_LATER[name])
    return _REGISTRY.get(name)


def load_later(modules: Mapping[str, str]) -> None:
    """Say which modules define ops that are not defined yet: names of modules, by op."""
    _LATER.update(modules)


def all_opdefs() -> dict[str, type[OpDef]]:
    """Every definition by name."""
    for module in set(_LATER.values()):
        import_module(module)
    return dict(_REGISTRY)


def complete_attrs(
    defn: type[OpDef], inputs: Sequence[Tensor], attrs: dict[str, Any]
) -> dict[str, Any]:
    """`attrs` checked and normalised, with what the inputs imply and with defaults.

    Raises:
      TypeError, ValueError: an attribute is of another kind, missing, or not allowed.
    """
    sig = defn.signature()
    given = {k: v for k, v in attrs.items() if k.startswith("_")}
    implied = arguments.attrs_of_inputs(sig, inputs, attrs)
    for name, attr in sig.attrs.items():
        value = implied.get(name, signature.REQUIRED)
        if value is signature.REQUIRED:
            value = attrs.get(name, attr.default)
        if value is signature.REQUIRED:
            raise TypeError(f"No argument for attr {name} of op {sig.name}")
        given[name] = arguments.normal_attr(sig, attr, value)
    for name in attrs:
        if name not in given:
            raise TypeError(f"{sig.name}() got unexpected keyword arguments: {name}")
    return given


def output_types(defn: type[OpDef], attrs: dict[str, Any]) -> list[DType]:
    """Dtypes of the outputs, from complete attributes."""
    types: list[DType] = []
    for arg in defn.signature().outputs:
        types += _types_of(arg, attrs)
    return types


def _types_of(arg: Arg, attrs: dict[str, Any]) -> list[DType]:
    if arg.list_attr is not None:
        return list(attrs[arg.list_attr])
    dtype: Any = arg.dtype if arg.type_attr is None else attrs[arg.type_attr]
    if arg.is_ref:
        dtype = dtype._as_ref
    count = 1 if arg.number_attr is None else attrs[arg.number_attr]
    if count > MOST_OUTPUTS:
        raise ValueError(
            f"{arg.number_attr} = {count}, but an op has at most {MOST_OUTPUTS} outputs"
        )
    return [dtype] * count


def apply_op(op_name: str, *args: Any, name: str | None = None, **attrs: Any) -> Operation:
    """Add an op to the graph: inputs and attributes as in the signature, by position or keyword.

    Raises:
      TypeError, ValueError: in TensorFlow's words, where the arguments do not fit.
    """
    defn = lookup(op_name)
    sig = defn.signature()
    try:
        values, name = arguments.bind(sig, args, attrs, name)
        graph = arguments.graph_of(sig, values) or get_default_graph()
    except (TypeError, ValueError) as error:
        raise located(error) from None
    with graph.as_default(), graph.name_scope(name or op_name) as scope:
        try:
            inputs = arguments.convert_inputs(sig, values)
            lengths = arguments.list_attrs(sig, values, inputs)
        except (TypeError, ValueError) as error:
            raise located(error) from None
        given = {k: v for k, v in values.items() if k not in sig.by_name} | lengths
        with ExitStack() as colocated:
            for reference in _references(sig, inputs):
                colocated.enter_context(graph.colocate_with(reference.op))
            operation: Operation = graph.create_op(op_name, inputs, attrs=given, name=scope)
    return operation


def _references(sig: Signature, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs that the op takes as references: it lives where their variables do."""
    found = []
    for arg, tensor in zip(sig.inputs, inputs, strict=False):
        if arg.is_list:
            break  # no op takes a reference after a list
        if arg.is_ref:
            found.append(tensor)
    return found


def located(error: Exception) -> Exception:
    """`error` with the user's line at its end, if it is one of Python's own and lacks it."""
    at = f" ({user_location()})"
    if type(error) not in (TypeError, ValueError) or str(error).endswith(at):
        return error
    return type(error)(f"{error}{at}")


def apply(op_name: str, *args: Any, name: str | None = None, **attrs: Any) -> Any:
    """Like `apply_op`, giving what the Python function gives: the one output, a list for an output
    that is a list, a named tuple for several outputs, the Operation where there is none."""
    return outputs_of(apply_op(op_name, *args, name=name, **attrs))


def outputs_of(op: Operation) -> Any:
    """The outputs of `op` as its Python function returns them."""
    args = op.defn.signature().outputs
    if not args:
        return op
    groups, at = [], 0
    for arg in args:
        count = arguments.length(arg, op._attrs)
        part = op.outputs[at : at + count]
        groups.append(list(part) if arg.is_list else part[0])
        at += count
    return groups[0] if len(groups) == 1 else _tuple_type(op.type)(*groups)


@functools.cache
def _tuple_type(op_type: str) -> Any:
    """The named tuple of the outputs of an op that has several: `top_k(x).indices`."""
    names = [arg.name for arg in lookup(op_type).signature().outputs]
    return namedtuple(op_type, names, rename=True)  # type: ignore[misc]  # not a fixed name


def make_function(op_name: str, doc: str, python_name: str | None = None) -> Callable[..., Any]:
    """The public function of an op: parameters as in the signature, then `name`."""

    def function(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
        return apply(op_name, *args, name=name, **kwargs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    sig = lookup(op_name).signature()
    defaults = {name: attr.default for name, attr in sig.attrs.items()}
    taken = [(p, defaults.get(p, signature.REQUIRED)) for p in sig.params] + [("name", None)]
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(p, kind, default=inspect.Parameter.empty)
            if default is signature.REQUIRED
            else inspect.Parameter(p, kind, default=default)
            for p, default in taken
        ]
    )
    function.__name__ = function.__qualname__ = python_name or public_name(op_name)
    function.__doc__ = doc
    return function


def public_name(op_name: str) -> str:
    """How Python names the function of most ops: `is_nan` for `IsNan`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", op_name).lower()

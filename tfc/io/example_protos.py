"""The messages Example, Feature and their parts, made on first use from a description of their
fields. They are wire-compatible with TensorFlow's."""

from __future__ import annotations

import functools
from typing import Any

PACKAGE = "tfc"
# message -> field -> (number, kind, label); a message's name as kind is that message. "map": from
# strings to it.
_FIELDS: dict[str, dict[str, tuple[int, str, str]]] = {
    "BytesList": {"value": (1, "bytes", "repeated")},
    "FloatList": {"value": (1, "float", "packed")},
    "Int64List": {"value": (1, "int64", "packed")},
    "Feature": {
        "bytes_list": (1, "BytesList", "kind"),
        "float_list": (2, "FloatList", "kind"),
        "int64_list": (3, "Int64List", "kind"),
    },
    "Features": {"feature": (1, "Feature", "map")},
    "Example": {"features": (1, "Features", "")},
    "FeatureList": {"feature": (1, "Feature", "repeated")},
    "FeatureLists": {"feature_list": (1, "FeatureList", "map")},
    "SequenceExample": {
        "context": (1, "Features", ""),
        "feature_lists": (2, "FeatureLists", ""),
    },
}
MESSAGES = tuple(_FIELDS)


@functools.cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = {"bytes": 12, "float": 2, "int64": 3, "string": 9}
    file = descriptor_pb2.FileDescriptorProto(
        name="tfc/example.proto", package=PACKAGE, syntax="proto3"
    )

    def add(message: Any, name: str, number: int, kind: str, repeated: bool) -> Any:
        field = message.field.add(name=name, number=number, label=3 if repeated else 1)
        field.type = kinds.get(kind, 11)
        if field.type == 11:
            field.type_name = f".{PACKAGE}.{kind}"
        return field

    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, label) in fields.items():
            if label == "map":
                entry = "".join(part.capitalize() for part in field_name.split("_")) + "Entry"
                nested = message.nested_type.add(name=entry)
                nested.options.map_entry = True
                add(nested, "key", 1, "string", False)
                add(nested, "value", 2, kind, False)
                add(message, field_name, number, f"{name}.{entry}", True)
                continue
            field = add(message, field_name, number, kind, label in ("repeated", "packed"))
            if label == "packed":
                field.options.packed = True
            elif label == "kind":
                if not message.oneof_decl:
                    message.oneof_decl.add(name="kind")
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _FIELDS
    }


def message(name: str) -> Any:
    """The class of the message called `name`, one of MESSAGES."""
    return _classes()[name]

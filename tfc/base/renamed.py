"""What TensorFlow 1.0 renamed, for the errors of programs that are older."""

from __future__ import annotations

_NEW = {
    "tf": {
        "audio_summary": "summary.audio", "batch_matmul": "matmul", "complex_abs": "abs",
        "concat_v2": "concat", "histogram_summary": "summary.histogram",
        "image_summary": "summary.image", "merge_all_summaries": "summary.merge_all",
        "merge_summary": "summary.merge", "mul": "multiply", "neg": "negative", "pack": "stack",
        "scalar_summary": "summary.scalar", "select": "where", "sub": "subtract",
        "unpack": "unstack",
    },
    "tf.train": {"SummaryWriter": "tf.summary.FileWriter"},
}  # fmt: skip


def no_attribute(module: str, name: str) -> AttributeError:
    """The error of a module that has no `name`, with the name that it has now."""
    message = f"module {module!r} has no attribute {name!r}"
    shown = module.replace("tfc", "tf", 1)
    new = _NEW.get(shown, {}).get(name)
    if new is not None:
        new = new if new.startswith("tf.") else f"{shown}.{new}"
        message += f"; TensorFlow 1.0 renamed it to {new}"
    return AttributeError(message)

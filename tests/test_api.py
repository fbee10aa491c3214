"""`tfc api`: the comparison with the recorded API of TensorFlow 1."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tfc.tools import api
from tfc.tools.cli import main

RECORDED = Path(__file__).resolve().parent.parent.parent / "shared" / "api"

# What differs from the recorded signature, and why.
REASONS = {
    "tf.DType": "made by TensorFlow alone; programs use the dtypes that there are",
    "tf.dtypes.DType": "as tf.DType",
    "tf.RaggedTensor": "made by its class methods",
    "tf.UnconnectedGradients": "an enumeration in the recorded version, constants in 1.15",
    "tf.VariableAggregation": "as tf.UnconnectedGradients",
    "tf.VariableSynchronization": "as tf.UnconnectedGradients",
    "tf.shape": "1.15 has out_type=tf.int32 where the recording has None",
    "tf.size": "as tf.shape",
    "tf.linalg.LinearOperator": "1.15 has no parameters",
    "tf.linspace": "1.15 has no axis",
    "tf.lin_space": "as tf.linspace",
    "tf.numpy_function": "1.15 has no stateful",
    "tf.OpError": "the recorded version adds payloads",
    "tf.errors.OpError": "as tf.OpError",
    "tf.convert_to_tensor": "as_ref, which registered conversions take, comes before dtype_hint",
    "tf.convert_to_tensor_or_indexed_slices": "as tf.convert_to_tensor",
    "tf.custom_gradient": "1.15 has no default",
    "tf.nn.softmax_cross_entropy_with_logits_v2": "1.15 starts with _sentinel and has defaults",
    "tf.data.FixedLengthRecordDataset": "1.15 has no name",
    "tf.data.TFRecordDataset": "as tf.data.FixedLengthRecordDataset",
    "tf.data.TextLineDataset": "as tf.data.FixedLengthRecordDataset",
    "tf.data.experimental.CsvDataset": "1.15 has no exclude_cols",
    "tf.data.experimental.RandomDataset": "1.15 has a seed alone",
    "tf.data.experimental.parse_example_dataset": "1.15 has no deterministic",
    "tf.train.update_checkpoint_state": "save_relative_paths, which Saver passes, comes last",
}


def tfc(*argv: str) -> tuple[int, str]:
    out = io.StringIO()
    return main(["api", *argv], out), out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    recorded = {
        "tf.add": {"kind": "function", "sig": "(x: Annotated[Any, ~T], y, name=None) -> Any"},
        "tf.identity": {"kind": "function", "sig": "(input, extra=3, name=None)"},
        "tf.nn.nothing": {"kind": "function", "sig": "(x)"},
        "tf.Session": {
            "kind": "class",
            "init": "(self, target='', graph=None, config=None)",
            "members": {"run": "(self)", "no_such": "(self)", "__init__": "(self)"},
        },
        "tf.float32": {"kind": "value", "repr": "tf.float32"},
    }
    (tmp_path / "tf1_api.json").write_text(json.dumps(recorded))
    (tmp_path / "frequency.csv").write_text(
        "symbol,programs,repos,kind,in_tf1_15,in_tf2_21_compat_v1\n"
        "tf.add,7,1,function,1,1\ntf.nn.nothing,2,1,function,1,1\ntf.contrib.x,3,1,function,,\n"
        "<tensor>.eval,9,9,method,,\n"
    )
    return str(tmp_path)


def test_states_and_totals(folder):
    status, text = tfc("--api", folder)
    assert status == 0
    lines = text.splitlines()
    assert lines[0].split() == ["same", "7", "tf.add"]
    assert any(line.split()[:3] == ["missing", "3", "tf.contrib.x"] for line in lines)
    assert any(line.endswith("lacks no_such") for line in lines)
    assert any("TensorFlow: (input, extra=3, name=None)" in line for line in lines)
    assert any("here:       (input, name=None)" in line for line in lines)
    assert lines[-1].split()[:3] == ["all", "6", "names"]
    whole = json.loads(tfc("--api", folder, "--json")[1])
    assert whole["totals"]["same"] == {"names": 3, "uses": 7}
    assert whole["totals"]["missing"] == {"names": 2, "uses": 5}


def test_families(folder):
    assert "tf.add" not in tfc("nn", "--api", folder)[1]
    names = [line.split()[2] for line in tfc("--missing", "--api", folder)[1].splitlines()[:2]]
    assert names == ["tf.contrib.x", "tf.nn.nothing"]
    assert "tf.add" in tfc("ad*", "--api", folder)[1]


def test_without_a_recording(tmp_path, capsys):
    assert tfc("--api", str(tmp_path))[0] == 2
    assert "name the folder of tf1_api.json" in capsys.readouterr().err
    (tmp_path / "tf1_api.json").write_text("{")
    assert tfc("--api", str(tmp_path))[0] == 2
    assert "no recorded API" in capsys.readouterr().err


def test_no_such_family(folder, capsys):
    assert tfc("nowhere", "--api", folder)[0] == 2
    assert "nowhere" in capsys.readouterr().err


def test_parsing_signatures():
    found = api.parse("(a: Annotated[Any, ~T], *b, c='x,=', d=<E.A: 1>, e=[1, 2], **f) -> x(y)")
    assert found == [
        ("a", None), ("*b", None), ("c", "'x,='"), ("d", "<E.A: 1>"), ("e", "[1, 2]"),
        ("**f", None),
    ]  # fmt: skip


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded API beside the checkout")
def test_what_exists_has_tensorflows_signature():
    status, text = tfc("--json", "--api", str(RECORDED))
    assert status == 0
    whole = json.loads(text)
    different = {e["name"] for e in whole["names"] if e["state"] == api.DIFFERENT}
    assert different - set(REASONS) == set()
    assert set(REASONS) - different == set()

"""Gradients of loops, conditions and arrays in graphs that TensorFlow wrote: stacks, arrays of
gradients, optionals of branches. `graphs/` holds such graphs, a node a line, with what TensorFlow
computes on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

GRAPHS = sorted(Path(__file__).parent.glob("graphs/*.txt"))


def add_node(nodes: Any, line: str) -> None:
    name, op, inputs, attrs = line.split("\t")
    node = nodes.add(name=name, op=op, input=inputs.split())
    for key, value in json.loads(attrs).items():
        attr = node.attr[key]
        if isinstance(value, bool):
            attr.b = value
        elif isinstance(value, int):
            attr.type = value
        elif isinstance(value, str):
            attr.s = value.encode()
        elif "tensor" in value:
            array = np.array(value["tensor"], value["dtype"])
            attr.tensor.CopyFrom(tf.make_tensor_proto(array))
        elif "shape" in value:
            attr.shape.unknown_rank = value["shape"] is None
            for size in value["shape"] or ():
                attr.shape.dim.add(size=size)
        elif "func" in value:
            attr.func.name = value["func"]
        elif "funcs" in value:
            for function in value["funcs"]:
                attr.list.func.add(name=function)
        else:
            ((kind, found),) = value.items()
            target = attr.list if kind.endswith("s") else attr
            if isinstance(found, list):
                getattr(target, kind.removesuffix("s")).extend(found)
            else:
                setattr(target, kind, found)


def read(path: Path) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    first, *lines = path.read_text().splitlines()
    graph = tf.GraphDef()
    nodes = graph.node
    for line in lines:
        if line.startswith("FUNCTION "):
            name, args, results = json.loads(line.removeprefix("FUNCTION "))
            function = graph.library.function.add()
            function.signature.name = name
            for arg, dtype in args:
                function.signature.input_arg.add(name=arg, type=dtype)
            for result, dtype, source in results:
                function.signature.output_arg.add(name=result, type=dtype)
                function.ret[result] = source
            nodes = function.node_def
        else:
            add_node(nodes, line)
    known = json.loads(first)
    return graph, known["feeds"], known["want"]


@pytest.mark.parametrize("path", GRAPHS, ids=lambda p: p.stem)
def test_loss_and_gradients(path):
    graph, feeds, want = read(path)
    tf.import_graph_def(graph, name="")
    with tf.Session() as session:
        for _ in range(2):
            found = session.run(list(want), feeds)
    for name, value in zip(want, found, strict=True):
        np.testing.assert_allclose(value, want[name], rtol=2e-5, atol=1e-6, err_msg=name)


def changed(name, change):
    graph, feeds, want = read(next(p for p in GRAPHS if p.stem == name))
    for node in graph.node:
        change(node)
    return graph


def test_stacks_that_are_no_gradients():
    def check(message, change):
        with pytest.raises(ValueError, match=message):
            tf.import_graph_def(changed("rnn", change))

    def twice(node):
        if node.op == "StackPushV2":
            pushes.append(node.input[0])
            node.input[0] = pushes[0]

    pushes: list[str] = []
    check("one push", twice)

    def other_step(node):
        if node.op == "Sub" and node.name.startswith("gradients/Sub"):
            node.op = "Add"

    check("count the turns", other_step)

    def other_start(node):
        if node.name == "gradients/f_count":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array(1, np.int32)))

    check("count the turns", other_start)

    def no_stack(node):
        if node.op == "StackV2":
            node.op = "Identity"
            node.attr.clear()

    check("no stack", no_stack)

    def no_push(node):
        if node.op == "StackPushV2":
            node.op = "Identity"
            node.input[:] = [node.input[1]]
            node.attr.clear()

    check("one push", no_push)


def test_a_meta_graph_with_its_saver(tmp_path):
    """The nodes of a Saver are left out, and what takes them; training goes on with another."""
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
    loss = tf.reduce_sum(tf.matmul(x, w) ** 2, name="loss")
    tf.train.AdamOptimizer(0.1).minimize(loss, name="train")
    meta = tf.train.export_meta_graph()
    nodes = meta.graph_def.node
    nodes.add(name="save/Const", op="Const").attr["dtype"].type = 7
    nodes[-1].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array(b"model")))
    save = nodes.add(name="save/SaveV2", op="SaveV2", input=["save/Const"] * 3 + ["w"])
    save.attr["dtypes"].list.type.append(1)
    nodes.add(name="save/done", op="Identity", input=["save/Const", "^save/SaveV2"])
    nodes[-1].attr["T"].type = 7
    read = nodes.add(name="save/RestoreV2", op="RestoreV2", input=["save/Const"] * 3)
    read.attr["dtypes"].list.type.append(1)
    assign = nodes.add(name="save/Assign", op="Assign", input=["w", "save/RestoreV2"])
    assign.attr["T"].type = 1
    nodes.add(name="save/restore_all", op="NoOp", input=["^save/Assign"])
    path = str(tmp_path / "model.meta")
    with open(path, "wb") as file:
        file.write(meta.SerializeToString())
    with tf.Graph().as_default() as graph:
        saver = tf.train.import_meta_graph(path)
        names = {op.name for op in graph.get_operations()}
        assert not names & {"save/SaveV2", "save/done", "save/Assign", "save/restore_all"}
        feeds = {"x:0": np.ones((3, 2), np.float32)}
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert session.run("loss:0", feeds) == 12.0
            session.run("train", feeds)
            np.testing.assert_allclose(session.run("w:0"), [[0.9], [0.9]], rtol=1e-6)
            kept = saver.save(session, str(tmp_path / "ours"))
            session.run("train", feeds)
            saver.restore(session, kept)
            np.testing.assert_allclose(session.run("w:0"), [[0.9], [0.9]], rtol=1e-6)

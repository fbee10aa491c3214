"""Loops, conditions, TensorArrays and functions in GraphDefs that TensorFlow wrote: in the form of
its first control flow (Switch, Merge, Enter, …) and of its second (If and While of functions)."""

from __future__ import annotations

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")

F, N, B, V, R = 1, 3, 10, 21, 20  # float32, int32, bool, variant, resource


def add_nodes(nodes, rows):
    """Nodes from (name, op, inputs, attributes): ints are dtypes, floats and lists constants."""
    for name, op, inputs, attrs in rows:
        node = nodes.add(name=name, op=op, input=inputs.split())
        for key, value in attrs.items():
            attr = node.attr[key]
            if key == "value":
                attr.tensor.CopyFrom(tf.make_tensor_proto(value))
            elif key in ("f", "cond", "body", "then_branch", "else_branch"):
                attr.func.name = value
            elif isinstance(value, bool):
                attr.b = value
            elif isinstance(value, str):
                attr.s = value.encode()
            elif key in ("N", "num_elements"):
                attr.i = value
            elif key == "shape":
                attr.shape.dim.add(size=value)
            else:
                attr.type = value


def const(name, value, inputs=""):
    dtype = F if np.asarray(value).dtype.kind == "f" else N
    value = np.asarray(value, np.float32 if dtype == F else np.int32)
    return (name, "Const", inputs, {"dtype": dtype, "value": value})


def graph_of(rows, functions=()):
    proto = tf.GraphDef()
    add_nodes(proto.node, rows)
    for name, args, results, body in functions:
        function = proto.library.function.add()
        function.signature.name = name
        for arg, dtype in args:
            function.signature.input_arg.add(name=arg, type=dtype)
        for result, dtype, source in results:
            function.signature.output_arg.add(name=result, type=dtype)
            function.ret[result] = source
        add_nodes(function.node_def, body)
    return proto


def enter(name, source, dtype, constant=False):
    attrs = {"T": dtype, "frame_name": "while/while_context", "is_constant": constant}
    return (name, "Enter", source, attrs)


def loop_rows():
    """x doubled where it is positive, raised by one where not, entry by entry, as tf.map_fn and
    tf.cond of TensorFlow 1 write it."""
    array = {"dtype": F, "dynamic_size": False, "identical_element_shapes": True}
    return [
        ("x", "Placeholder", "", {"dtype": F, "shape": 3}),
        const("size", 3),
        ("in", "TensorArrayV3", "size", array),
        const("start", 0),
        const("step", 1),
        ("range", "Range", "start size step", {"Tidx": N}),
        ("fill", "TensorArrayScatterV3", "in range x in:1", {"T": F}),
        ("out", "TensorArrayV3", "size", array),
        const("while/zero", 0),
        enter("while/Enter", "while/zero", N),
        enter("while/Enter_1", "out:1", F),
        enter("while/limit", "size", N, True),
        enter("while/in", "in", R, True),
        enter("while/fill", "fill", F, True),
        enter("while/out", "out", R, True),
        ("while/Merge", "Merge", "while/Enter while/NextIteration", {"T": N, "N": 2}),
        ("while/Merge_1", "Merge", "while/Enter_1 while/NextIteration_1", {"T": F, "N": 2}),
        ("while/Less", "Less", "while/Merge while/limit", {"T": N}),
        ("while/LoopCond", "LoopCond", "while/Less", {}),
        ("while/Switch", "Switch", "while/Merge while/LoopCond", {"T": N}),
        ("while/Switch_1", "Switch", "while/Merge_1 while/LoopCond", {"T": F}),
        ("while/Identity", "Identity", "while/Switch:1", {"T": N}),
        ("while/Identity_1", "Identity", "while/Switch_1:1", {"T": F}),
        ("while/read", "TensorArrayReadV3", "while/in while/Identity while/fill", {"dtype": F}),
        const("while/none", 0.0, "^while/Identity"),
        ("while/Greater", "Greater", "while/read while/none", {"T": F}),
        ("while/cond/Switch", "Switch", "while/Greater while/Greater", {"T": B}),
        ("while/cond/switch_t", "Identity", "while/cond/Switch:1", {"T": B}),
        ("while/cond/switch_f", "Identity", "while/cond/Switch", {"T": B}),
        ("while/cond/pred_id", "Identity", "while/Greater", {"T": B}),
        const("while/cond/two", 2.0, "^while/cond/switch_t"),
        const("while/cond/one", 1.0, "^while/cond/switch_f"),
        ("while/cond/a", "Switch", "while/read while/cond/pred_id", {"T": F}),
        ("while/cond/b", "Switch", "while/read while/cond/pred_id", {"T": F}),
        ("while/cond/mul", "Mul", "while/cond/a:1 while/cond/two", {"T": F}),
        ("while/cond/add", "AddV2", "while/cond/b while/cond/one", {"T": F}),
        ("while/cond/Merge", "Merge", "while/cond/add while/cond/mul", {"T": F, "N": 2}),
        (
            "while/write",
            "TensorArrayWriteV3",
            "while/out while/Identity while/cond/Merge while/Identity_1",
            {"T": F},
        ),
        const("while/one", 1, "^while/Identity"),
        ("while/add", "AddV2", "while/Identity while/one", {"T": N}),
        ("while/NextIteration", "NextIteration", "while/add", {"T": N}),
        ("while/NextIteration_1", "NextIteration", "while/write", {"T": F}),
        ("while/Exit", "Exit", "while/Switch", {"T": N}),
        ("while/Exit_1", "Exit", "while/Switch_1", {"T": F}),
        ("y", "TensorArrayGatherV3", "out range while/Exit_1", {"dtype": F}),
    ]


def test_a_loop_with_a_condition_and_arrays():
    y, end = tf.import_graph_def(graph_of(loop_rows()), return_elements=["y:0", "while/Exit:0"])
    graph = tf.get_default_graph()
    assert end.name == "import/while/Exit:0" and end.shape.ndims is None
    assert graph.get_operation_by_name("import/while/cond/Merge").type == "Merge"
    with tf.Session() as session:
        found, turns = session.run([y, end], {"import/x:0": [1.5, -2.0, 3.0]})
    assert found.tolist() == [3.0, -1.0, 6.0] and turns == 3
    (dx,) = tf.gradients(y, graph.get_tensor_by_name("import/x:0"))
    with tf.Session() as session:
        assert session.run(dx, {"import/x:0": [1.5, -2.0, 3.0]}).tolist() == [2.0, 1.0, 2.0]


def function_rows():
    """The same in TensorFlow's second form."""
    listed = {"element_dtype": F, "shape_type": N}
    nodes = [
        ("x", "Placeholder", "", {"dtype": F, "shape": 3}),
        const("any", -1),
        const("size", 3),
        const("zero", 0),
        ("in", "TensorListFromTensor", "x any", listed),
        ("out", "TensorListReserve", "any size", listed),
        ("while", "StatelessWhile", "zero out in size", {"cond": "test", "body": "turn"}),
        ("y", "TensorListStack", "while:1 any", {"element_dtype": F, "num_elements": -1}),
        ("twice", "PartitionedCall", "y", {"f": "double"}),
    ]
    args = [("i", N), ("out", V), ("in", V), ("n", N)]
    body = [
        const("any", -1),
        ("read", "TensorListGetItem", "in i any:output:0", {"element_dtype": F}),
        const("none", 0.0),
        ("test", "Greater", "read:item:0 none:output:0", {"T": F}),
        (
            "if",
            "StatelessIf",
            "test:z:0 read:item:0",
            {"then_branch": "twice", "else_branch": "up"},
        ),
        ("write", "TensorListSetItem", "out i if:output:0", {"element_dtype": F}),
        const("one", 1),
        ("add", "AddV2", "i one:output:0", {"T": N}),
    ]
    results = [
        ("i_out", N, "add:z:0"),
        ("out_out", V, "write:output_handle:0"),
        ("in_out", V, "in"),
        ("n_out", N, "n"),
    ]
    number = [("v", F)]
    functions = [
        ("test", args, [("go", B, "less:z:0")], [("less", "Less", "i n", {"T": N})]),
        ("turn", args, results, body),
        (
            "twice",
            number,
            [("r", F, "mul:z:0")],
            [const("two", 2.0), ("mul", "Mul", "v two:output:0", {"T": F})],
        ),
        (
            "up",
            number,
            [("r", F, "add:z:0")],
            [const("one", 1.0), ("add", "AddV2", "v one:output:0", {"T": F})],
        ),
        ("double", number, [("r", F, "add:z:0")], [("add", "AddV2", "v v", {"T": F})]),
    ]
    return nodes, functions


def test_functions():
    y, twice, turns = tf.import_graph_def(
        graph_of(*function_rows()), return_elements=["y:0", "twice:0", "while:0"], name="m"
    )
    with tf.Session() as session:
        feed = {"m/x:0": [1.5, -2.0, 3.0]}
        found = session.run([y, twice, turns], feed)
        assert found[0].tolist() == [3, -1, 6] and found[1].tolist() == [6, -2, 12]
        assert found[2] == 3
        (dx,) = tf.gradients(twice, tf.get_default_graph().get_tensor_by_name("m/x:0"))
        assert session.run(dx, feed).tolist() == [4.0, 2.0, 4.0]


def test_lists_are_overwritten_and_grow():
    listed = {"element_dtype": F, "shape_type": N}
    rows = [
        const("any", -1),
        const("zero", 0),
        const("a", [1.0, 2.0]),
        const("b", [3.0, 4.0]),
        ("none", "EmptyTensorList", "any any", listed),
        ("one", "TensorListPushBack", "none a", {"element_dtype": F}),
        ("two", "TensorListPushBack", "one b", {"element_dtype": F}),
        ("over", "TensorListSetItem", "two zero b", {"element_dtype": F}),
        ("count", "TensorListLength", "two", {}),
        ("y", "TensorListStack", "over any", {"element_dtype": F, "num_elements": -1}),
        ("z", "TensorListConcatV2", "two any none_given", listed),
        ("none_given", "Const", "", {"dtype": 9, "value": np.zeros(0, np.int64)}),
    ]
    y, z, count, a = tf.import_graph_def(
        graph_of(rows), return_elements=["y:0", "z:0", "count:0", "a:0"]
    )
    (da,) = tf.gradients([y, z], a)
    with tf.Session() as session:
        found = session.run([y, z, count, da])
    assert found[0].tolist() == [[3, 4], [3, 4]] and found[1].tolist() == [1, 2, 3, 4]
    assert found[2] == 2 and found[3].tolist() == [1, 1]


def _replaced(name, **fields):
    def change(rows):
        at = next(k for k, row in enumerate(rows) if row[0] == name)
        old = dict(zip(("name", "op", "inputs", "attrs"), rows[at], strict=True))
        rows[at] = tuple({**old, **fields}.values())

    return change


def _without(name, value):
    def change(rows):
        rows[:] = [row for row in rows if row[0] != name]
        for k, (key, op, inputs, attrs) in enumerate(rows):
            rows[k] = (key, op, " ".join(value if i == name else i for i in inputs.split()), attrs)

    return change


HOSTILE = {
    "two tests": (lambda r: r.append(("again", "LoopCond", "while/Less", {})), "one LoopCond"),
    "no test": (_without("while/LoopCond", "while/Less"), "no LoopCond"),
    "an Exit at the top": (lambda r: r.append(("e", "Exit", "x", {"T": F})), "outside of loops"),
    "an Exit of what is not last": (
        _replaced("while/Exit", inputs="while/Switch:1"), "not the last value",
    ),
    "a Merge of one": (_replaced("while/cond/Merge", inputs="while/cond/mul"), "joins 1 values"),
    "a Merge of one branch": (
        _replaced("while/cond/Merge", inputs="while/cond/mul while/cond/mul"), "two branches",
    ),
    "both branches": (
        _replaced("while/cond/add", inputs="while/cond/b while/cond/two"), "different branches",
    ),
    "a Merge without a turn": (
        _replaced("while/Merge", inputs="while/Enter while/Enter"), "as no variable",
    ),
    "a turn of no loop": (
        lambda r: r.append(("n", "NextIteration", "x", {"T": F})), None,
    ),
    "a Merge at the top": (
        lambda r: r.append(("m", "Merge", "x n", {"T": F, "N": 2}))
        or r.append(("n", "NextIteration", "m", {"T": F})), "two values of a loop",
    ),
    "a cycle through a loop": (
        _replaced("size", op="Identity", inputs="while/Exit", attrs={"T": N}), "cycle",
    ),
    "no bool": (_replaced("while/LoopCond", inputs="while/limit"), "no bool"),
    "no array": (_replaced("y", inputs="out range x"), "no TensorArray"),
    "an array of another dtype": (_replaced("out", attrs={"dtype": N}), "TensorArray"),
    "a changing dtype": (_replaced("while/NextIteration", inputs="while/none"), "then float32"),
    "an escape": (_replaced("y", inputs="out range while/write"), "not found in graph_def"),
}  # fmt: skip


@pytest.mark.parametrize("which", HOSTILE)
def test_hostile_loops(which):
    change, message = HOSTILE[which]
    rows = loop_rows()
    change(rows)
    if message is None:
        tf.import_graph_def(graph_of(rows))  # which nothing takes
        return
    with pytest.raises(ValueError, match=message):
        tf.import_graph_def(graph_of(rows), return_elements=["y:0"])


def test_hostile_functions():
    def check(message, change):
        nodes, functions = function_rows()
        functions = {f[0]: [list(p) if isinstance(p, list) else p for p in f] for f in functions}
        change(nodes, functions)
        with pytest.raises(ValueError, match=message):
            tf.import_graph_def(graph_of(nodes, functions.values()))

    def call(name):
        return [("c", "PartitionedCall", "v", {"f": name})]

    def body(name, rows, result="c:output:0"):
        def change(nodes, functions):
            functions[name][3] = rows
            functions[name][2] = [("r", F, result)]

        return change

    check("calls itself", body("double", call("double")))
    check("calls itself", lambda n, f: (body("up", call("double"))(n, f),
                                        body("double", call("up"))(n, f)))  # fmt: skip
    check("no function 'lost'", body("double", call("lost")))
    check("Unknown input node", body("double", [], "nothing:z:0"))
    check("no output 'q'", body("double", [("c", "TensorListConcatV2", "v v v", {})], "c:q:0"))
    extra = ("c", "PartitionedCall", "x x", {"f": "double"})
    check("takes 1 values, not 2", lambda n, f: n.append(extra))
    check("is float32", lambda n, f: f["double"].__setitem__(1, [("v", N)]))
    check("too many values, or too few", lambda n, f: f["turn"][2].pop())
    check("may not be imported", body("double", [("c", "PyFunc", "v", {})]))
    check("names no function", lambda n, f: n.append(("c", "PartitionedCall", "x", {})))

    def bomb(nodes, functions):  # each calls the next one twice
        for k in range(40):
            rows = [(c, "PartitionedCall", s, {"f": f"b{k + 1}"}) for c, s in (("c", "v"),)]
            rows.append(("d", "PartitionedCall", "c:output:0", {"f": f"b{k + 1}"}))
            functions[f"b{k}"] = [f"b{k}", [("v", F)], [("r", F, "d:output:0")], rows]
        functions["b40"] = ["b40", [("v", F)], [("r", F, "v")], []]
        nodes.append(("bomb", "PartitionedCall", "x", {"f": "b0"}))

    check("make more than", bomb)

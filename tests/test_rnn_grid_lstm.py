"""GridLSTMCell and BidirectionalGridLSTMCell. Numbers are those of TensorFlow 1.15."""

import numpy as np
import pytest

import tests.rnn_contrib_cases as c
import tfc as tf

rnn = tf.contrib.rnn
NAMES = [name for name in c.CASES if "grid" in name]


@pytest.fixture(autouse=True)
def session():
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


@pytest.mark.parametrize("name", NAMES)
def test_a_step(session, name):
    cell = c.check_step(name, session).cell
    windows = 6 if name.startswith("bi") else 3
    assert cell.output_size == 4 * windows
    assert sum(c.flat(cell.state_size)) == 4 * windows


@pytest.mark.parametrize("name", ["grid", "grid_peep", "grid_share", "grid_blocks",
                                  "grid_blocks_flat", "bigrid"])  # fmt: skip
def test_a_loop(session, name):
    c.check_loop(name, session)


@pytest.mark.parametrize("name", ["grid_peep", "grid_share", "grid_couple", "bigrid_off"])
def test_gradients_numerically(session, name):
    c.check_numerically(name, session)


@pytest.mark.parametrize("cell", [rnn.GridLSTMCell, rnn.BidirectionalGridLSTMCell])
def test_training(session, cell):
    c.check_training(lambda: cell(2, True, **c.GRID), session, (3, 4))


def test_types_of_states():
    cell = rnn.GridLSTMCell(2, **c.BLOCKS)
    assert cell.state_tuple_type.__name__ == "GridLSTMStateTuple"
    fields = [f"state_{w}_{p}" for w in ("f00_b00", "f01_b00", "f00_b01") for p in "cm"]
    assert cell.state_tuple_type._fields == tuple(fields)
    assert cell.state_size == cell.state_tuple_type(*[2] * 6)
    zeros = cell.zero_state(3, tf.float32)
    assert isinstance(zeros, cell.state_tuple_type) and zeros.state_f01_b00_m.shape == [3, 2]
    flat = rnn.GridLSTMCell(2, state_is_tuple=False, **c.BLOCKS)
    assert flat.state_tuple_type is None and flat.state_size == 12
    both = rnn.BidirectionalGridLSTMCell(2, **c.BLOCKS)
    assert both.state_tuple_type.__name__ == "BidirectionalGridLSTMStateTuple"
    fields = [f"{d}_{f}" for d in ("fwd", "bwd") for f in fields]
    assert both.state_tuple_type._fields == tuple(fields)


def test_directions(session):
    """Through frequency, what comes later does not change what came before."""
    for make, later in (
        (lambda: rnn.GridLSTMCell(2, **c.GRID), [True, False, False]),
        (lambda: rnn.BidirectionalGridLSTMCell(2, **c.GRID), [True, False, False, *[True] * 3]),
    ):
        with tf.Graph().as_default(), tf.Session() as sess:
            cell, x = make(), tf.placeholder(tf.float32, [1, 4])
            output, _ = cell(x, cell.zero_state(1, tf.float32))
            sess.run(tf.global_variables_initializer())
            base = sess.run(output, {x: np.zeros([1, 4])})
            # Column 0 is in the first window alone: all after it see it, and in the other
            # direction none before it.
            got = sess.run(output, {x: np.eye(1, 4)}) != base
            assert got[0, :12].all()
            got = sess.run(output, {x: np.eye(1, 4, 3)}) != base
            seen = [bool(got[0, 4 * w : 4 * w + 4].any()) for w in range(len(later))]
            assert seen[:3] == [False, False, True] and all(seen[3:])


@pytest.mark.parametrize(
    "arguments, width, error, match",
    [
        ({}, 4, ValueError, "Must specify num_frequency_blocks"),
        ({"num_frequency_blocks": [2], "feature_size": None}, 4, TypeError, "unsupported operand"),
        ({"num_frequency_blocks": [2]}, None, ValueError, "Cannot infer input_size"),
        ({"num_frequency_blocks": []}, 4, ValueError, "is not 1, but instead is 0"),
        ({"num_frequency_blocks": [3, 4]}, 4, ValueError, "is not 1, but instead is 2"),
        ({"num_frequency_blocks": [3]}, 4, ValueError,
         "Invalid num_frequency_blocks, requires 3 but gets 2, please check"),
        ({"num_frequency_blocks": [3], "start_freqindex_list": [1], "end_freqindex_list": [8]}, 4,
         ValueError, "requires 3 but gets 5"),
        ({"num_frequency_blocks": [3, 4], "start_freqindex_list": [1],
          "end_freqindex_list": [1, 2]}, 4, ValueError,
         "Length of start and end freqindex_list does not match 1 2$"),
        ({"num_frequency_blocks": [3, 4], "start_freqindex_list": [1], "end_freqindex_list": [2]},
         4, ValueError, "is not equal to start_freqindex_list 2 1$"),
    ],
)  # fmt: skip
def test_errors(arguments, width, error, match):
    settings = {"feature_size": 3, "frequency_skip": 1, **arguments}
    for make in (rnn.GridLSTMCell, rnn.BidirectionalGridLSTMCell):
        with pytest.raises(error, match=match):
            make(2, **settings)(tf.placeholder(tf.float32, [3, width]), None)


def test_a_state_has_the_fields():
    cell = rnn.GridLSTMCell(2, feature_size=3, frequency_skip=1, num_frequency_blocks=[2])
    with pytest.raises(AttributeError, match="state_f00_b00_c"):
        cell(tf.zeros([3, 4]), tf.zeros([3, 8]))

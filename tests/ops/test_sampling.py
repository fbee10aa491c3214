"""Random ops against TensorFlow's own numbers for the same seeds, and sampled losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def run(y: Any) -> Any:
    with tf.Session() as session:
        return session.run(y)


def test_gamma_and_poisson_numbers() -> None:
    alpha = [[0.1], [0.5], [1.0], [1.5], [20.0], [1e4]]
    gamma = tf.random_gamma([50], alpha, [2.0, 0.5], seed=5)
    poisson = tf.random_poisson([[0.1, 0.5, 1.0], [5.0, 20.0, 1e4]], [50], seed=5)
    assert gamma.shape == (50, 6, 2) and poisson.shape == (50, 2, 3)
    with tf.Session() as session:
        first, rates = session.run([gamma, poisson])
        second = session.run(gamma)
    np.testing.assert_allclose(
        first[0].ravel(),
        [8.3817879e-04, 5.3657554e-03, 1.9298285e-03, 5.9094608e-01, 2.4889514e-01, 5.3830843e00,
         1.7923762, 1.8708580, 7.2569847, 4.2715885e01, 5.0820347e03, 2.0030105e04],
        rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(second[0, :2].ravel(), [0.013321386, 8.2797243e-04, 0.67543173,
                                                       2.8557358], rtol=1e-6)  # fmt: skip
    assert rates[:2].ravel().tolist() == [0, 0, 1, 8, 18, 10189, 0, 0, 0, 8, 27, 10052]
    odd = run(tf.random_poisson([-1.0, np.inf, np.nan], [2], seed=1))
    np.testing.assert_array_equal(odd, [[0, np.nan, np.nan]] * 2)


def test_gamma_samples_have_gradients() -> None:
    alpha, beta = tf.constant([0.5, 2.0, 30.0]), tf.constant(2.0)
    grads = run(tf.gradients(tf.random_gamma([40], alpha, beta, seed=7), [alpha, beta]))
    np.testing.assert_allclose(grads[0], [24.395563, 21.162169, 20.085587], rtol=1e-5)
    np.testing.assert_allclose(grads[1], -331.82416, rtol=1e-5)


def test_stateless_numbers() -> None:
    r = tf.random
    seed = tf.constant([-5, 2**31 - 1], tf.int64)
    uniform = r.stateless_uniform([3, 7], seed, minval=-1, maxval=3, dtype=tf.float64)
    np.testing.assert_allclose(
        run(uniform)[0, :4], [-0.837984556, 1.458599744, 2.315009837, 2.055949234], rtol=1e-9
    )
    truncated = run(r.stateless_truncated_normal([30], [1, 2]))
    np.testing.assert_allclose(
        truncated[:5], [0.5441101, 0.20738031, 0.07356432, 0.04643455, 0.16820592], rtol=1e-6
    )
    normal = r.stateless_normal([3, 7], [0, 0], mean=1.0, stddev=3.0, dtype=tf.float16)
    np.testing.assert_allclose(run(normal)[0, :4], [-4.094, -0.4443, -0.9863, 1.262], rtol=2e-3)
    ints = r.stateless_uniform([20], [1, 9], minval=3, maxval=1000003, dtype=tf.int32)
    assert run(ints)[:6].tolist() == [713115, 190005, 202409, 273243, 886431, 579550]
    full = r.stateless_uniform([20], [1, 9], minval=None, maxval=None, dtype=tf.uint32)
    assert run(full)[:3].tolist() == [1607713112, 2860190002, 2486202406]
    gamma = run(r.stateless_gamma([50, 2], [3, 4], [0.5, 2.0]))
    np.testing.assert_allclose(gamma[:2].ravel(), [0.043604534, 2.0790205, 0.2556686, 1.4720695],
                               rtol=1e-6)  # fmt: skip
    poisson = run(r.stateless_poisson([20, 3], [1, 9], [0.5, 5.0, 50.0]))
    assert poisson[:3].tolist() == [[0, 3, 52], [0, 5, 59], [0, 5, 46]]
    logits = np.log([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    classes = run(r.stateless_categorical(logits, 21, [3, 4], dtype=tf.int32))
    assert classes[0].tolist() == [2, 2, 1, 2, 2, 2, 1, 0, 2, 1, 1, 2, 2, 0, 2, 2, 2, 2, 1, 2, 1]
    again = run(r.stateless_multinomial(logits, 21, [3, 4]))
    np.testing.assert_array_equal(classes, again)
    drawn = run(r.categorical(logits.astype(np.float32), 20, seed=3))
    assert drawn[0].tolist() == [0, 2, 0, 2, 2, 2, 0, 2, 0, 1, 2, 2, 2, 2, 0, 1, 2, 0, 2, 2]


def test_stateless_errors() -> None:
    with pytest.raises(ValueError, match="must be 2 but is 3"):
        tf.random.stateless_normal([2], [1, 2, 3])
    with pytest.raises(ValueError, match="both `None`"):
        tf.random.stateless_uniform([2], [1, 2], dtype=tf.int32)
    bad = tf.random.stateless_uniform([2], [1, 2], minval=5, maxval=5, dtype=tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Need minval < maxval"):
        run(bad)
    bad = tf.random.stateless_gamma([5, 3], [1, 2], [1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must end with"):
        run(bad)


TRUE = np.array([[1, 2], [3, 4], [0, 9]])


def test_candidates() -> None:
    nn = tf.nn
    log = nn.log_uniform_candidate_sampler(TRUE, 2, 5, True, 20, seed=4)
    uniform = nn.uniform_candidate_sampler(TRUE, 2, 5, True, 20, seed=4)
    learned = nn.learned_unigram_candidate_sampler(TRUE, 2, 5, True, 20, seed=4)
    unigrams = [1, 2, 3, 4, 5, 6, 7, 0.5, 0.1, 10.0]
    fixed = nn.fixed_unigram_candidate_sampler(
        TRUE, 2, 5, True, 10, unigrams=unigrams, distortion=0.75, seed=4
    )
    with tf.Session() as session:
        first, second = (session.run([log, uniform, learned, fixed]) for _ in range(2))
    assert [f[0].tolist() for f in first] == [
        [6, 18, 1, 8, 4], [9, 6, 3, 7, 1], [5, 19, 18, 13, 15], [6, 3, 4, 9, 2],
    ]  # fmt: skip
    assert [s[0].tolist() for s in second] == [
        [0, 13, 14, 3, 4], [7, 6, 8, 10, 15], [13, 2, 12, 1, 0], [6, 9, 3, 5, 7],
    ]  # fmt: skip
    expected = [0.66589284, 0.47245845, 0.36646724, 0.29942554, 1.1383512, 0.15652731]
    np.testing.assert_allclose(first[0][1].ravel(), expected, rtol=1e-5)
    np.testing.assert_allclose(second[2][2], [0.1923077, 0.3846154, 0.1923077, 0.3846154,
                                              0.3846154], rtol=1e-5)  # fmt: skip
    np.testing.assert_allclose(first[3][1][0], [0.45661283, 0.56701905], rtol=1e-5)
    every = run(nn.all_candidate_sampler(TRUE, 2, 10, True))
    assert every[0].tolist() == list(range(10)) and (every[1] == 1).all()


def test_candidates_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "words.txt"
    path.write_text("".join(f"w{i},{i + 1}\n" for i in range(10)))
    given = tf.nn.fixed_unigram_candidate_sampler(
        TRUE, 2, 200, False, 10, vocab_file=str(path), seed=1
    )
    listed = tf.nn.fixed_unigram_candidate_sampler(
        TRUE, 2, 200, False, 10, unigrams=list(range(1, 11)), seed=1
    )
    a, b = run([given, listed])
    np.testing.assert_array_equal(a[0], b[0])
    assert np.bincount(a[0], minlength=10)[9] > np.bincount(a[0], minlength=10)[0]


def test_errors_of_samplers() -> None:
    sampler = tf.nn.log_uniform_candidate_sampler
    with pytest.raises(tf.errors.InvalidArgumentError, match="range is too small"):
        run(sampler(TRUE, 2, 50, True, 20))
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
        run(sampler(TRUE, 2, 2, True, 5))
    with pytest.raises(tf.errors.InvalidArgumentError, match="vocab_file or unigrams"):
        run(tf.nn.fixed_unigram_candidate_sampler(TRUE, 2, 5, True, 10))


def test_accidental_hits() -> None:
    rows, places, weights = run(tf.nn.compute_accidental_hits(TRUE, np.array([4, 1, 7, 9, 1]), 2))
    assert (rows.tolist(), places.tolist()) == ([0, 1, 2], [4, 0, 3])
    assert (weights == -np.finfo(np.float32).max).all()


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("true", [1, 2])
def test_sampled_losses_against_numpy(true: int, shards: int) -> None:
    rs = np.random.RandomState(0)
    w, b, x = rs.normal(size=(20, 6)), rs.normal(size=20), rs.normal(size=(3, 6))
    sampled = np.array([4, 1, 7, 9, 3])
    labels, p, q = TRUE[:, :true], np.full((3, true), 0.3), np.full(5, 0.7)
    logits = np.concatenate([(w[labels] * x[:, None]).sum(-1) + b[labels] - np.log(p),
                             x @ w[sampled].T + b[sampled] - np.log(q)], 1)  # fmt: skip
    targets = np.concatenate([np.full((3, true), 1 / true), np.zeros((3, 5))], 1)
    nce = (np.log1p(np.exp(logits)) - targets * logits).sum(1)
    hit = (labels[:, :, None] == sampled).any(1)
    masked = logits.copy()
    masked[:, true:][hit] = -np.inf
    top = masked.max(1, keepdims=True)
    log_sum = (np.log(np.exp(masked - top).sum(1, keepdims=True)) + top)[:, 0]
    softmax = log_sum - logits[:, :true].mean(1)
    tables = [tf.constant(w[i::shards]) for i in range(shards)]
    values = sampled, p, q
    found = run([
        tf.nn.nce_loss(tables, b, labels, tf.constant(x), 5, 20, true, values),
        tf.nn.sampled_softmax_loss(tables, b, labels, tf.constant(x), 5, 20, true, values),
    ])  # fmt: skip
    np.testing.assert_allclose(found[0], nce, rtol=1e-9)
    np.testing.assert_allclose(found[1], softmax, rtol=1e-9)


def test_orthogonal_initializer() -> None:
    for shape in ([4, 4], [3, 7], [2, 5, 3]):
        q = run(tf.orthogonal_initializer(gain=2.0, seed=1)(shape)).reshape(-1, shape[-1])
        gram = q @ q.T if q.shape[0] < q.shape[1] else q.T @ q
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    with pytest.raises(ValueError, match="at least two-dimensional"):
        tf.initializers.orthogonal()([3])

"""Monitored sessions and their hooks."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def model():
    step = tf.train.get_or_create_global_step()
    v = tf.Variable(0.0, name="v")
    return v, tf.group(tf.assign_add(v, 2.0), tf.assign_add(step, 1))


def test_stop_and_restore(tmp_path):
    v, train = model()
    folder = str(tmp_path)
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=folder,
        hooks=[tf.train.StopAtStepHook(last_step=4)],
        save_summaries_steps=None,
        save_summaries_secs=None,
        save_checkpoint_steps=2,
    ) as session:
        runs = 0
        while not session.should_stop():
            session.run(train)
            runs += 1
    assert runs == 4 and tf.train.latest_checkpoint(folder).endswith("-4")
    tf.reset_default_graph()
    v, train = model()
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=folder, hooks=[tf.train.StopAtStepHook(num_steps=1)], log_step_count_steps=1
    ) as session:
        assert session.run(v) == 8
        session.run(train)
        assert session.should_stop()


def test_hooks_see_runs():
    seen = []

    class Hook(tf.train.SessionRunHook):
        def begin(self):
            seen.append("begin")
            self.x = tf.constant(3.0) + 1.0

        def after_create_session(self, session, coord):
            seen.append(float(session.run(self.x)))

        def before_run(self, context):
            assert context.original_args.fetches is not None
            return tf.train.SessionRunArgs({"x": self.x})

        def after_run(self, context, values):
            seen.append(float(values.results["x"]))

        def end(self, session):
            seen.append("end")

    v, train = model()
    x = tf.placeholder(tf.float32, [])
    doubled = x * 2.0
    feeds = tf.train.FeedFnHook(lambda: {x: 4.0})
    final = tf.train.FinalOpsHook(v)
    with tf.train.MonitoredSession(hooks=[Hook(), feeds, final]) as session:
        session.run(train)
        assert session.run(doubled) == 8
        assert session.run_step_fn(lambda context: context.session.run(v)) == 2
    assert seen == ["begin", 4.0, 4.0, 4.0, "end"] and final.final_ops_values == 2
    with pytest.raises(RuntimeError, match="should_stop"):
        session.run(v)


def test_out_of_range_ends_the_block():
    q = tf.FIFOQueue(1, tf.int32, [[]])
    close, take = q.close(), q.dequeue()
    with tf.train.SingularMonitoredSession() as session:
        session.raw_session().run(close)
        session.run(take)
    assert session.should_stop()


def test_nan_and_logging(caplog):
    loss = tf.placeholder(tf.float32, [], name="loss")
    session = tf.train.MonitoredSession(hooks=[tf.train.NanTensorHook(loss)])
    with pytest.raises(tf.train.NanLossDuringTrainingError, match="NaN loss"), session:
        session.run(loss, {loss: np.nan})
    tf.reset_default_graph()
    loss = tf.placeholder(tf.float32, [], name="loss")
    caplog.set_level(logging.INFO, "tensorflow")
    hooks = [
        tf.train.LoggingTensorHook({"l": "loss:0"}, every_n_iter=2),
        tf.train.NanTensorHook(loss, fail_on_nan_loss=False),
    ]
    with tf.train.MonitoredSession(hooks=hooks) as session:
        for value in (1.0, 2.0, 3.0, np.nan):
            session.run(loss, {loss: value})
        assert session.should_stop()
    said = [r.message for r in caplog.records if r.message.startswith("l = ")]
    assert [s.split()[2] for s in said] == ["1.0", "3.0"]


def test_summaries(tmp_path):
    _, train = model()
    tf.summary.scalar("one", tf.constant(1.0))
    with tf.train.MonitoredTrainingSession(
        summary_dir=str(tmp_path), save_summaries_steps=1, log_step_count_steps=1
    ) as session:
        for _ in range(3):
            session.run(train)
    tf.summary.FileWriterCache.clear()
    (events,) = tmp_path.glob("events.*")
    data = events.read_bytes()
    assert data.count(b"one") >= 3 and b"global_step/sec" in data


def test_mistakes():
    with pytest.raises(ValueError, match="must be specified"):
        tf.train.StopAtStepHook()
    with pytest.raises(ValueError, match="must be provided"):
        tf.train.LoggingTensorHook([], every_n_iter=1, every_n_secs=1)
    with pytest.raises(ValueError, match="scaffold"):
        tf.train.SummarySaverHook(save_steps=1)
    with pytest.raises(ValueError, match="exactly one"):
        tf.train.SecondOrStepTimer()
    with pytest.raises(RuntimeError, match="Global step"):
        tf.train.MonitoredSession(hooks=[tf.train.StopAtStepHook(last_step=1)])
    tf.reset_default_graph()
    tf.Variable(1.0, name="left_out")
    scaffold = tf.train.Scaffold(init_op=tf.no_op())
    with pytest.raises(RuntimeError, match="left_out"):
        tf.train.MonitoredSession(tf.train.ChiefSessionCreator(scaffold))

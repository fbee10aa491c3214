"""Supervisor and SessionManager."""

from __future__ import annotations

import os

import pytest

import tfc as tf

pytestmark = pytest.mark.usefixtures("fresh_graph")


def model():
    step = tf.train.get_or_create_global_step()
    v = tf.get_variable("v", initializer=1.0)
    with tf.control_dependencies([tf.assign_add(v, 1.0)]):
        train = tf.assign_add(step, 1)
    tf.summary.scalar("value", v)
    tf.get_local_variable("seen", initializer=5)
    return train


def events(folder) -> list:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    names = sorted(n for n in os.listdir(folder) if "tfevents" in n)
    return [e for n in names for e in EventFileLoader(os.path.join(folder, n)).Load()]


def test_trains_and_goes_on(tmp_path) -> None:
    train = model()
    sv = tf.train.Supervisor(logdir=str(tmp_path), save_summaries_secs=3600, save_model_secs=3600)
    assert sv.is_chief and sv.global_step is tf.train.get_global_step()
    assert sv.save_path == str(tmp_path / "model.ckpt")
    assert sv.summary_op is not None and isinstance(sv.saver, tf.train.Saver)
    assert (sv.save_model_secs, sv.save_summaries_secs) == (3600, 3600)
    assert sv.init_op in tf.get_collection(tf.GraphKeys.INIT_OP)
    assert sv.ready_op in tf.get_collection(tf.GraphKeys.READY_OP)
    assert isinstance(sv.session_manager, tf.train.SessionManager)
    assert tf.get_default_graph().finalized
    with sv.managed_session() as sess:
        while not sv.should_stop():
            if sess.run(train) == 4:
                sv.request_stop()
        sv.summary_computed(sess, sess.run(sv.summary_op))
        assert sess.run("seen:0") == 5
        sv.saver.save(sess, sv.save_path, global_step=sv.global_step)
    assert (tmp_path / "graph.pbtxt").exists()
    found = events(tmp_path)
    log = [e.session_log.status for e in found if e.HasField("session_log")]
    kinds = tf.SessionLog
    assert log[0] == kinds.START and log[-1] == kinds.STOP
    assert any(e.HasField("graph_def") for e in found)
    assert 4 in [e.step for e in found if e.HasField("summary")]
    with sv.managed_session() as sess:
        assert sess.run(["v:0", "global_step:0"]) == [5.0, 4]


def test_services_write(tmp_path) -> None:
    train = model()
    sv = tf.train.Supervisor(logdir=str(tmp_path), save_summaries_secs=0.05, save_model_secs=0.05)
    with sv.managed_session() as sess:
        sess.run(train)
        for _ in range(400):
            sv.coord.wait_for_stop(0.05)
            if tf.train.latest_checkpoint(str(tmp_path)):
                break
    assert tf.train.latest_checkpoint(str(tmp_path)).startswith(sv.save_path + "-")
    found = events(tmp_path)
    tags = {value.tag for e in found for value in e.summary.value}
    assert tags >= {"value", "global_step/sec"}
    assert tf.SessionLog.CHECKPOINT in [e.session_log.status for e in found]


def test_errors_come_out(tmp_path) -> None:
    model()
    sv = tf.train.Supervisor()
    with pytest.raises(KeyError, match="mine"), sv.managed_session():
        raise KeyError("mine")
    with pytest.raises(RuntimeError, match="requires a summary writer"):
        sv.summary_computed(None, b"")
    other = tf.train.Supervisor(is_chief=False, recovery_wait_secs=0.01)
    assert other.summary_writer is None and other.save_path is None
    with pytest.raises(RuntimeError, match="Only chief"):
        other.start_standard_services(None)
    with pytest.raises(tf.errors.DeadlineExceededError, match="not ready"):
        other.prepare_or_wait_for_session(max_wait_secs=0.05)


def test_loop_and_old_names() -> None:
    train = model()
    sv = tf.train.Supervisor(summary_op=None, saver=None)
    assert sv.summary_op is None and sv.saver is None
    sess = sv.PrepareSession()
    calls = []
    looper = sv.Loop(0.01, lambda *a, **k: calls.append((a, k)), args=(1,), kwargs={"b": 2})
    with sv.StopOnException():
        while len(calls) < 3:
            sv.coord.wait_for_stop(0.01)
    assert not sv.ShouldStop()
    sv.RequestStop()
    sv.WaitForStop()
    sv.Stop([looper])
    assert calls[0] == ((1,), {"b": 2}) and not looper.is_alive()
    sess.run(train)
    assert sv.StartStandardServices(sess) == sv.StartQueueRunners(sess) == []


def test_basic_train_loop() -> None:
    train = model()
    sv = tf.train.Supervisor()
    steps = []

    def one(sess, limit) -> None:
        steps.append(sess.run(train))
        if len(steps) == 2:
            raise tf.errors.AbortedError(None, None, "again")
        if steps[-1] == limit and len(steps) > 2:
            sv.request_stop()

    tf.train.basic_train_loop(sv, one, args=(3,))
    assert steps == [1, 2, 1, 2, 3]


def test_queue_runners_stop_with_it() -> None:
    queue = tf.FIFOQueue(2, tf.int32, shapes=[[]])
    runner = tf.train.QueueRunner(queue, [queue.enqueue(7)])
    tf.train.add_queue_runner(runner)
    item = queue.dequeue()
    sv = tf.train.Supervisor(saver=None)
    with sv.managed_session() as sess:
        assert [sess.run(item) for _ in range(3)] == [7, 7, 7]
    assert sv.should_stop()


def test_session_manager(tmp_path) -> None:
    v = tf.Variable(1.0, name="v")
    missing = tf.report_uninitialized_variables()
    init = tf.global_variables_initializer()
    saver = tf.train.Saver()
    manager = tf.train.SessionManager(ready_op=missing)
    with pytest.raises(RuntimeError, match="no init_op"):
        manager.prepare_session("")
    with pytest.raises(RuntimeError, match="Variables not initialized: v"):
        manager.prepare_session("", init_fn=lambda sess: None)
    assert not manager.recover_session("", saver, str(tmp_path))[1]
    with manager.prepare_session("", init_op=init) as sess:
        sess.run(v.assign(3.0))
        path = saver.save(sess, str(tmp_path / "m"))
    with manager.prepare_session("", saver=saver, checkpoint_dir=str(tmp_path)) as sess:
        assert sess.run(v) == 3.0
    found, restored = manager.recover_session("", saver, checkpoint_filename_with_path=path)
    assert restored and found.run(v) == 3.0
    with pytest.raises(ValueError, match="both"):
        manager.prepare_session("", init, saver, str(tmp_path), path)
    with pytest.raises(ValueError, match="local_init_op"):
        tf.train.SessionManager(ready_for_local_init_op=missing)
    with tf.train.SessionManager(local_init_op=init).prepare_session("") as sess:
        assert sess.run(v) == 1.0
    with tf.train.SessionManager().wait_for_session("") as sess:
        assert sess.graph is tf.get_default_graph()

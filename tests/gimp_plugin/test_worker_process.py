"""The plug-in's end of the pipes: the real worker, and others, are at the other end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from cutaway_gimp.plug_in.worker_process import (
    NotInstalled,
    OtherVersion,
    Worker,
    WorkerEnded,
    WorkerRefused,
    WorkerSilent,
    command,
    environment,
)
from tests.fakes.gimp_worker import ScriptedWorker

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway_gimp.plug_in.worker_process import Frame

REAL = [sys.executable, "-P", "-m", "cutaway_gimp.worker"]
BEGIN: dict[str, Any] = {"kind": "begin", "backend": "local", "options": {}, "fill": ""}
PICTURE: dict[str, Any] = {"kind": "picture", "name": "Photo", "width": 4, "height": 2, "depth": 8}
SECONDS = 30.0


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptedWorker:
    return ScriptedWorker(tmp_path / "worker", {}, sys.executable)


def start(scripted: ScriptedWorker, **environ: str) -> Worker:
    return Worker([str(scripted.python)], {**environment(os.environ), **environ}, SECONDS)


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def heard(worker: Worker) -> Frame:
    frame = worker.receive(SECONDS)
    assert frame is not None
    return frame


def send_without_end(worker: Worker) -> None:
    for top in count():
        worker.send({"kind": "rows", "top": top, "rows": 1}, bytes(1 << 20))


def python_that(tmp_path: Path, code: str) -> list[str]:
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    return [sys.executable, str(program)]


def test_the_real_worker_says_hello_and_answers():
    with Worker(REAL, environment(os.environ)) as worker:
        worker.send(BEGIN)
        assert heard(worker)[0]["kind"] == "ready"


def test_a_picture_goes_there_and_comes_back(scripted: ScriptedWorker):
    with start(scripted) as worker:
        worker.send(BEGIN)
        heard(worker)
        worker.send({**PICTURE, "want": "visible"})
        worker.send({"kind": "rows", "top": 0, "rows": 2}, bytes(32))
        kinds = [heard(worker)[0]["kind"] for _ in range(3)]
    assert kinds == ["found", "rows", "done"]


def test_what_the_worker_refuses_is_told_in_its_own_words():
    with Worker(REAL, environment(os.environ)) as worker:
        worker.send({**BEGIN, "options": {"model": "nonsense"}})
        with pytest.raises(WorkerRefused) as refused:
            heard(worker)
    assert refused.value.code == "unknown-model"
    assert refused.value.text.startswith("There is no model nonsense.")
    assert refused.value.task_uuid == ""


def test_a_task_that_may_have_been_paid_is_told(scripted: ScriptedWorker):
    scripted.play({"begin": {"kind": "error", "task_uuid": "e8e3b0f4"}})
    with start(scripted) as worker:
        worker.send(BEGIN)
        with pytest.raises(WorkerRefused) as refused:
            heard(worker)
    assert refused.value.task_uuid == "e8e3b0f4"


def test_nothing_said_in_time_is_nothing(scripted: ScriptedWorker):
    with start(scripted) as worker:
        assert worker.receive(0.01) is None
        assert worker.receive(0) is None


def test_a_worker_that_ends_is_told_with_its_code_and_the_end_of_its_log(tmp_path: Path):
    lines = "import sys\nfor n in range(40): print('line', n, file=sys.stderr)\nsys.exit(7)"
    with pytest.raises(WorkerEnded) as ended:
        Worker(python_that(tmp_path, lines), environment(os.environ), SECONDS)
    assert ended.value.code == 7
    assert ended.value.log.splitlines()[-1] == "line 39"
    assert len(ended.value.log.splitlines()) == 15


def test_a_worker_that_ends_stays_ended(scripted: ScriptedWorker):
    scripted.play({"pictures": [{"exit": 5, "after": "header"}]})
    with start(scripted) as worker:
        worker.send(BEGIN)
        heard(worker)
        worker.send({**PICTURE, "want": "matte"})
        for _ in range(2):
            with pytest.raises(WorkerEnded) as ended:
                heard(worker)
            assert ended.value.code == 5


@pytest.mark.parametrize(
    ("scene", "expected"),
    [({"error": {"code": "memory"}, "after": "header"}, WorkerRefused), ({"exit": 4}, WorkerEnded)],
)
def test_what_went_wrong_is_told_though_the_worker_no_longer_listens(
    tmp_path: Path, scene: dict[str, Any], expected: type[Exception]
):
    told = (
        json.dumps({"kind": "error", "code": "memory", "text": "No more."})
        if "error" in scene
        else ""
    )
    lines = [
        "import sys, os",
        'print(\'{"kind": "hello", "protocol": 1}\', flush=True)',
        "sys.stdin.readline()",
        "os.close(0)",
        f"print({told!r}, flush=True)" if told else "",
        "sys.exit(4)",
    ]
    with Worker(python_that(tmp_path, "\n".join(lines)), environment(os.environ)) as worker:
        worker.send(BEGIN)
        with pytest.raises(expected):
            send_without_end(worker)


def test_what_is_no_frame_is_the_end_of_a_worker(tmp_path: Path):
    lines = (
        'import sys\nprint(\'{"kind": "hello", "protocol": 1}\\nsurprise\', flush=True)\n'
        "sys.stdin.read()"
    )
    with Worker(python_that(tmp_path, lines), environment(os.environ)) as worker:
        with pytest.raises(WorkerEnded, match="no JSON"):
            heard(worker)
        assert not is_running(worker.process_id)


def test_another_protocol_is_told_at_once(scripted: ScriptedWorker):
    scripted.play({"hello": {"protocol": 2}})
    with pytest.raises(OtherVersion):
        start(scripted)


def test_a_worker_that_never_says_hello_is_given_up_and_gone(scripted: ScriptedWorker):
    scripted.play({"hello": False})
    with scripted.watched() as events:
        with pytest.raises(WorkerSilent):
            Worker([str(scripted.python)], environment(os.environ), 1.0)
        events.wait_until_gone()


def test_closing_ends_a_worker_that_is_at_work(scripted: ScriptedWorker):
    scripted.play({"pictures": [{"hang": True, "after": "header"}]})
    with scripted.watched() as events:
        with start(scripted) as worker:
            worker.send(BEGIN)
            worker.send({**PICTURE, "want": "matte"})
            events.wait_for("hanging")
        assert not is_running(worker.process_id)
    assert scripted.log[-1] == {"event": "exit", "status": 3}


def test_closing_kills_a_worker_that_goes_on(tmp_path: Path):
    lines = (
        'import signal\nprint(\'{"kind": "hello", "protocol": 1}\', flush=True)\n'
        "while True: signal.pause()"
    )
    worker = Worker(python_that(tmp_path, lines), environment(os.environ))
    worker.close()
    assert not is_running(worker.process_id)


def test_more_pixels_than_anyone_reads_do_not_keep_a_worker_from_ending(tmp_path: Path):
    lines = (
        "import sys\nout = sys.stdout.buffer\n"
        'out.write(b\'{"kind": "hello", "protocol": 1}\\n\')\n'
        'rows = b\'{"kind": "rows", "bytes": 1000000}\\n\' + bytes(1000000)\n'
        "for _ in range(20): out.write(rows)\n"
        "out.flush()\nsys.stdin.read()"
    )
    worker = Worker(python_that(tmp_path, lines), environment(os.environ))
    heard(worker)
    worker.close()
    assert not is_running(worker.process_id)


def test_a_killed_plug_in_takes_its_worker_along(scripted: ScriptedWorker):
    """As GIMP's Cancel does it, with a process beside that was started after the worker."""
    scripted.play({"pictures": [{"hang": True, "after": "header"}]})
    code = f"""
import os, subprocess, sys
from cutaway_gimp.plug_in.worker_process import Worker, environment
worker = Worker([{str(scripted.python)!r}], environment(os.environ))
worker.send({BEGIN!r})
worker.send({ {**PICTURE, "want": "matte"}!r})
beside = subprocess.Popen(["sleep", "1000"], close_fds=False)
print(beside.pid, flush=True)
worker.receive(1000)
"""
    with scripted.watched() as events:
        plug_in = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert plug_in.stdout is not None
        with plug_in, plug_in.stdout:
            beside = int(plug_in.stdout.readline())
            events.wait_for("hanging")
            plug_in.kill()
            events.wait_until_gone()
    os.kill(beside, 9)
    assert scripted.log[-1]["event"] == "exit"


def test_a_worker_has_a_session_of_its_own(scripted: ScriptedWorker):
    with start(scripted) as worker:
        assert os.getsid(worker.process_id) == worker.process_id != os.getsid(0)


def test_nothing_of_gimps_own_python_reaches_the_worker(scripted: ScriptedWorker):
    foreign = {
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/nowhere",
        "LD_LIBRARY_PATH": "/nowhere",
        "DYLD_INSERT_LIBRARIES": "/nowhere",
        "GI_TYPELIB_PATH": "/nowhere",
        "GIO_MODULE_DIR": "/nowhere",
        "GTK_PATH": "/nowhere",
        "GDK_PIXBUF_MODULE_FILE": "/nowhere",
    }
    kept = {"HOME": "/home/someone", "PATH": os.environ["PATH"], "CUTAWAY_THREADS": "1"}
    with Worker([str(scripted.python)], environment({**foreign, **kept}), SECONDS):
        pass
    told = scripted.log[0]["environment"]
    assert kept.items() <= told.items()
    assert not foreign.keys() & told.keys()


def test_the_command_is_the_one_that_the_installation_noted(tmp_path: Path):
    (tmp_path / "installed.json").write_text('{"python": "/opt/a b/python"}', encoding="utf-8")
    words = ["/opt/a b/python", "-P", "-m", "cutaway_gimp.worker"]
    assert command(tmp_path) == words
    assert command(tmp_path, sandboxed=True) == [
        *("flatpak-spawn", "--host", "--watch-bus"),
        *words,
    ]


@pytest.mark.parametrize("note", [None, "", "[]", "{}", "null", '"python"'])
def test_without_a_note_of_the_installation_nothing_is_started(tmp_path: Path, note: str | None):
    if note is not None:
        (tmp_path / "installed.json").write_text(note, encoding="utf-8")
    with pytest.raises(NotInstalled, match=r"installed\.json"):
        command(tmp_path)


def test_a_python_that_is_gone_is_told(tmp_path: Path):
    with pytest.raises(NotInstalled, match="no-python"):
        Worker([str(tmp_path / "no-python")], environment(os.environ))


def test_a_python_without_cutaway_is_told_by_its_own_log():
    bare = [sys.executable, "-I", "-S", "-m", "cutaway_gimp.worker"]
    with pytest.raises(WorkerEnded, match="No module named"):
        Worker(bare, environment(os.environ))

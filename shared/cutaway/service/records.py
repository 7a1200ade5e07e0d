"""What a service must not forget: tasks, media and deliveries, in one SQLite file.

A task is open until it has an outcome. What was promised to somebody (an asynchronous task) is
written through to the disk before anyone is told; the rest survives this process, not the machine.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from cutaway.errors import ConfigError, OutputError
from cutaway.service import refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Delivery", "DeliveryKind", "Media", "MediaKind", "Records", "TaskRecord", "TaskState"]

MediaKind = Literal["result", "input", "upload"]
TaskState = Literal["open", "success", "error"]
DeliveryKind = Literal["webhook", "upload"]

_MIGRATIONS = (
    """
    CREATE TABLE tasks (
        uuid TEXT PRIMARY KEY, owner TEXT NOT NULL, state TEXT NOT NULL, promised INTEGER NOT NULL,
        message TEXT NOT NULL, model TEXT NOT NULL, image_uuid TEXT NOT NULL, input_uuid TEXT,
        base_url TEXT NOT NULL, accepted REAL NOT NULL, starts INTEGER NOT NULL, outcome TEXT,
        expires REAL
    ) WITHOUT ROWID;
    CREATE INDEX open_tasks ON tasks (starts, accepted) WHERE state = 'open';
    CREATE INDEX tasks_by_end ON tasks (expires);
    CREATE TABLE media (
        uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, suffix TEXT NOT NULL,
        size INTEGER NOT NULL, kind TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX media_by_end ON media (expires);
    CREATE INDEX media_by_age ON media (created);
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY, task TEXT NOT NULL REFERENCES tasks (uuid) ON DELETE CASCADE,
        kind TEXT NOT NULL, url TEXT NOT NULL, receiver TEXT NOT NULL, tries INTEGER NOT NULL,
        due REAL NOT NULL
    );
    CREATE INDEX deliveries_by_task ON deliveries (task);
    CREATE INDEX deliveries_by_due ON deliveries (due);
    """,
)
"""What brings the file from each version to the next; its `user_version` counts them."""

_NEEDED = """
    SELECT input_uuid FROM tasks WHERE state = 'open' AND input_uuid IS NOT NULL
    UNION SELECT image_uuid FROM tasks JOIN deliveries ON deliveries.task = tasks.uuid
"""
"""Media that an open task works on, or that are still to be delivered."""

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One accepted task.

    Attributes:
        uuid: Its UUID, in lower case.
        owner: Whose it is.
        state: Open, or how it ended.
        promised: Whether its caller has been told that it will be done.
        message: The task in the words of the wire; its picture a UUID or a URL.
        model: The local model that it was accepted for.
        image_uuid: The UUID that its result has or will have.
        input_uuid: The stored picture that it works on, as soon as there is one.
        base_url: What the URLs of its media begin with.
        accepted: When, in seconds since the epoch.
        starts: How often work on it began.
        outcome: What came of it, once it isn't open.
        expires: When that is forgotten, in seconds since the epoch.
    """

    uuid: str
    owner: str
    state: TaskState = "open"
    promised: bool
    message: dict[str, Any]
    model: str
    image_uuid: str
    input_uuid: str | None
    base_url: str
    accepted: float
    starts: int = 0
    outcome: dict[str, Any] | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One stored picture.

    Attributes:
        uuid: What names it on the wire, in lower case.
        name: Its file, and the last part of its URL, which nobody can guess.
        suffix: Such as `.png`.
        size: Bytes.
        kind: What it is kept for.
        created: When, in seconds since the epoch.
        expires: When it can no longer be had, in seconds since the epoch.
    """

    uuid: str
    name: str
    suffix: str
    size: int
    kind: MediaKind
    created: float
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one receiver is still to get of one task.

    Attributes:
        id: Its number.
        task: The task's UUID.
        kind: A webhook gets the result as JSON, an upload its bytes.
        url: Where to; it may hold secrets.
        receiver: The origin of that, by which busy receivers are told.
        tries: How often it failed.
        due: When to try next, in seconds since the epoch.
    """

    id: int = 0
    task: str
    kind: DeliveryKind
    url: str
    receiver: str
    tries: int = 0
    due: float


class Records:
    """One service's memory. Its methods block, for about a tenth of a millisecond unless what they
    write is durable, and any thread may call them.

    Args:
        folder: Where `records.sqlite` is; made if missing, for this user's eyes only.

    Raises:
        ConfigError: another service uses the folder, or the file is damaged, of a later version or
            can't be opened.
    """  # noqa: D205  (two facts, one sentence)

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        path = folder / "records.sqlite"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim = FileLock(folder / "lock", thread_local=False)
            self._claim.acquire(blocking=False)
        except Timeout as error:
            raise _unusable(folder, "another `cutaway serve` uses it") from error
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from error
        try:
            self._connection = _opened(path)
        except sqlite3.Error as error:
            self._claim.release()
            raise _unusable(path, str(error)) from error
        except ConfigError:
            self._claim.release()
            raise

    def close(self) -> None:
        """Close the file and give the folder free."""
        with self._lock:
            self._connection.close()
            self._claim.release()

    # Tasks

    def accept(self, task: TaskRecord) -> None:
        """Take in an open task; on return a promised one outlives a power cut.

        Raises:
            Refusal: `conflictTaskUUID`, its UUID is taken.
            OutputError: the disk is full or fails.
        """
        columns = ", ".join(field.name for field in fields(task))
        marks = ", ".join("?" * len(fields(task)))
        with self._writing(durable=task.promised) as connection:
            try:
                connection.execute(
                    f"INSERT INTO tasks ({columns}) VALUES ({marks})",  # noqa: S608  (our names)
                    [_stored(getattr(task, field.name)) for field in fields(task)],
                )
            except sqlite3.IntegrityError as error:
                raise refusals.conflict(task.uuid) from error

    def task(self, uuid: str) -> TaskRecord | None:
        """The task of a UUID in lower case, if it is known (any more)."""
        rows = self._read("SELECT * FROM tasks WHERE uuid = ?", [uuid])
        return _task(rows[0]) if rows else None

    def open_tasks(self) -> list[TaskRecord]:
        """Tasks without an outcome: those whose work began least often first, then the oldest."""
        return [
            _task(row)
            for row in self._read(
                "SELECT * FROM tasks WHERE state = 'open' ORDER BY starts, accepted"
            )
        ]

    def begin(self, uuid: str, input_uuid: str | None = None) -> int:
        """Note that work on a task begins; give how often it has begun. With its input, if new."""
        with self._writing() as connection:
            row = connection.execute(
                "UPDATE tasks SET starts = starts + 1, input_uuid = coalesce(?, input_uuid)"
                " WHERE uuid = ? RETURNING starts",
                [input_uuid, uuid],
            ).fetchone()
        return int(row["starts"]) if row else 0

    def finish(
        self,
        uuid: str,
        state: Literal["success", "error"],
        outcome: dict[str, Any],
        *,
        expires: float,
        deliveries: Iterable[Delivery] = (),
        durable: bool,
    ) -> None:
        """Give an open task its outcome and its deliveries; both or neither are kept.

        Raises:
            OutputError: the disk is full or fails.
        """
        with self._writing(durable=durable) as connection:
            changed = connection.execute(
                "UPDATE tasks SET state = ?, outcome = ?, expires = ?"
                " WHERE uuid = ? AND state = 'open'",
                [state, json.dumps(outcome), expires, uuid],
            ).rowcount
            if changed:
                connection.executemany(
                    "INSERT INTO deliveries (task, kind, url, receiver, tries, due)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    [(uuid, d.kind, d.url, d.receiver, d.tries, d.due) for d in deliveries],
                )

    def forget_tasks(self, now: float) -> int:
        """Drop the tasks that expired and have nothing to deliver; give their number."""
        with self._writing() as connection:
            return connection.execute(
                "DELETE FROM tasks WHERE expires <= ?"
                " AND uuid NOT IN (SELECT task FROM deliveries)",
                [now],
            ).rowcount

    # Media

    def add_media(self, media: Media, *, durable: bool = False) -> None:
        """Take note of a stored picture; one of the same UUID is superseded."""
        with self._writing(durable=durable) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?)",
                [getattr(media, field.name) for field in fields(media)],
            )

    def media(self, uuid: str) -> Media | None:
        """The picture of a UUID in lower case, expired or not."""
        rows = self._read("SELECT * FROM media WHERE uuid = ?", [uuid])
        return Media(**rows[0]) if rows else None

    def media_named(self, name: str) -> Media | None:
        """The picture whose file has this very name, expired or not."""
        rows = self._read("SELECT * FROM media WHERE name = ?", [name])
        return Media(**rows[0]) if rows else None

    def lengthen(self, uuid: str, expires: float) -> None:
        """Let a picture live on until then."""
        with self._writing() as connection:
            connection.execute("UPDATE media SET expires = ? WHERE uuid = ?", [expires, uuid])

    def drop_media(self, uuid: str, now: float) -> Media | None:
        """Forget a picture, and give it if its file can go; one still needed only expires."""
        with self._writing() as connection:
            dropped = connection.execute(
                f"DELETE FROM media WHERE uuid = ? AND uuid NOT IN ({_NEEDED}) RETURNING *",  # noqa: S608
                [uuid],
            ).fetchall()
            connection.execute(
                "UPDATE media SET expires = min(expires, ?) WHERE uuid = ?", [now, uuid]
            )
        return Media(**dropped[0]) if dropped else None

    def drop_expired_media(self, now: float) -> list[Media]:
        """Forget a batch of pictures that expired and aren't needed; their files can go."""
        return self._dropped("expires <= ? ORDER BY expires LIMIT ?", [now, _BATCH])

    def drop_oldest_media(self) -> list[Media]:
        """Forget a few of the oldest inputs and results that aren't needed; their files can go."""
        return self._dropped("kind != 'upload' ORDER BY created LIMIT ?", [8])

    def media_bytes(self) -> int:
        """How many bytes all pictures have."""
        return int(self._read("SELECT coalesce(sum(size), 0) AS bytes FROM media")[0]["bytes"])

    # Deliveries

    def due(
        self, now: float, count: int, *, underway: Sequence[int], busy: Sequence[str]
    ) -> list[Delivery]:
        """At most `count` deliveries whose time has come, but none of those, or to those."""
        ids, receivers = ", ".join("?" * len(underway)), ", ".join("?" * len(busy))
        rows = self._read(
            f"SELECT * FROM deliveries WHERE due <= ? AND id NOT IN ({ids})"  # noqa: S608  (marks)
            f" AND receiver NOT IN ({receivers}) ORDER BY due, id LIMIT ?",
            [now, *underway, *busy, count],
        )
        return [Delivery(**row) for row in rows]

    def next_due(self, after: float) -> float | None:
        """When the first delivery is due that isn't yet."""
        row = self._read("SELECT min(due) AS due FROM deliveries WHERE due > ?", [after])[0]
        return None if row["due"] is None else float(row["due"])

    def put_off(self, delivery: int, due: float) -> None:
        """Note that a delivery failed, and when to try again."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE deliveries SET tries = tries + 1, due = ? WHERE id = ?", [due, delivery]
            )

    def settle(self, delivery: int) -> None:
        """Note that a delivery was taken, or given up."""
        with self._writing() as connection:
            connection.execute("DELETE FROM deliveries WHERE id = ?", [delivery])

    def _dropped(self, condition: str, values: list[Any]) -> list[Media]:
        statement = (
            "DELETE FROM media WHERE uuid IN (SELECT uuid FROM media"  # noqa: S608  (our words)
            f" WHERE uuid NOT IN ({_NEEDED}) AND {condition}) RETURNING *"
        )
        with self._writing() as connection:
            return [Media(**row) for row in connection.execute(statement, values).fetchall()]

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._lock, _translated():
            return list(self._connection.execute(statement, values).fetchall())

    @contextmanager
    def _writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction; a durable one is on the disk when it ends, and all before it are too."""
        with self._lock, _translated():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.row_factory = _by_name
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()["user_version"]
    if version > len(_MIGRATIONS):
        raise _unusable(path, "a later version of Cutaway wrote it")
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")


def _by_name(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _stored(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


def _task(row: dict[str, Any]) -> TaskRecord:
    outcome = row["outcome"]
    read = {
        "promised": bool(row["promised"]),
        "message": json.loads(row["message"]),
        "outcome": None if outcome is None else json.loads(outcome),
    }
    return TaskRecord(**{**row, **read})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(
            "the service's records could not be used",
            str(error),
            "Check that its folder can be written to and has room",
        ) from error


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} can't be used", why, "Stop the other, mend or remove it, or choose another folder"
    )

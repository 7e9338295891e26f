"""What is true of the database that a table lies in, whoever asks it."""

from __future__ import annotations

import gc

from chainrule.data.tables.database import Database
from forks import in_child


def test_a_child_leaves_the_database_of_its_parent_alone() -> None:
    """Its threads do not follow a fork: to close it would wait for them, or end the child."""
    database = Database(on_disk=False)
    database.execute("CREATE TABLE raw AS SELECT range AS i FROM range(300000)")
    held = [database]

    def forget() -> None:
        nonlocal database
        held.clear()
        del database
        gc.collect()

    def close() -> None:
        held[0].close()

    for work in (forget, close):
        assert in_child(work, deadline=60) == 0
    assert database.execute("SELECT sum(i) FROM raw") == [(300000 * 299999 // 2,)]
    assert database.folder.exists()
    database.close()
    assert not database.folder.exists()

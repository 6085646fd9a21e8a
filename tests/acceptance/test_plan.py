"""`loader plan` as a user runs it: what it says comes true, and it leaves no trace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.conftest import MakeTopic
from tests.pipelines import KINDS, Pipeline, order, tell
from tests.servers import topics
from tests.servers.command import Cli
from tests.servers.topics import Message

NAMES = ("consumed", "loaded", "duplicates", "quarantined", "skipped")


@pytest.fixture(params=KINDS)
def pipeline(kafka: str, topic: MakeTopic, cli: Cli, request: pytest.FixtureRequest) -> Pipeline:
    """A pipeline and a topic with 1,000 orders and faults, of which nothing is loaded yet."""
    made = Pipeline(cli, kafka, topic(partitions=3), request.param)
    topics.produce(kafka, made.topic, tell(1_000, seed=1).messages)
    return made


def everything(folder: Path) -> dict[str, bytes]:
    """Each file of a folder and what it holds."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def groups(pipeline: Pipeline) -> set[str]:
    """All consumer groups that the broker knows."""
    admin = AdminClient({"bootstrap.servers": pipeline.bootstrap})
    return {group.group_id for group in admin.list_consumer_groups(request_timeout=10).result(20).valid}


def counts(result: dict[str, int]) -> tuple[int, ...]:
    """The five counts of a load."""
    return tuple(result[name] for name in NAMES)


def with_column(pipeline: Pipeline, line: str) -> None:
    """Add a line to the end of the contract."""
    text = pipeline.file.read_text()
    pipeline.file.write_text(text.replace("[kafka.client]", f"{line}\n[kafka.client]"))


def test_before_the_first_load_it_foresees_all_and_leaves_no_trace(pipeline: Pipeline) -> None:
    """No warehouse, no file, no group: and the counts are those of the load that follows."""
    before = everything(pipeline.folder), {path.name for path in pipeline.folder.iterdir()}
    planned = pipeline("plan")
    assert planned.code == 0, planned.err
    assert (everything(pipeline.folder), {path.name for path in pipeline.folder.iterdir()}) == before
    assert pipeline.group not in groups(pipeline)
    assert pipeline.acknowledged() == {}
    told = planned.json
    assert (told["table"]["state"], told["sample"]["complete"]) == ("new", True)
    loaded = pipeline("load", "--accept-quarantine")
    assert counts(told["records"]) == counts(loaded.json)
    assert told["estimate"]["rows"] == loaded.json["loaded"]
    files = list(pipeline.folder.rglob("main/orders/*.parquet"))
    assert told["estimate"]["files"] == len(files)
    if files:
        assert 0.5 < told["estimate"]["bytes"] / sum(file.stat().st_size for file in files) < 2
    pipeline.verify()


def test_beside_loaded_rows_it_reads_on_and_changes_nothing(pipeline: Pipeline) -> None:
    """From the committed offsets, duplicates by the table; bytes, offsets and group stay as they were."""
    assert pipeline("load", "--max-records", 600).code == 0
    acknowledged, before = pipeline.acknowledged(), everything(pipeline.folder)
    planned = pipeline("plan")
    again = pipeline("plan", "--from", "earliest")
    assert planned.code == again.code == 0, planned.err + again.err
    after = everything(pipeline.folder)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
    assert pipeline.acknowledged() == acknowledged
    assert counts(planned.json["records"]) == counts(pipeline("load").json)
    assert planned.json["table"]["state"] == "same"
    assert again.json["records"]["duplicates"] >= 600 * 0.9
    assert again.json["records"]["consumed"] == len(tell(1_000, seed=1).messages)
    nothing = pipeline("plan").json
    assert (nothing["sample"]["of"], nothing["records"]["consumed"]) == (0, 0)


def test_the_files_of_a_parted_table_are_foreseen(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """A file for each day with rows enough, in the folders that the load makes."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1))
    text = pipeline.file.read_text()
    parted = '[table]\npartition_by = "day(timestamp)"\n'
    assert "[table]\n" in text
    pipeline.file.write_text(text.replace("[table]\n", parted))
    days = [3] * 200 + [4] * 100 + [5] * 10
    values = [
        json.dumps({**json.loads(order(n)), "timestamp": f"2026-03-{day:02d}T10:00:00Z"}).encode()
        for n, day in enumerate(days)
    ]
    topics.produce(kafka, pipeline.topic, values)
    planned, said = pipeline("plan").json, pipeline.cli("-c", pipeline.file, "plan").out
    assert "  its files are parted by day(timestamp)" in said
    assert re.search(r"310 rows in 1 batch, .* in 2 files in 2 folders", said), said
    assert pipeline("load").code == 0
    root = next(pipeline.folder.rglob("main/orders"))
    made = sorted(str(file.parent.relative_to(root)) for file in root.rglob("*.parquet"))
    assert sorted(planned["estimate"]["folders"]) == made
    assert planned["estimate"]["files"] == len(made)


def test_a_sample_says_that_it_is_one(pipeline: Pipeline) -> None:
    """--max-records is spread over the partitions; the rest is estimated."""
    planned = pipeline("plan", "--max-records", 100).json
    sample = planned["sample"]
    assert (sample["records"], sample["complete"]) == (100, False)
    assert sorted(part["end"] - part["begin"] for part in sample["partitions"].values()) == [33, 33, 34]
    assert sample["of"] == len(tell(1_000, seed=1).messages)
    assert planned["estimate"]["rows"] == pytest.approx(1_000, rel=0.15)


def test_the_text_names_reasons_and_examples(kafka: str, topic: MakeTopic, cli: Cli) -> None:
    """Each reason with its count and one record; what stands where; that the load would stop."""
    pipeline = Pipeline(cli, kafka, topic(partitions=1))
    bad = json.dumps({**json.loads(order(1)), "order_id": "B", "amount": "a lot"}).encode()
    values = [order(1), order(1), *[order(n) for n in range(2, 100)], *[bad] * 20, b"{"]
    topics.produce(kafka, pipeline.topic, [Message(value, partition=0) for value in values])
    said = pipeline.cli("-c", pipeline.file, "plan")
    assert said.code == 0, said.err
    name = pipeline.topic
    for line in (
        "table orders would be created",
        "  user_id    BIGINT  (may be missing)",
        "read all 121 records from where the next load begins",
        "  99 would be loaded",
        f"  1 duplicate, e.g. {name}[0]@1: ORD0000001 stands at {name}[0]@0",
        "  21 would go to quarantine",
        f'    20 x amount: type, e.g. {name}[0]@100 amount: "a lot" is not a DECIMAL(18,2)',
        "the load would stop: too many would go to quarantine (limits.quarantine = 0.1)",
    ):
        assert line in said.out, said.out
    assert "99 rows in 1 batch, " in said.out


def test_a_contract_change_is_foreseen(pipeline: Pipeline) -> None:
    """Plan and `check --connect` say what the next batch changes, and do not change it; load does."""
    assert pipeline("load", "--max-records", 600).code == 0
    with_column(pipeline, 'currency = { type = "VARCHAR", required = false }')
    pipeline.file.write_text(pipeline.file.read_text().replace("DECIMAL(18,2)", "DECIMAL(20,2)"))
    before = everything(pipeline.folder)
    planned = pipeline("plan")
    assert planned.code == 0, planned.err
    assert planned.json["table"]["state"] == "changed"
    changes = ["amount DECIMAL(18,2) becomes DECIMAL(20,2)", "currency VARCHAR is new"]
    assert planned.json["table"]["changes"] == changes
    assert everything(pipeline.folder) == before
    assert pipeline("verify", "--deep").code == 0
    checked = pipeline("check", "--connect")
    assert checked.json["checks"]["table"] == f"ok, the next batch changes it: {'; '.join(changes)}"
    assert counts(planned.json["records"]) == counts(pipeline("load").json)
    assert pipeline("plan").json["table"]["state"] == "same"
    assert pipeline("check", "--connect").json["checks"]["table"] == "ok, as the contract says"
    deep = pipeline("verify", "--deep")
    assert deep.code == 0, deep.out


def test_a_change_that_is_refused_is_told_by_plan_check_and_load(pipeline: Pipeline) -> None:
    """Exit 1 from all three, the column and a way on from all three, and nothing changed."""
    assert pipeline("load", "--max-records", 600).code == 0
    text = pipeline.file.read_text()
    pipeline.file.write_text(text.replace("user_id = {", "# user_id = {"))
    before = everything(pipeline.folder)
    words = "user_id BIGINT is not in the contract (keep it with required = false)"
    planned = pipeline("plan")
    assert everything(pipeline.folder) == before
    checked, loaded = pipeline("check", "--connect"), pipeline("load")
    assert (planned.code, checked.code, loaded.code) == (1, 1, 1)
    assert planned.json["table"]["refused"] == [words]
    assert words in checked.json["checks"]["table"]
    assert words in loaded.json["error"]["message"]
    assert loaded.json["error"]["kind"] == "warehouse_mismatch"


def test_without_broker_or_topic_it_says_what_load_would_say(kafka: str, cli: Cli) -> None:
    """A missing topic is exit 1, a broker that is away exit 75."""
    assert Pipeline(cli, kafka, "no-such-topic")("plan").json["error"]["kind"] == "topic_missing"
    assert Pipeline(cli, "localhost:1", "orders", name="away")("plan").code == 75

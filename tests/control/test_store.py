"""The store: what is written is read back; what can't be read is refused and not touched."""

import sqlite3
from dataclasses import replace

import pytest

from qplane.control import ArbitrationError, StoreError
from qplane.control.codec import DecodeError, decode, encode
from qplane.control.intent import Base, Intent, Standing
from qplane.control.plans import CircuitPlan, plan_circuits
from qplane.control.store import SCHEMA_VERSION, Store

from .networks import chain, discovered, random_network

CIRCUITS = [("long", "n0", "n3", "slots = 2"), ("short", "n2", "n1", 'cutoff = "3 ms"')]


def small():
    return chain(4, circuits=CIRCUITS)


def standings(net):
    circuits = list(net.circuits.values())
    plans = plan_circuits(discovered(net), circuits)
    return [Standing(c, plan) for c, plan in zip(circuits, plans, strict=True)]


def opened(path, net):
    store = Store(path, net)
    store.claim(10)
    return store


def test_what_was_committed_is_read_back_by_another(tmp_path):
    net, path = small(), tmp_path / "intent.db"
    long, short = standings(net)
    intent = Intent(Base.CLASSICAL, serial=7).put(
        replace(long, generating=True), replace(short, version=3)
    )
    store = opened(path, net)
    store.begin(Intent(), intent)
    store.commit(Intent(), intent)
    store.save_devices(discovered(net).devices)
    store.close()
    remembered = Store(path, net).load()
    assert remembered.intent == intent
    assert list(remembered.intent.circuits) == list(intent.circuits)
    assert remembered.devices == discovered(net).devices
    assert remembered.interrupted == ()


def test_a_change_that_was_begun_and_not_committed_is_told_apart(tmp_path):
    net, path = small(), tmp_path / "intent.db"
    long, short = standings(net)
    store = opened(path, net)
    one, both = Intent().put(long), Intent().put(long, short)
    store.commit(Intent(), one)
    store.begin(one, both)
    store.close()
    again = opened(path, net)
    assert again.load().intent == one
    assert again.load().interrupted == (short,)
    again.abort()
    assert again.load().interrupted == ()


def test_plans_of_random_networks_survive(tmp_path):
    for seed in range(5):
        circuits = [(f"c{i}", f"n{i}", f"n{(i + 4) % 9}", "slots = 1") for i in range(9)]
        net = random_network(seed, 9, circuits=circuits, slots=64)
        for standing in standings(net):
            assert decode(Standing, encode(standing), net) == standing


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text[:-1], "not JSON"),
        (lambda text: text.replace('"version":0', '"version":"0"'), r"Standing.version: '0' is no"),
        (lambda text: text.replace('"version":0', '"verses":0'), "Standing: no field verses"),
        (lambda text: text.replace('"n1",1', '"n1",7'), "the network has no link n0 port 1 - n1"),
        (lambda text: text.replace('"side":1', '"side":9'), "side: 9 is not a valid Side"),
        (lambda text: text.replace('"slots":2', '"slots":true', 1), "slots: True is no int"),
    ],
)
def test_data_that_is_not_a_plan_is_refused_with_its_place(change, problem):
    net = small()
    text = encode(standings(net)[0])
    with pytest.raises(DecodeError, match=problem):
        decode(Standing, change(text), net)


def test_a_field_that_was_added_later_takes_its_default():
    net = small()
    text = encode(standings(net)[0])
    older = text.replace(',"generating":false,"draining":false,"used":false', "")
    assert older != text
    assert decode(Standing, older, net) == standings(net)[0]
    assert decode(CircuitPlan, encode(standings(net)[0].plan), net).name == "long"


def test_only_who_claimed_last_may_write(tmp_path):
    net, path = small(), tmp_path / "intent.db"
    first, second = Store(path, net), Store(path, net)
    assert first.claim(10) == 10
    first.begin(Intent(), Intent().put(*standings(net)))
    assert second.claim(10) == 11
    for write in (lambda: first.commit(Intent(), Intent()), first.abort):
        with pytest.raises(ArbitrationError, match=r"another controller .*epoch 11, ours 10"):
            write()
    second.abort()
    assert first.claim(50) == 50


# ---- files that can't be read ----


def refused(path, net, problem):
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(path, net).load()
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def filled(path, net):
    store = opened(path, net)
    store.commit(Intent(), Intent().put(*standings(net)))
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


def test_a_store_of_another_version(tmp_path):
    net, path = small(), filled(tmp_path / "intent.db", small())
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    refused(path, net, f"has version {SCHEMA_VERSION + 1}, this qplane reads version")


def test_a_database_of_somebody_elses(tmp_path):
    path = tmp_path / "music.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE song (title)")
    db.close()
    refused(path, small(), "not a store of qplane's")


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text("[network]\n" * 200)
    refused(path, small(), "is damaged: file is not a database")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_that_was_cut_short_or_overwritten(tmp_path, part):
    net, path = small(), filled(tmp_path / "intent.db", small())
    data = path.read_bytes()
    page = int(len(data) * part) // 4096 * 4096
    path.write_bytes(data[:page] + b"\xa5" * 4096 + data[page + 4096 :])
    refused(path, net, "is damaged")


def test_a_plan_over_a_link_that_is_gone(tmp_path):
    path = filled(tmp_path / "intent.db", small())
    refused(path, chain(3), "circuit long: Standing")


def test_a_store_of_another_network(tmp_path):
    path = filled(tmp_path / "intent.db", small())
    refused(path, replace(small(), name="other"), "belongs to the network test, not to other")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="can't be used: unable to open database file"):
        Store(tmp_path / "no" / "intent.db", small())

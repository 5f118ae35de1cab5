"""Client arbitration: who becomes primary, who hears of it, and with which status."""

from __future__ import annotations

import pytest
from finsy.proto import p4r, stratum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qplane.switch.arbitration import Arbiter
from qplane.switch.errors import Code, StatusError

from .conftest import Bench

OK, BACKUP, NOBODY = Code.OK, Code.ALREADY_EXISTS, Code.NOT_FOUND


def test_the_first_client_with_an_election_id_becomes_primary(bench: Bench) -> None:
    assert bench.client().arbitrate(7) == (OK, 7)


def test_election_id_zero_is_a_set_value_and_can_be_primary(bench: Bench) -> None:
    assert bench.client().arbitrate(0) == (OK, 0)


def test_election_ids_have_128_bits(bench: Bench) -> None:
    high = (1 << 128) - 1
    assert bench.client().arbitrate(1 << 64) == (OK, 1 << 64)
    assert bench.client().arbitrate(high) == (OK, high)
    assert bench.client().arbitrate(high - 1) == (BACKUP, high)


def test_a_client_without_election_id_is_never_primary(bench: Bench) -> None:
    client = bench.client()
    assert client.arbitrate(None) == (NOBODY, None)
    other = bench.client()
    assert other.arbitrate(1) == (OK, 1)
    assert client.notice() == (BACKUP, 1)


def test_a_higher_id_takes_over_and_the_old_primary_hears_of_it(bench: Bench) -> None:
    old, new = bench.primary(1), bench.client()
    assert new.arbitrate(2) == (OK, 2)
    assert old.notice() == (BACKUP, 2)


def test_a_lower_id_becomes_backup_and_nobody_else_is_told(bench: Bench) -> None:
    first, second = bench.primary(5), bench.client()
    assert second.arbitrate(4) == (BACKUP, 5)
    assert first.nothing_more()


def test_an_id_used_by_a_live_client_ends_the_stream_with_invalid_argument(bench: Bench) -> None:
    bench.primary(5)
    client = bench.client()
    client.ask(5)
    end = client.end_of_stream()
    assert end is not None
    assert end.code == Code.INVALID_ARGUMENT
    assert "election id" in end.message and "used" in end.message


def test_an_id_can_be_used_again_when_its_client_is_gone(bench: Bench) -> None:
    bench.primary(5).disconnect()
    assert bench.client().arbitrate(5) == (OK, 5)


def test_nobody_is_promoted_when_the_primary_disconnects(bench: Bench) -> None:
    primary, backup = bench.primary(5), bench.client()
    assert backup.arbitrate(3) == (BACKUP, 5)
    primary.disconnect()
    assert backup.notice() == (NOBODY, 5)
    assert backup.arbitrate(4) == (NOBODY, 5)  # below the highest id ever seen
    assert backup.arbitrate(5) == (OK, 5)


def test_a_reconnecting_client_cannot_become_primary_with_a_lower_election_id(
    bench: Bench,
) -> None:
    bench.primary(10).disconnect()
    client = bench.client()
    assert client.arbitrate(9) == (NOBODY, 10)
    failed = client.write()
    assert failed is not None and failed.code == Code.PERMISSION_DENIED


def test_the_primary_can_downgrade_itself(bench: Bench) -> None:
    primary, backup = bench.primary(5), bench.client()
    assert backup.arbitrate(3) == (BACKUP, 5)
    assert primary.arbitrate(4) == (NOBODY, 5)
    assert backup.notice() == (NOBODY, 5)


def test_the_primary_can_raise_its_id(bench: Bench) -> None:
    primary, backup = bench.primary(5), bench.client()
    assert backup.arbitrate(3) == (BACKUP, 5)
    assert primary.arbitrate(8) == (OK, 8)
    assert backup.notice() == (BACKUP, 8)


def test_sending_the_same_id_again_is_answered_and_changes_nothing(bench: Bench) -> None:
    primary, backup = bench.primary(5), bench.client()
    assert backup.arbitrate(3) == (BACKUP, 5)
    assert primary.arbitrate(5) == (OK, 5)
    assert backup.nothing_more()


def test_an_unknown_device_ends_the_stream_with_not_found(bench: Bench) -> None:
    client = bench.client(device_id=99)
    client.ask(1)
    end = client.end_of_stream()
    assert end is not None and end.code == Code.NOT_FOUND


def test_changing_the_device_ends_the_stream_with_failed_precondition(bench: Bench) -> None:
    client = bench.primary(1)
    client.device_id = 2
    client.ask(1)
    end = client.end_of_stream()
    assert end is not None and end.code == Code.FAILED_PRECONDITION


def test_changing_the_role_ends_the_stream_with_failed_precondition(bench: Bench) -> None:
    client, backup = bench.primary(2), bench.client()
    assert backup.arbitrate(1) == (BACKUP, 2)
    client.role = "other"
    client.ask(3)
    end = client.end_of_stream()
    assert end is not None and end.code == Code.FAILED_PRECONDITION
    assert backup.notice() == (NOBODY, 2)  # the refused client is gone


def test_roles_are_independent(bench: Bench) -> None:
    bench.primary(5)
    assert bench.client(role="r1").arbitrate(5) == (OK, 5)
    assert bench.client(role="r2").arbitrate(1) == (OK, 1)


def test_a_role_config_of_an_unknown_type_is_refused(bench: Bench) -> None:
    client = bench.client(role="r1")
    client.ask(1, config=p4r.Uint128(low=1))
    end = client.end_of_stream()
    assert end is not None and end.code == Code.INVALID_ARGUMENT


def test_a_new_role_config_is_sent_to_all_clients_of_the_role(bench: Bench) -> None:
    first, second = bench.client(role="r"), bench.client(role="r")
    config = stratum.P4RoleConfig(shared_p4_ids=[1, 2])
    assert first.arbitrate(2, config=config) == (OK, 2)
    assert second.arbitrate(1) == (BACKUP, 2)
    config.shared_p4_ids.append(3)
    first.ask(2, config=config)
    notice = second.next_of("arbitration").arbitration
    seen = stratum.P4RoleConfig()
    assert notice.role.config.Unpack(seen)
    assert list(seen.shared_p4_ids) == [1, 2, 3]


def test_roles_cannot_claim_the_same_object_for_themselves(bench: Bench) -> None:
    mine = stratum.P4RoleConfig(exclusive_p4_ids=[1])
    assert bench.client(role="a").arbitrate(1, config=mine) == (OK, 1)
    thief = bench.client(role="b")
    thief.ask(1, config=stratum.P4RoleConfig(shared_p4_ids=[1]))
    end = thief.end_of_stream()
    assert end is not None and end.code == Code.INVALID_ARGUMENT


def test_a_write_in_a_role_nobody_took_is_not_found(bench: Bench) -> None:
    primary = bench.primary(1)
    failed = primary.write(role="nobody")
    assert failed is not None and failed.code == Code.NOT_FOUND
    assert primary.read_failure(p4r.Entity(), role="nobody").code == Code.NOT_FOUND


def test_messages_before_arbitration_get_a_stream_error(bench: Bench) -> None:
    client = bench.client()
    client.open()
    client.send(p4r.StreamMessageRequest(packet=p4r.PacketOut(payload=b"x")))
    error = client.next_of("error").error
    assert error.canonical_code == Code.FAILED_PRECONDITION
    assert error.packet_out.packet_out.payload == b"x"
    assert client.arbitrate(1) == (OK, 1)


def test_a_removed_device_ends_its_streams_with_not_found(bench: Bench) -> None:
    client = bench.primary(1)
    bench.server.remove_device(1)
    end = client.end_of_stream()
    assert end is not None and end.code == Code.NOT_FOUND


def test_too_many_clients_of_a_role_are_refused() -> None:
    arbiter: Arbiter[object] = Arbiter(max_clients_per_role=2)
    arbiter.update(object(), "", None, 1)
    arbiter.update(object(), "", None, 2)
    with pytest.raises(StatusError) as caught:
        arbiter.update(object(), "", None, 3)
    assert caught.value.code == Code.RESOURCE_EXHAUSTED
    arbiter.update(object(), "other", None, 3)


class ArbiterModel(RuleBasedStateMachine):
    """The arbiter against the specification's words, with the whole history at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.arbiter: Arbiter[int] = Arbiter()
        self.live: dict[int, int | None] = {}  # client -> election id
        self.primary: int | None = None
        self.highest: int | None = None
        self.next_client = 0

    @rule(election_id=st.none() | st.integers(0, 6))
    def connect(self, election_id: int | None) -> None:
        self._update(self.next_client, election_id)
        self.next_client += 1

    @rule(data=st.data(), election_id=st.none() | st.integers(0, 6))
    def renew(self, data: st.DataObject, election_id: int | None) -> None:
        if self.live:
            self._update(data.draw(st.sampled_from(sorted(self.live))), election_id)

    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        if not self.live:
            return
        client = data.draw(st.sampled_from(sorted(self.live)))
        notices = self.arbiter.disconnect(client)
        del self.live[client]
        if client == self.primary:
            self.primary = None
            assert {n.client: n.status for n in notices} == dict.fromkeys(self.live, NOBODY)
        else:
            assert notices == []

    def _update(self, client: int, election_id: int | None) -> None:
        clash = election_id is not None and any(
            value == election_id for other, value in self.live.items() if other != client
        )
        if clash:
            with pytest.raises(StatusError):
                self.arbiter.update(client, "", None, election_id)
            return
        notices = self.arbiter.update(client, "", None, election_id)
        before = self.primary, self.highest
        self.live[client] = election_id
        if election_id is not None and (self.highest is None or election_id >= self.highest):
            self.primary, self.highest = client, election_id
        elif self.primary == client:
            self.primary = None
        told = {notice.client for notice in notices}
        assert client in told
        if (self.primary, self.highest) != before:
            assert told == set(self.live)
        else:
            assert told == {client}
        for notice in notices:
            assert notice.election_id == self.highest
            if self.primary is None:
                assert notice.status == NOBODY
            else:
                assert notice.status == (OK if notice.client == self.primary else BACKUP)

    @invariant()
    def agrees_who_may_write(self) -> None:
        for election_id in (None, *range(7)):
            allowed = self.primary is not None and election_id == self.highest
            if election_id is None:
                allowed = False
            try:
                self.arbiter.writer("", election_id)
                assert allowed
            except StatusError as error:
                assert error.code == Code.PERMISSION_DENIED
                assert not allowed


TestArbiterModel = ArbiterModel.TestCase

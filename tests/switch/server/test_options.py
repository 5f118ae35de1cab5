"""simple_switch_grpc's command line."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qplane.switch.options import DEFAULT_GRPC_ADDRESS, parse_options


def test_a_line_as_the_p4_tutorials_use_it() -> None:
    line = (
        "-i 1@s1-eth1 -i 2@s1-eth2 --nanolog ipc:///tmp/log.ipc --device-id 3 build/basic.json "
        "--log-console --thrift-port 9090 -- --grpc-server-addr 0.0.0.0:50051"
    )
    options = parse_options(shlex.split(line))
    assert options.json == Path("build/basic.json")
    assert options.ports == [(1, "s1-eth1"), (2, "s1-eth2")]
    assert options.device_id == 3
    assert options.log_console
    assert options.grpc_address == "0.0.0.0:50051"
    assert len(options.warnings) == 2  # --nanolog and --thrift-port
    assert "ignored" in options.warnings[0]
    assert "no Thrift server" in options.warnings[1]


def test_a_line_as_ptf_and_stf_runners_use_it() -> None:
    line = (
        "--no-p4 --packet-in ipc:///tmp/packets.ipc --device-id 7 -- "
        "--grpc-server-addr 127.0.0.1:9559 --cpu-port 510 --drop-port 511"
    )
    options = parse_options(shlex.split(line))
    assert options.json is None
    assert options.packet_in == "ipc:///tmp/packets.ipc"
    assert (options.cpu_port, options.drop_port) == (510, 511)


def test_p4runtime_listens_on_loopback_unless_told_otherwise() -> None:
    assert parse_options(["--no-p4"]).grpc_address == DEFAULT_GRPC_ADDRESS == "127.0.0.1:9559"


def test_pcap_may_stand_without_a_folder(tmp_path: Path) -> None:
    assert parse_options(["--pcap", "x.json"]).pcap == Path()
    assert parse_options(["--pcap", str(tmp_path), "x.json"]).pcap == tmp_path
    assert parse_options([f"--pcap={tmp_path}", "x.json"]).pcap == tmp_path
    assert parse_options(["x.json", "--pcap"]).pcap == Path()


def test_options_may_come_before_and_after_the_json_and_with_equals_signs() -> None:
    options = parse_options(["--log-level=debug", "x.json", "-i0@a", "--use-files", "0"])
    assert options.log_level == "debug"
    assert options.ports == [(0, "a")]
    assert options.use_files == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "JSON file is needed"),
        ("x.json --restore-state f", "--restore-state is not offered"),
        ("x.json -i veth0", "is not PORT@IFACE"),
        ("x.json -i 1@a -i 1@b", "port 1 is given twice"),
        ("x.json --log-console --log-file f", "exclude each other"),
        ("x.json --use-files 0 --packet-in ipc://a", "exclude each other"),
        ("x.json --pcap /nowhere/at/all", "no folder /nowhere/at/all"),
        ("x.json -- --cpu-port 512", "no 9-bit port"),
        ("x.json -- --cpu-port 5 --drop-port 5", "are both 5"),
        ("x.json -- --grpc-server-ssl", "needs --grpc-server-cert"),
        ("x.json -- --load-modules a.so", "can't be loaded"),
        ("x.json --log-level loud", "loud"),
        ("x.json --no-such-option", "--no-such-option"),
        ("x.json -i 99999@lo", "interface '99999@lo': ports are 0 to 511"),
        ("x.json -i 1@a -i 2@b --max-port-count 1", "--max-port-count is 1"),
        ("x.json -i 0@a --use-files 0 --pcap .", "would write over a_in.pcap"),
        ("x.json --device-id -3", "--device-id: -3 is no 64-bit device id"),
        ("x.json --device-id 18446744073709551616", "no 64-bit device id"),
        ("x.json --use-files nan", "--use-files: nan is no number of seconds"),
        ("x.json --dump-packet-data -5", "--dump-packet-data: -5 is below 0"),
        ("x.json -i 5@lo -- --cpu-port 5", "--cpu-port 5 is the port of interface 'lo' too"),
    ],
)
def test_a_wrong_line_is_one_clear_message_and_exit_status_2(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(line.split())
    assert caught.value.code == 2
    assert message.replace("IFACE", "INTERFACE") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "text"), [("--version", "qplane-switch"), ("--json-version", "2.")]
)
def test_versions_are_printed(flag: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options([flag])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(text)


def test_certificates_without_tls_are_ignored_with_a_warning() -> None:
    options = parse_options(["x.json", "--", "--grpc-server-cert", "a", "--grpc-server-key", "b"])
    assert any("without --grpc-server-ssl" in warning for warning in options.warnings)


def test_finsys_messages_load_without_finsy_which_can_be_loaded_later() -> None:
    code = (
        "import sys; from qplane.switch.messages import load_messages; load_messages()\n"
        "from finsy.proto import p4r; assert 'finsy' not in sys.modules\n"
        "import finsy; from finsy import Switch, proto; assert proto.p4r is p4r"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_simple_switch_grpc_ignores_in_silence_is_ignored_with_a_warning() -> None:
    # so starts up4's start_bmv2.sh the switch
    line = "-i 1@a 3@b -i 4@c 5@d --no-p4 -- --cpu-port 255 --no-such-option more"
    options = parse_options(line.split())
    assert options.ports == [(1, "a"), (4, "c")]
    assert options.cpu_port == 255
    for message in (
        "3@b is ignored because of --no-p4",
        "5@d is ignored: one JSON file is enough",
        "unknown target options are ignored: --no-such-option more",
    ):
        assert message in options.warnings

"""TLS: good, expired, mismatched and missing certificates, on both sides."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.listen import ListenError
from qplane.switch.server import P4RuntimeServer, TlsConfig
from qplane_cext.switch.core import SwitchCore

from .client import Client

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + 10 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, host: str, *, days_left: int = 5) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * DAY)
            .not_valid_after(now + days_left * DAY)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return Pair(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("qplane test CA")


@pytest.fixture
def serve() -> Iterator[object]:
    servers = []

    def start(tls: TlsConfig) -> str:
        device = Device(1, SwitchCore(), inject=lambda port, data: None)
        server = P4RuntimeServer([device], tls=tls)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


def reaches(address: str, credentials: grpc.ChannelCredentials | None) -> bool:
    """Whether a client with these credentials gets an answer."""
    client = Client(address, credentials=credentials)
    try:
        client.stub.Capabilities(p4r.CapabilitiesRequest(), timeout=5)
        return True
    except grpc.RpcError as error:
        assert error.code() in (
            grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
        ), error  # fmt: skip
        return False
    finally:
        client.close()


def test_a_good_certificate_is_accepted(authority: Authority, serve) -> None:  # type: ignore[no-untyped-def]
    pair = authority.issue("127.0.0.1")
    address = serve(TlsConfig(pair.certificate, pair.key))
    assert reaches(address, grpc.ssl_channel_credentials(authority.pem))
    assert not reaches(address, None), "a server with TLS must not talk plain text"


def test_an_expired_server_certificate_is_not_trusted(authority: Authority, serve) -> None:  # type: ignore[no-untyped-def]
    pair = authority.issue("127.0.0.1", days_left=-1)
    address = serve(TlsConfig(pair.certificate, pair.key))
    assert not reaches(address, grpc.ssl_channel_credentials(authority.pem))


def test_a_certificate_of_another_host_or_authority_is_not_trusted(
    authority: Authority,
    serve,  # type: ignore[no-untyped-def]
) -> None:
    other_host = authority.issue("10.0.0.1")
    address = serve(TlsConfig(other_host.certificate, other_host.key))
    assert not reaches(address, grpc.ssl_channel_credentials(authority.pem))
    pair = authority.issue("127.0.0.1")
    address = serve(TlsConfig(pair.certificate, pair.key))
    assert not reaches(address, grpc.ssl_channel_credentials(Authority("stranger").pem))


def test_a_key_that_does_not_fit_its_certificate_is_refused_at_start(
    authority: Authority,
    serve,  # type: ignore[no-untyped-def]
) -> None:
    one, other = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    with pytest.raises(ListenError):
        serve(TlsConfig(one.certificate, other.key))


@pytest.mark.parametrize("kind", ["good", "none", "expired", "stranger"])
def test_mutual_tls_lets_only_clients_with_a_good_certificate_in(
    authority: Authority,
    serve,
    kind: str,  # type: ignore[no-untyped-def]
) -> None:
    pair = authority.issue("127.0.0.1")
    address = serve(TlsConfig(pair.certificate, pair.key, ca=authority.pem, client_auth=True))
    mine = {
        "good": authority.issue("127.0.0.1"),
        "none": None,
        "expired": authority.issue("127.0.0.1", days_left=-1),
        "stranger": Authority("stranger").issue("127.0.0.1"),
    }[kind]
    credentials = grpc.ssl_channel_credentials(
        authority.pem, mine.key if mine else None, mine.certificate if mine else None
    )
    assert reaches(address, credentials) == (kind == "good")


def test_client_certificates_without_a_ca_are_refused_at_start(
    authority: Authority,
    serve,  # type: ignore[no-untyped-def]
) -> None:
    pair = authority.issue("127.0.0.1")
    with pytest.raises(ListenError, match="no CA certificate"):
        serve(TlsConfig(pair.certificate, pair.key, client_auth=True))

#include "common_headers.p4"

// Headers and constants of the heralding station alone, as docs/wire.md has them.

const bit<8> DEVICE_MHP_OUTCOME = 0x11;

const bit<2> MHP_FAIL = 0;
const bit<8> MHP_NONE = 0;
const bit<8> MHP_QUEUE_MISMATCH = 1;
const bit<8> MHP_TIME_MISMATCH = 2;
const bit<8> MHP_NO_CLASSICAL_OTHER = 3;

header outcome_t {
    bit<2> outcome;
    bit<30> reserved;
    bit<64> cycle;
}

struct herald_headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
    qci_t qci;
    gen_t gen;
    reply_t reply;
    device_t device;
    outcome_t outcome;
}

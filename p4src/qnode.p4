// A node of a quantum-classical network: classical forwarding, and the correlation of control
// messages with the qubits in the node's memory. docs/wire.md has the formats, docs/p4.md the tables.

#include <core.p4>
#include <v1model.p4>

#include "include/headers.p4"
#include "include/metadata.p4"
#include "include/parser.p4"
#include "include/checksums.p4"
#include "include/records.p4"
#include "include/copies.p4"
#include "include/slices.p4"
#include "include/delivery.p4"
#include "include/tunnels.p4"
#include "include/admission.p4"
#include "include/circuit.p4"
#include "include/device_events.p4"
#include "include/messages.p4"
#include "include/circuit_ping.p4"
#include "include/link.p4"
#include "include/classical.p4"
#include "include/telemetry.p4"
#include "include/compose.p4"

control QnodeIngress(inout headers_t hdr, inout metadata_t meta,
                     inout standard_metadata_t standard_metadata) {
    Tunnels() tunnels;
    Admission() admission;
    Circuit() circuit;
    QciSlice() qci_slice;
    SlotRange() slot_range;
    DeviceEvents() device_events;
    Messages() messages;
    CircuitPing() circuit_ping;
    LinkLayer() link_layer;
    ClassicalSlice() classical_slice;
    Classical() classical;
    Telemetry() telemetry;
    Anomalies() anomalies;

    counter(32, CounterType.packets) drops;

    action set_port_kind(bit<2> kind, bit<6> slice) {
        meta.port_kind = kind;
        meta.slice = slice;
    }

    table port_kind {
        key = { standard_metadata.ingress_port: exact; }
        actions = { set_port_kind; }
        default_action = set_port_kind(PORT_HOST, 0);
        size = 512;
    }

    apply {
        if (hdr.packet_out.isValid()) {
            standard_metadata.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            if (standard_metadata.instance_type != INSTANCE_RESUBMITTED) {
                port_kind.apply();
            }
            meta.port_in = standard_metadata.ingress_port;
            meta.ingress = (bit<16>)standard_metadata.ingress_port;
            if (hdr.qci.isValid() && hdr.udp.isValid()) {
                tunnels.apply(hdr, meta, standard_metadata);
            }
            if (standard_metadata.parser_error != error.NoError) {
                meta.drop_reason = DROP_PARSER_ERROR;
            } else if (standard_metadata.checksum_error == 1) {
                meta.drop_reason = DROP_BAD_CHECKSUM;
            } else if (meta.drop_reason != DROP_NONE) {
                // damaged in its tunnel
            } else if (hdr.device.isValid() || (hdr.qci.isValid() && !hdr.udp.isValid())) {
                admission.apply(hdr, meta, standard_metadata);
                if (meta.drop_reason == DROP_NONE
                    && (hdr.qubit.isValid() || hdr.pair.isValid() || hdr.ping.isValid())) {
                    circuit.apply(hdr, meta, standard_metadata);
                }
                if (meta.drop_reason == DROP_NONE && hdr.qci.isValid()) {
                    qci_slice.apply(hdr, meta, standard_metadata);
                }
                if (meta.drop_reason == DROP_NONE
                    && (hdr.ping.isValid()
                        || (hdr.qubit.isValid() && hdr.device.type == DEVICE_PAIR
                            && standard_metadata.instance_type != INSTANCE_RESUBMITTED))) {
                    slot_range.apply(hdr, meta);
                }
                if (meta.drop_reason != DROP_NONE) {
                    // refused
                } else if (hdr.qubit.isValid()) {
                    device_events.apply(hdr, meta, standard_metadata);
                } else if (hdr.pair.isValid()) {
                    messages.apply(hdr, meta, standard_metadata);
                } else if (hdr.ping.isValid()) {
                    circuit_ping.apply(hdr, meta, standard_metadata);
                } else if (hdr.gen.isValid() || hdr.reply.isValid()) {
                    link_layer.apply(hdr, meta, standard_metadata);
                }
            } else {
                classical_slice.apply(hdr, meta, standard_metadata);
                if (meta.drop_reason == DROP_NONE) {
                    classical.apply(hdr, meta, standard_metadata);
                }
            }
            telemetry.apply(hdr, meta, standard_metadata);
            if (meta.drop_reason != DROP_NONE) {
                if (meta.drop_reason != CONSUMED) {
                    drops.count(meta.drop_reason);
                    if ((hdr.qci.isValid() || hdr.device.isValid()) && !hdr.udp.isValid()
                        && meta.drop_reason != DROP_SLICE_QCI) {
                        anomalies.apply(hdr, meta, standard_metadata);
                    }
                }
                mark_to_drop(standard_metadata);
            }
        }
    }
}

control QnodeEgress(inout headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    Compose() compose;

    counter(32, CounterType.packets) drops;

    apply {
        compose.apply(hdr, meta, standard_metadata);
        if (meta.drop_reason != DROP_NONE) {
            if (meta.drop_reason != CONSUMED) {
                drops.count(meta.drop_reason);
            }
            mark_to_drop(standard_metadata);
        }
    }
}

V1Switch(QnodeParser(), QnodeVerifyChecksum(), QnodeIngress(), QnodeEgress(),
         QnodeComputeChecksum(), QnodeDeparser()) main;

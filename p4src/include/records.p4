// Per-pair state. A pair's record stands at (link number, pair sequence number modulo
// PAIRS_PER_LINK); the sequence number and the circuit that are stored in it are compared before it
// is used, so that a late or strayed message can't be joined with another pair's record.

#define LINKS 32
#define PAIRS_PER_LINK 4096
#define CIRCUITS 1024
#define RING 32

// States of a record. DELIVERED and later are an end node's, SWAPPING and SWAPPED a repeater's.
const bit<4> FREE = 0;
const bit<4> EARLY = 1;      // a TRACK came before the herald
const bit<4> WAITING = 2;    // in memory: for its partner (repeater), for a TRACK (end node)
const bit<4> SWAPPING = 3;   // SWAP commanded
const bit<4> SWAPPED = 4;
const bit<4> DELIVERED = 5;  // DELIVER commanded
const bit<4> EXPIRED = 6;    // dead; stays, so that what comes late is answered
const bit<4> HANDED = 7;     // given to the application early: its TRACK is still to come
const bit<4> COMPLETE = 8;   // delivered at both ends
const bit<4> LOST = 9;       // dead, at a repeater that does not know whether it was swapped before

// The identity word: what a record is about.
struct identity_t {
    bit<32> seq;
    bit<10> circuit;
    bit<4> state;
    bit<2> bell;  // as heralded
}

register<bit<48>>(LINKS * PAIRS_PER_LINK) pair_identity;  // seq 32, circuit 10, state 4, bell 2
register<bit<32>>(LINKS * PAIRS_PER_LINK) pair_handle;    // slot 16, generation 16
register<bit<48>>(LINKS * PAIRS_PER_LINK) pair_peer;      // seq 32, link 8, bell 2 of the swap, 6 unused
register<bit<40>>(LINKS * PAIRS_PER_LINK) pair_track;     // origin_seq 32, present 1, bell 2, timed 1, 4 unused
register<bit<32>>(LINKS * PAIRS_PER_LINK) pair_deadline;  // of a timed TRACK: this switch's clock, us, wrapping

// At an end node, by the pair's number at the other end: which pair that is here, or that it is dead.
// The circuit would not do in the place of that end: its number may be that of an earlier circuit, to
// another link, where pairs had the same numbers.
register<bit<112>>(LINKS * PAIRS_PER_LINK) pair_of_origin;  // origin_seq 32, its node 32 and link 8, known 1, dead 1, 6 unused, seq 32

counter(32, CounterType.packets) pair_events;                // index: EVENT_*
counter(CIRCUITS * 8, CounterType.packets) circuit_events;  // circuit ++ CIRCUIT_*

// What memory a circuit uses on each side, as far as this pipeline knows: pairs WAITING or SWAPPING, and
// when the last one came (us of this switch's clock).
register<bit<64>>(CIRCUITS * 2) side_state;  // pairs 16, time 48

// Which pairs of a circuit both ends measure for the fidelity check: the first one's sequence number at
// the head-end, and how many from there. It holds for the circuit that it was agreed for: a later one
// of the same number has another serial.
register<bit<64>>(CIRCUITS) sample_range;  // first 32, count 16, serial 16

// Pairs that wait at a repeater for a partner, oldest first: a ring per circuit and side.
register<bit<32>>(CIRCUITS * 2) ring_ends;                // oldest 16, next free 16; both wrap
register<bit<32>>(CIRCUITS * 2 * RING) ring_pairs;        // pair sequence numbers

action read_identity(in bit<8> link, in bit<32> seq, out bit<32> index, out identity_t identity) {
    bit<48> word;
    index = (bit<32>)(link[4:0] ++ seq[11:0]);
    pair_identity.read(word, index);
    identity.seq = word[47:16];
    identity.circuit = word[15:6];
    identity.state = word[5:2];
    identity.bell = word[1:0];
}

action write_identity(in bit<32> index, in bit<32> seq, in bit<10> circuit, in bit<4> state,
                      in bit<2> bell) {
    pair_identity.write(index, seq ++ circuit ++ state ++ bell);
}

// Circuits share a link, and the numbers at their other ends are alike: their places are spread.
action origin_index(in bit<8> link, in bit<32> origin_seq, in bit<10> circuit, out bit<32> index) {
    index = (bit<32>)(link[4:0] ++ (origin_seq[11:0] ^ (circuit ++ 2w0)));
}

action is_sampled(in metadata_t meta, in bit<32> head_seq, out bit<1> sampled) {
    bit<64> agreed;
    sample_range.read(agreed, (bit<32>)meta.circuit);
    sampled = 0;
    if (agreed[15:0] == meta.serial && head_seq - agreed[63:32] < (bit<32>)agreed[31:16]) {
        sampled = 1;
    }
}

action happened(inout metadata_t meta, in bit<32> event) {
    pair_events.count(event);
    meta.event = (bit<16>)event;
}

action account(in metadata_t meta, in bit<3> kind) {
    circuit_events.count((bit<32>)(meta.circuit ++ kind));
}

// A pair came up; `more` is 1 if it now waits in memory.
action side_gains(in bit<10> circuit, in bit<2> side, in bit<16> more, in bit<48> now_us) {
    bit<64> word;
    bit<32> at = (bit<32>)(circuit ++ side[1:1]);
    side_state.read(word, at);
    side_state.write(at, (word[63:48] + more) ++ now_us);
}

// A pair whose record was in this state is no longer in memory.
action side_loses(in bit<10> circuit, in bit<2> side, in bit<4> state) {
    bit<64> word;
    bit<32> at = (bit<32>)(circuit ++ side[1:1]);
    side_state.read(word, at);
    if (state == WAITING || state == SWAPPING) {
        side_state.write(at, (word[63:48] - 1) ++ word[47:0]);
    }
}

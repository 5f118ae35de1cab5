/* What other extensions need to know of the memory: handles, error codes, gate noise. */
#ifndef QPLANE_MEMORY_API_H
#define QPLANE_MEMORY_API_H

#include <stdint.h>

typedef uint64_t qm_handle; /* slot index in the low 32 bits, generation in the high 32; never 0 */

enum {
    QM_OK = 0,
    QM_ESTALE = -1, /* the handle names no live qubit */
    QM_EARG = -2,   /* an argument is out of range or not finite */
    QM_EFULL = -3,  /* no slot left */
    QM_ETIME = -4,  /* earlier than the qubit's own clock */
    QM_EPURE = -5,  /* more than 8 qubits would need a 4^n Pauli vector */
    QM_ENOMEM = -6, /* the machine is out of memory */
    QM_EOWNER = -7  /* the slot belongs to another node */
};

/* Depolarising probabilities p of a gate on n qubits, rho -> (1-p) rho + p I/2^n (on the n qubits
 * that the gate acts on, after the ideal gate), and the probability that a read-out bit is wrong. */
typedef struct {
    double two_qubit_error, one_qubit_error, readout_error;
} gate_noise_t;

#endif

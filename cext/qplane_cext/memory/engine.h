/* Everything below QuantumMemory, in one header for the extensions of this package. */
#ifndef QPLANE_MEMORY_ENGINE_H
#define QPLANE_MEMORY_ENGINE_H

#include "qplane_cext/memory/create.h"
#include "qplane_cext/memory/distil.h"
#include "qplane_cext/memory/peek.h"
#include "qplane_cext/memory/slots.h"

#endif

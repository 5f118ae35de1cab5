"""Figures of a link's attempts; see mhp_figures.pxd."""

from libc.stdint cimport int32_t, uint16_t
from libc.stdlib cimport malloc
from libc.string cimport memset

from qplane_cext.sim.events cimport Queue
from qplane_cext.sim.mhp cimport MOST_FIGURES, HeraldFigures, Mhp


cdef int ask_figures(Mhp* mhp, HeraldFigures* figures) noexcept with gil:
    """Success probability and states for two bright-state parameters; 0 where none is possible."""
    cdef int i, j
    try:
        success, states = (<object>mhp.figures_of)(figures.bright[0], figures.bright[1])
        figures.success = success
        figures.state_count = len(states)
        for i, (bell, state, kept) in enumerate(states):
            figures.bells[i] = bell
            for j in range(16):
                figures.states[i][j] = state[j]
                figures.kept[i][j] = kept[j]
    except ValueError:  # no attempt can succeed
        figures.success = 0.0
    return 0


cdef HeraldFigures* figures_for(Mhp* mhp, Queue* queue, uint16_t a, uint16_t b) noexcept nogil:
    cdef int32_t i
    cdef HeraldFigures* found
    for i in range(mhp.figure_count):
        found = &mhp.figures[i]
        if found.bright[0] == a and found.bright[1] == b:
            return found
    if mhp.figures == NULL:
        mhp.figures = <HeraldFigures*>malloc(MOST_FIGURES * sizeof(HeraldFigures))
        if mhp.figures == NULL:
            queue.out_of_memory = True
            return NULL
    if mhp.figure_count < MOST_FIGURES:
        found = &mhp.figures[mhp.figure_count]
        mhp.figure_count += 1
    else:
        found = &mhp.figures[mhp.figure_turn]
        mhp.figure_turn = (mhp.figure_turn + 1) % MOST_FIGURES
    memset(found, 0, sizeof(HeraldFigures))
    found.bright[0] = a
    found.bright[1] = b
    ask_figures(mhp, found)
    return found

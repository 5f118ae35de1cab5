"""The interpreter: one instruction after the other, without the GIL and without recursion."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.calculate cimport calculation, hash_of_inputs, next_random
from qplane_cext.switch.headers cimport (
    clear_header, clear_union, copy_header, copy_union, extract_pieces, extract_varbit,
    header_bytes, make_valid, same_header, same_union, same_varbit, shift_stack, shift_union_stack,
    valid_member, varbit_bytes, zero_fields,
)
from qplane_cext.switch.isa cimport Op
from qplane_cext.switch.meters cimport GREEN, execute_meter
from qplane_cext.switch.program cimport (
    Case, Group, Header, Insn, KeyPart, Message, Place, Prog, Select, Table,
)
from qplane_cext.switch.state cimport (
    ACTION_LOOPS, ASSERT_FAILED, COUNTER_RANGE, DIVISIONS_BY_ZERO, EMPTY_GROUP, METER_RANGE,
    OUT_OF_MEMORY, PARSER_ERRORS, PARSER_LOOPS, PICK_AT_RANDOM, PICK_BY_HASH, REGISTER_RANGE,
    STACK_RANGE, TARGET_ACTION, TARGET_MEMBER, TARGET_NONE, Core, EntryData, MemberGroup, Meter, ProfileState, TableState, Target, reserve,
    trace_event,
)
from qplane_cext.switch.tracing cimport (
    EV_ACTION, EV_ASSERT, EV_EXIT, EV_HIT, EV_KEY, EV_MISS, EV_PARSER_ERROR, EV_STATE, EV_COMPILED,
)
from qplane_cext.switch.tuplespace cimport matcher_lookup
from qplane_cext.switch.wide cimport (
    get_bits, low_mask, sign_extend, wide_add, wide_compare, wide_divide, wide_equal, wide_extend,
    wide_keep, wide_mul, wide_sar, wide_saturate, wide_shl, wide_sub,
)

cdef enum:
    # Backward jumps that one packet may take in the actions of a pass.
    MAX_LOOPS = 1 << 16
    # Parser states that one packet may visit: this many, and four more for each byte.
    MIN_STATES = 1024
    CLONE_VALID = 0x8000  # marks a clone session, which may be number 0, as set
    MAX_WAITING = 1 << 24  # bytes of log messages


cdef inline int element_of(
    Core* core, const Group* stack, uint64_t index, const Prog* prog
) noexcept nogil:
    """Header (or union) id of a stack's element; the spare one, cleared, when out of range."""
    if index < <uint64_t>stack.count:
        return prog.members[stack.first + <int>index]
    core.stats[STACK_RANGE] += 1
    return stack.spare


cdef inline int header_operand(const uint64_t* F, int operand, bint dynamic) noexcept nogil:
    return <int>F[operand] if dynamic else operand


cdef int fail(Core* core, int error) noexcept nogil:
    core.parser_error = error
    core.stats[PARSER_ERRORS] += 1
    if core.tracing:
        trace_event(core, EV_PARSER_ERROR, error, core.parsed)
    return 0


cdef int extract(Core* core, int header) noexcept nogil:
    """0, or the parser error's number plus one."""
    cdef const Prog* prog = core.prog
    cdef const Header* h = &prog.headers[header]
    if core.length - core.parsed < <uint64_t>h.n_bytes:
        return prog.error_too_short + 1
    extract_pieces(
        core.F + h.slot, &prog.pieces[h.first_piece], h.n_pieces, core.packet + core.parsed
    )
    core.parsed += h.n_bytes
    if h.union_id < 0:
        core.F[header] = 1
    else:
        make_valid(prog, core.F, header)
    return 0


cdef int extract_variable(Core* core, int header, uint64_t bits) noexcept nogil:
    """The same for a header with a varbit of that many bits."""
    cdef const Prog* prog = core.prog
    cdef const Header* h = &prog.headers[header]
    cdef uint64_t wanted
    if bits & 7:
        return prog.error_argument + 1
    if bits > <uint64_t>1 << 40:
        return prog.error_too_short + 1
    wanted = h.n_bytes + (bits >> 3)
    if core.length - core.parsed < wanted:
        return prog.error_too_short + 1
    if bits >> 3 > <uint64_t>h.varbit_room:
        return prog.error_header_short + 1
    extract_varbit(prog, core.F, h, core.packet + core.parsed, bits)
    core.parsed += wanted
    make_valid(prog, core.F, header)
    return 0


cdef inline int select_next(Core* core, const Select* select) noexcept nogil:
    """The transition's target."""
    cdef const Prog* prog = core.prog
    cdef const uint64_t* F = core.F
    cdef const int32_t* slots = prog.members + select.first_slot
    cdef const Case* one = prog.cases + select.first_case
    cdef const Case* end = one + select.n_cases
    cdef const uint64_t* words
    cdef uint64_t[64] key
    cdef uint64_t value
    cdef int n = select.words, i
    if n == 1:
        value = F[slots[0]]
        while one < end:
            words = prog.case_words + one.first
            if one.set_index < 0:
                if value & words[1] == words[0]:
                    return one.target
            else:
                key[0] = value & words[1]
                if matcher_lookup(&core.value_sets[one.set_index], key) >= 0:
                    return one.target
            one += 1
        return select.otherwise
    while one < end:
        words = prog.case_words + one.first
        if one.set_index < 0:
            for i in range(n):
                if F[slots[i]] & words[n + i] != words[i]:
                    break
            else:
                return one.target
        elif n <= 64:
            for i in range(n):
                key[i] = F[slots[i]] & words[n + i]
            if matcher_lookup(&core.value_sets[one.set_index], key) >= 0:
                return one.target
        one += 1
    return select.otherwise


cdef const Target* resolve(Core* core, const Table* table, const Target* target) noexcept nogil:
    """The action behind a member or group; NULL for an empty group."""
    cdef ProfileState* profile
    cdef MemberGroup* group
    cdef uint64_t at
    cdef uint32_t low = 0, high, middle
    cdef int number
    if target.kind == TARGET_ACTION or target.kind == TARGET_NONE:
        return target
    profile = &core.profiles[table.profile]
    if target.kind == TARGET_MEMBER:
        return &profile.members[target.index].target
    group = &profile.groups[target.index]
    if group.total == 0:
        core.stats[EMPTY_GROUP] += 1
        return NULL
    number = core.prog.profile_calculation[table.profile]
    # BMv2's selectors see 32 bits of a hash.
    if group.pick == PICK_AT_RANDOM:
        at = next_random(core, group.total - 1)
    elif group.pick == PICK_BY_HASH:
        at = <uint32_t>hash_of_inputs(core, number) % group.total
    else:
        at = <uint32_t>calculation(core, number) % group.total
    high = group.count - 1
    while low < high:
        middle = (low + high) // 2
        if group.until[middle] > at:
            high = middle
        else:
            low = middle + 1
    return &profile.members[group.members[low]].target


cdef uint64_t direct_meter(Core* core, EntryData* entry, bint by_bytes) noexcept nogil:
    """The colour that an entry's meter gives; it has one from its first packet or configuration on."""
    if entry.meter == NULL:
        entry.meter = <Meter*>calloc(1, sizeof(Meter))
        if entry.meter == NULL:
            core.stats[OUT_OF_MEMORY] += 1
            return GREEN
    return execute_meter(entry.meter, core.now_us, core.ingress_length, by_bytes)


cdef int apply_table(Core* core, int number, int* following) noexcept nogil:
    """Look the packet up; the action to run (-1: none, its parameters in place) and what follows."""
    cdef const Prog* prog = core.prog
    cdef const Table* table = &prog.tables[number]
    cdef TableState* state = &core.tables[number]
    cdef const KeyPart* part = &prog.parts[table.first_part]
    cdef const KeyPart* end = part + table.n_parts
    cdef uint64_t* key = core.key
    cdef EntryData* entry
    cdef const Target* target
    cdef int64_t found = -1
    cdef int i
    if state.matcher.n_tuples or core.tracing:
        for i in range(table.words):
            key[i] = 0
        while part < end:
            key[part.word] |= (
                core.F[part.slot] & part.mask & (0 - core.F[part.guard])
            ) << part.shift
            part += 1
        found = matcher_lookup(&state.matcher, key)
    if found >= 0:
        entry = &state.data[found]
        if table.timeout:
            entry.last_hit_us = core.now_us
        if table.meter >= 0:
            core.F[table.meter_slot] = direct_meter(
                core, entry, prog.meters[table.meter].by_bytes
            )
    else:
        entry = &state.miss
    if table.has_counter:
        entry.packets += 1
        entry.bytes += core.ingress_length
    if core.tracing:
        trace_event(core, EV_HIT if found >= 0 else EV_MISS, number, found)
        for i in range(table.words):
            trace_event(core, EV_KEY, number, <int64_t>key[i])
    target = resolve(core, table, &entry.target)
    if table.hit_miss:
        following[0] = table.next_hit if found >= 0 else table.next_miss
    elif target == NULL or target.kind == TARGET_NONE:
        following[0] = table.next_default
    else:
        following[0] = prog.members[table.first_next + target.index]
    if target == NULL or target.kind == TARGET_NONE:
        return -1
    if target.params != NULL:
        memcpy(
            core.F + prog.param_slot, target.params, prog.actions[target.index].param_words * 8
        )
    if core.tracing:
        trace_event(core, EV_ACTION, target.index, 0)
    return target.index


cdef void log_message(Core* core, int number) noexcept nogil:
    """Keep a message's number and arguments for whoever reads the log."""
    cdef const Message* message = &core.prog.messages[number]
    cdef const Place* place = core.prog.places + message.first
    cdef size_t size = 8
    cdef int i
    for i in range(message.count):
        size += place[i].words * 8
    if core.log_used + size > MAX_WAITING or reserve(
        &core.log, &core.log_room, core.log_used + size
    ):
        return
    (<uint64_t*>(core.log + core.log_used))[0] = number
    core.log_used += 8
    for i in range(message.count):
        memcpy(core.log + core.log_used, core.F + place[i].slot, place[i].words * 8)
        core.log_used += place[i].words * 8


cdef void run(Core* core, int pc) noexcept nogil:
    """Execute from pc on until END. Parser errors and failed asserts are left in the core."""
    cdef const Prog* prog = core.prog
    cdef const Insn* code = prog.code
    cdef const Insn* i
    cdef uint64_t* F = core.F
    cdef int after = -1, action, error, header, n, k
    cdef uint64_t x, y
    cdef int64_t states = MIN_STATES + 4 * <int64_t>core.length, loops = MAX_LOOPS
    cdef const Group* stack
    while True:
        i = code + pc
        pc += 1
        if i.op == Op.MOV:
            F[i.d] = F[i.a]
        elif i.op == Op.END:
            return
        elif i.op == Op.RET:
            if core.exit_flag or core.abort:
                if core.tracing and core.exit_flag:
                    trace_event(core, EV_EXIT, 0, 0)
                return
            pc = after
        elif i.op == Op.JMP:
            pc = i.d
        elif i.op == Op.LOOP:
            loops -= 1
            if loops < 0:
                core.stats[ACTION_LOOPS] += 1
                core.abort = 1
                return
            pc = i.d
        elif i.op == Op.JZ:
            if F[i.a] == 0:
                pc = i.d
        elif i.op == Op.JNZ:
            if F[i.a] != 0:
                pc = i.d
        elif i.op == Op.JEQ:
            if F[i.a] == F[i.b]:
                pc = i.d
        elif i.op == Op.JNE:
            if F[i.a] != F[i.b]:
                pc = i.d
        elif i.op == Op.JLTU:
            if F[i.a] < F[i.b]:
                pc = i.d
        elif i.op == Op.JGEU:
            if F[i.a] >= F[i.b]:
                pc = i.d
        elif i.op == Op.JLTS:
            if <int64_t>F[i.a] < <int64_t>F[i.b]:
                pc = i.d
        elif i.op == Op.JGES:
            if <int64_t>F[i.a] >= <int64_t>F[i.b]:
                pc = i.d
        elif i.op == Op.ADD:
            F[i.d] = F[i.a] + F[i.b]
        elif i.op == Op.SUB:
            F[i.d] = F[i.a] - F[i.b]
        elif i.op == Op.MUL:
            F[i.d] = F[i.a] * F[i.b]
        elif i.op == Op.DIV or i.op == Op.MOD:
            if F[i.b] == 0:
                core.stats[DIVISIONS_BY_ZERO] += 1
                F[i.d] = 0
            elif i.op == Op.DIV:
                F[i.d] = F[i.a] // F[i.b]
            else:
                F[i.d] = F[i.a] % F[i.b]
        elif i.op == Op.AND:
            F[i.d] = F[i.a] & F[i.b]
        elif i.op == Op.OR:
            F[i.d] = F[i.a] | F[i.b]
        elif i.op == Op.XOR:
            F[i.d] = F[i.a] ^ F[i.b]
        elif i.op == Op.NOT:
            F[i.d] = ~F[i.a]
        elif i.op == Op.SHL:
            F[i.d] = F[i.a] << F[i.b] if F[i.b] < 64 else 0
        elif i.op == Op.SHR:
            F[i.d] = F[i.a] >> F[i.b] if F[i.b] < 64 else 0
        elif i.op == Op.SAR:
            x = F[i.b] if F[i.b] < 64 else 63
            F[i.d] = <uint64_t>(<int64_t>F[i.a] >> x)
        elif i.op == Op.ADDM:
            F[i.d] = (F[i.a] + F[i.b]) & F[i.c]
        elif i.op == Op.SUBM:
            F[i.d] = (F[i.a] - F[i.b]) & F[i.c]
        elif i.op == Op.SLICE:
            F[i.d] = (F[i.a] >> i.b) & F[i.c]
        elif i.op == Op.EQ:
            F[i.d] = F[i.a] == F[i.b]
        elif i.op == Op.NE:
            F[i.d] = F[i.a] != F[i.b]
        elif i.op == Op.LTU:
            F[i.d] = F[i.a] < F[i.b]
        elif i.op == Op.LEU:
            F[i.d] = F[i.a] <= F[i.b]
        elif i.op == Op.LTS:
            F[i.d] = <int64_t>F[i.a] < <int64_t>F[i.b]
        elif i.op == Op.LES:
            F[i.d] = <int64_t>F[i.a] <= <int64_t>F[i.b]
        elif i.op == Op.LNOT:
            F[i.d] = F[i.a] == 0
        elif i.op == Op.NEZ:
            F[i.d] = F[i.a] != 0
        elif i.op == Op.SEXT:
            F[i.d] = sign_extend(F[i.a], i.b)
        elif i.op == Op.USATU:
            x = low_mask(i.b)
            F[i.d] = F[i.a] if F[i.a] <= x else x
        elif i.op == Op.USATS:
            x = low_mask(i.b)
            if <int64_t>F[i.a] < 0:
                F[i.d] = 0
            else:
                F[i.d] = F[i.a] if F[i.a] <= x else x
        elif i.op == Op.SSATU:
            x = low_mask(i.b - 1)
            F[i.d] = F[i.a] if F[i.a] <= x else x
        elif i.op == Op.SSATS:
            x = low_mask(i.b - 1)
            if <int64_t>F[i.a] > <int64_t>x:
                F[i.d] = x
            elif <int64_t>F[i.a] < -<int64_t>x - 1:
                F[i.d] = ~x
            else:
                F[i.d] = F[i.a]
        elif i.op == Op.SELECT:
            F[i.d] = F[i.b] if F[i.a] else F[i.c]
        # ---- wide ----
        elif i.op == Op.WMOV:
            memcpy(F + i.d, F + i.a, i.n * 8)
        elif i.op == Op.WEXT:
            wide_extend(F + i.d, i.n, F + i.a, i.b, i.c)
        elif i.op == Op.WADD:
            wide_add(F + i.d, F + i.a, F + i.b, i.n)
        elif i.op == Op.WSUB:
            wide_sub(F + i.d, F + i.a, F + i.b, i.n)
        elif i.op == Op.WMUL:
            wide_mul(F + i.d, F + i.a, F + i.b, i.n)
        elif i.op == Op.WDIV:
            if not wide_divide(F + i.d, F + i.c, F + i.a, F + i.b, i.n):
                core.stats[DIVISIONS_BY_ZERO] += 1
        elif i.op == Op.WMOD:
            if not wide_divide(F + i.c, F + i.d, F + i.a, F + i.b, i.n):
                core.stats[DIVISIONS_BY_ZERO] += 1
        elif i.op == Op.WAND:
            for k in range(i.n):
                F[i.d + k] = F[i.a + k] & F[i.b + k]
        elif i.op == Op.WOR:
            for k in range(i.n):
                F[i.d + k] = F[i.a + k] | F[i.b + k]
        elif i.op == Op.WXOR:
            for k in range(i.n):
                F[i.d + k] = F[i.a + k] ^ F[i.b + k]
        elif i.op == Op.WNOT:
            for k in range(i.n):
                F[i.d + k] = ~F[i.a + k]
        elif i.op == Op.WSHL:
            wide_shl(F + i.d, F + i.a, F[i.b], i.n)
        elif i.op == Op.WSAR:
            wide_sar(F + i.d, F + i.a, F[i.b], i.n)
        elif i.op == Op.WEQ:
            F[i.d] = wide_equal(F + i.a, F + i.b, i.n)
        elif i.op == Op.WNE:
            F[i.d] = not wide_equal(F + i.a, F + i.b, i.n)
        elif i.op == Op.WLTS:
            F[i.d] = wide_compare(F + i.a, F + i.b, i.n) < 0
        elif i.op == Op.WLES:
            F[i.d] = wide_compare(F + i.a, F + i.b, i.n) <= 0
        elif i.op == Op.WNEZ:
            x = 0
            for k in range(i.n):
                x |= F[i.a + k]
            F[i.d] = x != 0
        elif i.op == Op.WSEXT:
            wide_keep(F + i.d, F + i.a, i.b, i.n, True)
        elif i.op == Op.WZEXT:
            wide_keep(F + i.d, F + i.a, i.b, i.n, False)
        elif i.op == Op.WUSAT:
            wide_saturate(F + i.d, F + i.a, i.b, i.n, False)
        elif i.op == Op.WSSAT:
            wide_saturate(F + i.d, F + i.a, i.b, i.n, True)
        elif i.op == Op.WSELECT:
            memcpy(F + i.d, F + (i.b if F[i.a] else i.c), i.n * 8)
        elif i.op == Op.WSLICE:
            n = i.b >> 6
            k = i.b & 63
            x = 0
            if n < i.n:
                x = F[i.a + n] >> k
                if k and n + 1 < i.n:
                    x |= F[i.a + n + 1] << (64 - k)
            F[i.d] = x & F[i.c]
        # ---- headers ----
        elif i.op == Op.ADDH:
            header = header_operand(F, i.d, i.n & 1)
            if not F[header]:
                zero_fields(F, &prog.headers[header])
                make_valid(prog, F, header)
                core.packet_length += header_bytes(F, &prog.headers[header])
        elif i.op == Op.REMH:
            header = header_operand(F, i.d, i.n & 1)
            if F[header]:
                core.packet_length -= header_bytes(F, &prog.headers[header])
                F[header] = 0
        elif i.op == Op.CPYH:
            copy_header(
                prog, F, header_operand(F, i.d, i.n & 1), header_operand(F, i.a, i.n & 2)
            )
        elif i.op == Op.HEQ:
            F[i.d] = same_header(
                prog, F, header_operand(F, i.a, i.n & 2), header_operand(F, i.b, i.n & 4)
            )
        elif i.op == Op.VLEQ:
            F[i.d] = same_varbit(F + i.a, F + i.b)
        elif i.op == Op.DEREF:
            stack = &prog.stacks[i.a]
            header = element_of(core, stack, F[i.b], prog)
            if header == stack.spare:
                clear_header(prog, F, header)
            F[i.d] = header
        elif i.op == Op.DEREFU:
            stack = &prog.union_stacks[i.a]
            header = element_of(core, stack, F[i.b], prog)
            if header == stack.spare:
                clear_union(prog, F, header)
            F[i.d] = header
        elif i.op == Op.UHDR:
            F[i.d] = prog.members[prog.unions[F[i.a]].first + i.b]
        elif i.op == Op.UVALID:
            F[i.d] = valid_member(prog, F, header_operand(F, i.a, i.n & 1)) >= 0
        elif i.op == Op.UEQ:
            F[i.d] = same_union(
                prog, F, header_operand(F, i.a, i.n & 2), header_operand(F, i.b, i.n & 4)
            )
        elif i.op == Op.LDF:
            memcpy(F + i.d, F + prog.headers[F[i.a]].slot + i.b, i.n * 8)
        elif i.op == Op.STF:
            memcpy(F + prog.headers[F[i.d]].slot + i.b, F + i.a, i.n * 8)
        elif i.op == Op.HVALID:
            F[i.d] = F[F[i.a]]
        elif i.op == Op.LASTF:
            stack = &prog.stacks[i.a]
            header = element_of(core, stack, F[stack.next_slot] - 1, prog)
            if header == stack.spare:
                clear_header(prog, F, header)
            memcpy(F + i.d, F + prog.headers[header].slot + i.b, i.n * 8)
        elif i.op == Op.LASTUF:
            stack = &prog.union_stacks[i.a]
            header = element_of(core, stack, F[stack.next_slot] - 1, prog)
            if header == stack.spare:
                clear_union(prog, F, header)
            header = prog.members[prog.unions[header].first + i.b]
            memcpy(F + i.d, F + prog.headers[header].slot + i.c, i.n * 8)
        elif i.op == Op.CPYU:
            copy_union(
                prog, F, header_operand(F, i.d, i.n & 1), header_operand(F, i.a, i.n & 2)
            )
        elif i.op == Op.CPYS:
            F[prog.stacks[i.d].next_slot] = F[prog.stacks[i.a].next_slot]
            for k in range(prog.stacks[i.d].count):
                copy_header(
                    prog, F, prog.members[prog.stacks[i.d].first + k],
                    prog.members[prog.stacks[i.a].first + k],
                )
        elif i.op == Op.CPYUS:
            F[prog.union_stacks[i.d].next_slot] = F[prog.union_stacks[i.a].next_slot]
            for k in range(prog.union_stacks[i.d].count):
                copy_union(
                    prog, F, prog.members[prog.union_stacks[i.d].first + k],
                    prog.members[prog.union_stacks[i.a].first + k],
                )
        elif i.op == Op.PUSH:
            shift_stack(prog, F, &prog.stacks[i.d], F[i.a], True)
        elif i.op == Op.POP:
            shift_stack(prog, F, &prog.stacks[i.d], F[i.a], False)
        elif i.op == Op.PUSHU:
            shift_union_stack(prog, F, &prog.union_stacks[i.d], F[i.a], True)
        elif i.op == Op.POPU:
            shift_union_stack(prog, F, &prog.union_stacks[i.d], F[i.a], False)
        elif i.op == Op.LASTIDX:
            F[i.d] = F[prog.stacks[i.a].next_slot] - 1
        elif i.op == Op.STKSIZE:
            F[i.d] = F[prog.stacks[i.a].next_slot]
        elif i.op == Op.LASTIDXU:
            F[i.d] = F[prog.union_stacks[i.a].next_slot] - 1
        elif i.op == Op.STKSIZEU:
            F[i.d] = F[prog.union_stacks[i.a].next_slot]
        elif i.op == Op.CPYVL:
            x = varbit_bytes(F, &prog.headers[i.a])
            if x > <uint64_t>prog.headers[i.d].varbit_room:
                x = prog.headers[i.d].varbit_room
            n = prog.headers[i.d].slot + prog.headers[i.d].varbit
            k = prog.headers[i.a].slot + prog.headers[i.a].varbit
            F[n] = x << 3
            memcpy(F + n + 1, F + k + 1, x)
        # ---- parser ----
        elif i.op == Op.STATE:
            states -= 1
            if core.tracing:
                trace_event(core, EV_STATE, i.d, core.parsed)
            if states < 0:
                core.stats[PARSER_LOOPS] += 1
                fail(core, prog.error_timeout)
                return
        elif i.op == Op.EXTRACT:
            error = extract(core, i.d)
            if error:
                fail(core, error - 1)
                return
        elif i.op == Op.EXTRACTV:
            error = extract_variable(core, i.d, F[i.a])
            if error:
                fail(core, error - 1)
                return
        elif i.op == Op.EXTRACTS or i.op == Op.EXTRACTSV:
            stack = &prog.stacks[i.d]
            if F[stack.next_slot] >= <uint64_t>stack.count:
                fail(core, prog.error_stack)
                return
            header = prog.members[stack.first + <int>F[stack.next_slot]]
            if i.op == Op.EXTRACTS:
                error = extract(core, header)
            else:
                error = extract_variable(core, header, F[i.a])
            if error:
                fail(core, error - 1)
                return
            F[stack.next_slot] += 1
        elif i.op == Op.EXTRACTU or i.op == Op.EXTRACTUV:
            stack = &prog.union_stacks[i.d]
            if F[stack.next_slot] >= <uint64_t>stack.count:
                fail(core, prog.error_stack)
                return
            n = prog.members[stack.first + <int>F[stack.next_slot]]
            header = prog.members[prog.unions[n].first + i.b]
            if i.op == Op.EXTRACTU:
                error = extract(core, header)
            else:
                error = extract_variable(core, header, F[i.a])
            if error:
                fail(core, error - 1)
                return
            F[stack.next_slot] += 1
        elif i.op == Op.ADVANCE:
            if F[i.a] & 7:
                fail(core, prog.error_argument)
                return
            if core.length - core.parsed < F[i.a] >> 3:
                fail(core, prog.error_too_short)
                return
            core.parsed += F[i.a] >> 3
        elif i.op == Op.LOOKAHEAD:
            if (core.length - core.parsed) * 8 < <uint64_t>i.a + i.b:
                fail(core, prog.error_too_short)
                return
            x = core.parsed * 8 + i.a
            n = i.b
            for k in range(i.n - 1, -1, -1):
                F[i.d + k] = get_bits(core.packet, x, n - 64 * k)
                x += n - 64 * k
                n = 64 * k
        elif i.op == Op.VERIFY:
            if not F[i.a]:
                fail(core, <int>F[i.b])
                return
        elif i.op == Op.SWITCH:
            pc = select_next(core, &prog.selects[i.d])
        # ---- pipelines ----
        elif i.op == Op.TABLE:
            action = apply_table(core, i.d, &after)
            pc = after if action < 0 else prog.actions[action].pc
        elif i.op == Op.CALL:
            after = i.a
            pc = prog.actions[i.d].pc
            if core.tracing:
                trace_event(core, EV_ACTION, i.d, 0)
        # ---- externs ----
        elif i.op == Op.COUNT:
            if F[i.a] < <uint64_t>prog.counters[i.d].size:
                core.counters[i.d][F[i.a]].packets += 1
                core.counters[i.d][F[i.a]].bytes += core.ingress_length
            else:
                core.stats[COUNTER_RANGE] += 1
        elif i.op == Op.METER:
            if F[i.b] < <uint64_t>prog.meters[i.a].size:
                F[i.d] = execute_meter(
                    &core.meters[i.a][F[i.b]], core.now_us, core.ingress_length,
                    prog.meters[i.a].by_bytes,
                )
            else:
                core.stats[METER_RANGE] += 1
        elif i.op == Op.REGR:
            if F[i.b] < <uint64_t>prog.registers[i.a].size:
                n = prog.registers[i.a].words
                if n == 1 and i.n == 1:
                    F[i.d] = core.registers[i.a][F[i.b]]
                else:
                    wide_extend(F + i.d, i.n, core.registers[i.a] + F[i.b] * n, n, False)
            else:
                core.stats[REGISTER_RANGE] += 1
        elif i.op == Op.REGW:
            if F[i.a] < <uint64_t>prog.registers[i.d].size:
                memcpy(core.registers[i.d] + F[i.a] * i.n, F + i.b, i.n * 8)
            else:
                core.stats[REGISTER_RANGE] += 1
        elif i.op == Op.RANDOM:
            if F[i.a] <= F[i.b]:
                x = F[i.b] - F[i.a]
                F[i.d] = F[i.a] + next_random(core, x)
        elif i.op == Op.CALC:
            F[i.d] = calculation(core, i.a)
        elif i.op == Op.HASH:
            x = F[i.b] if F[i.b] else 1
            y = F[i.a]
            F[i.d] = calculation(core, i.c) % x + y
        elif i.op == Op.DIGEST:
            core.digest = <uint32_t>F[i.a]
        elif i.op == Op.CLONE:
            core.clone_session = (<uint32_t>F[i.a] & 0xFFFF) | CLONE_VALID
            core.clone_list = <uint32_t>F[i.b] & 0xFFFF
        elif i.op == Op.RESUBMIT:
            core.resubmit = <uint32_t>F[i.a] & 0xFFFF
        elif i.op == Op.RECIRC:
            core.recirculate = <uint32_t>F[i.a] & 0xFFFF
        elif i.op == Op.TRUNC:
            if F[i.a] < core.truncate:
                core.truncate = F[i.a]
        elif i.op == Op.EXIT:
            core.exit_flag = 1
        elif i.op == Op.ASSERT:
            if not F[i.a]:
                core.stats[ASSERT_FAILED] += 1
                core.abort = 1
                if core.tracing:
                    trace_event(core, EV_ASSERT, i.d, 0)
                return
        elif i.op == Op.LOGMSG:
            if core.logging:
                log_message(core, i.d)
        elif i.op == Op.TRACE:
            if core.tracing:
                trace_event(core, EV_COMPILED + i.d, i.a, F[i.b])

"""From the compiler's Python objects to the C structures that the engine reads."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from qplane_cext.switch.wide cimport low_mask


from .compiler.emitter import Label




def _pc(label) -> int:
    return label.pc if isinstance(label, Label) else -1


cdef class Compiled:
    """A program in C structures; `source` keeps the compiler's view with the names."""

    def __cinit__(self):
        memset(&self.prog, 0, sizeof(Prog))
        self.blocks = []

    def __init__(self, source):
        self.source = source
        self._code()
        self._headers()
        self._groups()
        self._selects()
        self._tables()
        self._calculations()
        self._lists()
        self._arrays()
        self._scalars()

    cdef void* _block(self, size_t size) except NULL:
        """Zeroed memory that lives as long as this object."""
        block = bytearray(size if size else 1)
        self.blocks.append(block)
        cdef uint8_t[::1] view = block
        return &view[0]

    cdef int32_t* _numbers(self, values) except NULL:
        cdef int32_t* out = <int32_t*>self._block(len(values) * sizeof(int32_t))
        cdef Py_ssize_t i
        for i in range(len(values)):
            out[i] = values[i]
        return out

    cdef _code(self):
        cdef Insn* code = <Insn*>self._block(len(self.source.code) * sizeof(Insn))
        cdef Py_ssize_t i = 0
        for op, n, d, a, b, c in self.source.code:
            code[i].op, code[i].n = op, n
            code[i].d, code[i].a, code[i].b, code[i].c = d, a, b, c
            i += 1
        self.prog.code = code
        self.prog.n_code = <int32_t>i
        image = self.source.image
        start = self.source.param_slot
        self.prog.image = <uint64_t*>self._block((self.source.words - start) * 8)
        for slot, value in image.items():
            self.prog.image[<Py_ssize_t>(slot - start)] = value

    # ---- headers ----

    cdef _headers(self):
        layout = self.source.layout
        types = {}
        pieces, packs, shapes = [], [], {}
        for kind in layout.types.values():
            types[kind.name] = len(types)
            shapes[kind.name] = _shape(kind, pieces, packs)
        cdef Header* out = <Header*>self._block(len(layout.headers) * sizeof(Header))
        cdef Py_ssize_t i
        for i, header in enumerate(layout.headers):
            kind = header.type
            out[i].slot, out[i].words = header.slot, kind.words
            out[i].n_bytes = kind.bits // 8
            out[i].union_id = header.union
            out[i].type = types[kind.name]
            out[i].varbit, out[i].varbit_room = -1, 0
            if kind.varbit is not None:
                out[i].varbit = kind.varbit.offset
                out[i].after_varbit = kind.varbit.offset + kind.varbit.words
                out[i].varbit_room = max(kind.max_bytes - kind.bits // 8, 0)
            out[i].max_bytes = kind.max_bytes
            out[i].metadata = header.metadata
            (out[i].first_piece, out[i].n_pieces, out[i].before_varbit, out[i].bits_before,
             out[i].first_pack, out[i].n_packs) = shapes[kind.name]
        self.prog.headers = out
        cdef Piece* piece = <Piece*>self._block(len(pieces) * sizeof(Piece))
        for i, (slot, bits, position, signed) in enumerate(pieces):
            piece[i].slot, piece[i].bits, piece[i].position = slot, bits, position
            piece[i].byte = position // 8
            piece[i].is_signed = signed
            piece[i].mask = low_mask(bits)
            piece[i].long_piece = position % 8 + bits > 64
            piece[i].shift = position % 8 if piece[i].long_piece else 64 - position % 8 - bits
        self.prog.pieces = piece
        varbits = [one.slot + one.type.varbit.offset for one in layout.headers if one.type.varbit]
        self.prog.varbits, self.prog.n_varbits = self._numbers(varbits), len(varbits)
        cdef Pack* pack = <Pack*>self._block(len(packs) * sizeof(Pack))
        for i, (slot, shift, mask, flush) in enumerate(packs):
            pack[i].slot, pack[i].shift, pack[i].mask, pack[i].flush = slot, shift, mask, flush
        self.prog.packs = pack

    cdef _groups(self):
        layout = self.source.layout
        members = []
        cdef Group* out = <Group*>self._block(len(layout.stacks) * sizeof(Group))
        cdef Py_ssize_t i
        for i, stack in enumerate(layout.stacks):
            out[i].first, out[i].count = len(members), len(stack.elements)
            out[i].spare, out[i].next_slot = stack.spare, layout.next_slot + i
            members.extend(stack.elements)
        self.prog.stacks = out
        out = <Group*>self._block(len(layout.unions) * sizeof(Group))
        for i, union in enumerate(layout.unions):
            out[i].first, out[i].count = len(members), len(union.members)
            members.extend(union.members)
        self.prog.unions = out
        out = <Group*>self._block(len(layout.union_stacks) * sizeof(Group))
        for i, stack in enumerate(layout.union_stacks):
            out[i].first, out[i].count = len(members), len(stack.elements)
            out[i].spare, out[i].next_slot = stack.spare, layout.union_next_slot + i
            members.extend(stack.elements)
        self.prog.union_stacks = out
        self.members = members
        self.prog.n_headers = len(layout.headers)
        self.prog.n_stacks = len(layout.stacks)
        self.prog.n_unions = len(layout.unions)
        self.prog.n_union_stacks = len(layout.union_stacks)

    # ---- parser selects, tables ----

    cdef _selects(self):
        source = self.source
        n_cases = sum(len(one.cases) for one in source.selects)
        cdef Select* out = <Select*>self._block(len(source.selects) * sizeof(Select))
        cdef Case* cases = <Case*>self._block(n_cases * sizeof(Case))
        words = []
        cdef Py_ssize_t i, j = 0
        for i, one in enumerate(source.selects):
            out[i].first_slot, out[i].words = len(self.members), len(one.slots)
            self.members.extend(one.slots)
            out[i].first_case, out[i].n_cases = j, len(one.cases)
            out[i].otherwise = one.default.pc
            for case in one.cases:
                cases[j].first = len(words)
                words.extend(case.values or [0] * len(case.masks))
                words.extend(case.masks)
                cases[j].set_index = case.set_index
                cases[j].target = case.target.pc
                j += 1
        self.prog.selects = out
        self.prog.cases = cases
        self.prog.case_words = <uint64_t*>self._block(len(words) * 8)
        for i, value in enumerate(words):
            self.prog.case_words[i] = value
        self.prog.n_value_sets = len(source.value_sets)
        self.prog.value_set_words = self._numbers(
            [sum(max(1, (bits + 63) // 64) for bits in one.fields) for one in source.value_sets]
        )

    cdef _tables(self):
        source = self.source
        n_parts = sum(len(key.parts) for table in source.tables for key in table.keys)
        cdef Table* out = <Table*>self._block(len(source.tables) * sizeof(Table))
        cdef KeyPart* parts = <KeyPart*>self._block(n_parts * sizeof(KeyPart))
        cdef Py_ssize_t i, j = 0
        for i, table in enumerate(source.tables):
            out[i].kind, out[i].words = table.kind, table.words
            out[i].first_part = j
            for key in table.keys:
                for slot, word, shift, mask in key.parts:
                    parts[j].slot, parts[j].word, parts[j].shift = slot, word, shift
                    parts[j].mask, parts[j].guard = mask, key.guard
                    j += 1
            out[i].n_parts = j - out[i].first_part
            out[i].profile = table.profile
            out[i].meter, out[i].meter_slot = table.meter, table.meter_slot
            out[i].has_counter, out[i].timeout = table.has_counter, table.timeout
            out[i].hit_miss = table.next_hit is not None
            out[i].next_hit, out[i].next_miss = _pc(table.next_hit), _pc(table.next_miss)
            out[i].next_default = table.next_default.pc
            out[i].first_next = len(self.members)
            following = [table.next_default.pc] * len(source.actions)
            for action, label in table.next_by_action.items():
                following[action] = label.pc
            self.members += following
        self.prog.tables, self.prog.n_tables = out, len(source.tables)
        self.prog.parts = parts
        self.prog.members = self._numbers(self.members)
        self.members = None
        cdef Action* actions = <Action*>self._block(len(source.actions) * sizeof(Action))
        for i, action in enumerate(source.actions):
            actions[i].pc = action.label.pc
            actions[i].param_words = sum(max(1, (bits + 63) // 64) for bits in action.bits)
        self.prog.actions, self.prog.n_actions = actions, len(source.actions)
        self.prog.profile_calculation = self._numbers([p.calculation for p in source.profiles])
        self.prog.n_profiles = len(source.profiles)

    # ---- calculations, lists, arrays ----

    cdef _calculations(self):
        source = self.source
        n_inputs = sum(len(one.inputs) for one in source.calculations)
        cdef Calculation* out = <Calculation*>self._block(
            len(source.calculations) * sizeof(Calculation)
        )
        cdef Input* inputs = <Input*>self._block(n_inputs * sizeof(Input))
        cdef Py_ssize_t i, j = 0, k
        for i, one in enumerate(source.calculations):
            out[i].algorithm = one.algorithm
            out[i].first_input, out[i].n_inputs = j, len(one.inputs)
            out[i].simple_sum = one.algorithm in (0, 8)
            bits = 0
            for kind, slot, width, guard in one.inputs:
                inputs[j].kind, inputs[j].slot = kind, slot
                inputs[j].bits, inputs[j].guard = width, guard
                if kind == 2:  # a whole header
                    bits += source.layout.headers[slot].type.bits
                    if source.layout.headers[slot].type.varbit is not None:
                        bits += 8 * source.layout.headers[slot].type.max_bytes
                elif kind == 3:
                    bits += 8 * (1 << 13)
                elif kind == 4:
                    out[i].has_payload = 1
                bits += width
                if kind not in (0, 1) or width > 48:
                    out[i].simple_sum = 0
                j += 1
            out[i].max_bits = bits
            # 2^16 is 1 modulo 65535: only the place within a 16-bit word matters to a sum.
            left = bits + (-bits) % 16
            for k in range(out[i].first_input, j):
                left -= inputs[k].bits
                inputs[k].shift, inputs[k].mask = left % 16, low_mask(inputs[k].bits)
        self.prog.calculations, self.prog.n_calculations = out, len(source.calculations)
        self.prog.inputs = inputs
        verifies = [one for one in source.checksums if one.verify]
        updates = [one for one in source.checksums if one.update]
        self.prog.verifies, self.prog.n_verifies = self._checksums(verifies), len(verifies)
        self.prog.updates, self.prog.n_updates = self._checksums(updates), len(updates)

    cdef Checksum* _checksums(self, checksums) except NULL:
        cdef Checksum* out = <Checksum*>self._block(len(checksums) * sizeof(Checksum))
        cdef Py_ssize_t i
        for i, one in enumerate(checksums):
            out[i].calculation, out[i].header = one.calculation, one.header
            out[i].slot, out[i].bits = one.slot, one.bits
            out[i].condition, out[i].answer = _pc(one.condition), one.answer
        return out

    cdef _lists(self):
        source = self.source
        places, fields, digests = [], [], []
        for number, slots in source.field_lists.items():
            fields.append((number, len(places), len(slots), sum(words for _, words in slots)))
            places.extend((slot, 0, words) for slot, words in slots)
        for one in source.digests:
            size = sum((bits + 7) // 8 for _, bits, _ in one.fields)
            digests.append((one.id, len(places), len(one.fields), size))
            places.extend(one.fields)
        messages = []
        for one in source.messages:
            messages.append((len(places), len(one.args)))
            places.extend((slot, int(signed), words) for slot, words, signed in one.args)
        self.prog.field_lists, self.prog.n_field_lists = self._place_lists(fields), len(fields)
        self.prog.digests, self.prog.n_digests = self._place_lists(digests), len(digests)
        cdef Place* out = <Place*>self._block(len(places) * sizeof(Place))
        cdef Message* message = <Message*>self._block(len(messages) * sizeof(Message))
        cdef Py_ssize_t i
        for i, (slot, bits, words) in enumerate(places):
            out[i].slot, out[i].bits, out[i].words = slot, bits, words
        for i, (first, count) in enumerate(messages):
            message[i].first, message[i].count = first, count
        self.prog.places = out
        self.prog.messages = message

    cdef PlaceList* _place_lists(self, lists) except NULL:
        cdef PlaceList* out = <PlaceList*>self._block(len(lists) * sizeof(PlaceList))
        cdef Py_ssize_t i
        for i, (number, first, count, total) in enumerate(lists):
            out[i].id, out[i].first, out[i].count, out[i].total = number, first, count, total
        return out

    cdef _arrays(self):
        source = self.source
        self.prog.registers = self._array(source.registers)
        self.prog.n_registers = len(source.registers)
        self.prog.counters = self._array(source.counters)
        self.prog.n_counters = len(source.counters)
        self.prog.meters, self.prog.n_meters = self._array(source.meters), len(source.meters)

    cdef Array* _array(self, arrays) except NULL:
        cdef Array* out = <Array*>self._block(len(arrays) * sizeof(Array))
        cdef Py_ssize_t i
        for i, one in enumerate(arrays):
            out[i].size, out[i].bits = one.size, one.bits
            out[i].words = max(1, (one.bits + 63) // 64)
            out[i].by_bytes, out[i].direct = one.unit == "bytes", one.direct
        return out

    cdef _scalars(self):
        source, layout = self.source, self.source.layout
        self.prog.words, self.prog.state_words = source.words, layout.state_words
        self.prog.metadata_slot, self.prog.metadata_end = layout.metadata_slot, layout.metadata_end
        self.prog.param_slot = source.param_slot
        self.prog.drop_port_slot = source.drop_port_slot
        self.prog.after_drop_port_slot = source.after_drop_port_slot
        self.prog.scratch_slot = source.scratch_slot
        self.prog.parser, self.prog.ingress = source.parser.pc, source.ingress.pc
        self.prog.egress, self.prog.deparser = source.egress.pc, source.deparser_code.pc
        cdef Py_ssize_t i
        for i, (slot, bits) in enumerate(source.standard):
            self.prog.standard[i], self.prog.standard_bits[i] = slot, bits
        self.prog.has_queueing = source.has_queueing
        errors = source.errors
        self.prog.error_none = errors["NoError"]
        self.prog.error_too_short = errors["PacketTooShort"]
        self.prog.error_stack = errors["StackOutOfBounds"]
        self.prog.error_header_short = errors["HeaderTooShort"]
        self.prog.error_argument = errors["ParserInvalidArgument"]
        self.prog.error_timeout = errors["ParserTimeout"]
        self.prog.order = self._numbers(source.deparser_order)
        self.prog.n_order = len(source.deparser_order)
        self.prog.header_bytes = 64 + sum(
            max(h.type.bits // 8, h.type.max_bytes)
            for h in (layout.headers[k] for k in source.deparser_order)
        )


def _shape(kind, pieces: list, packs: list) -> tuple:
    """Append a header type's pieces and packing steps; where they lie."""
    first_piece, first_pack = len(pieces), len(packs)
    position, before, bits_before = 0, 0, 0
    for one in kind.fields:
        if one.varbit:
            before, bits_before = len(pieces) - first_piece, position
            position = 0
            continue
        limbs = max(1, (one.bits + 63) // 64)
        for limb in range(limbs - 1, -1, -1):
            width = min(64, one.bits - 64 * limb)
            if width <= 0:
                continue
            top = limb == limbs - 1
            pieces.append((one.offset + limb, width, position, one.signed and top))
            position += width
    if kind.varbit is None:
        before = len(pieces) - first_piece
        _packing(pieces[first_piece:], packs)
    return (
        first_piece, len(pieces) - first_piece, before, bits_before,
        first_pack, len(packs) - first_pack,
    )


def _packing(pieces: list, packs: list) -> None:
    """Steps that gather the pieces into 64-bit words, most significant first."""
    total = sum(bits for _, bits, _, _ in pieces)
    for slot, bits, position, _ in pieces:
        mask = (1 << bits) - 1
        end = position + bits
        word_end = (position // 64 + 1) * 64
        last = end == total
        if end <= word_end:
            full = end == word_end or last
            used = (end - (word_end - 64) + 7) // 8 if last and end != word_end else 8
            packs.append((slot, word_end - end, mask, used if full else 0))
        else:
            packs.append((slot, -(end - word_end), mask, 8))
            used = (end - word_end + 7) // 8 if last else 0
            packs.append((slot, 64 - (end - word_end), mask, used))




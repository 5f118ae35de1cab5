"""Instructions of the flat program: one enumeration for the compiler (Python) and the engine (C).

An instruction has a 16-bit modifier ``n`` and four operands ``d, a, b, c``. Operands are slots of
the packet's word file (``F``, an array of uint64) unless the comment says otherwise; ``=imm`` marks
an operand that is a number itself, ``->pc`` a jump target. ``n`` is a count of 64-bit limbs where
an instruction can work on wide values. Header operands are header ids; bit 0 of ``n`` says that
``d`` is a slot that holds the id, bit 1 the same for ``a``.
"""

cpdef enum Op:
    # ---- control ----
    END = 0          # end of a segment (parser, pipeline, deparser primitives)
    RET              # end of an action: back to the control flow
    JMP              # ->d
    LOOP             # ->d, backwards; the packet is dropped after too many
    JZ               # if a == 0 ->d
    JNZ              # if a != 0 ->d
    JEQ              # if a == b ->d
    JNE
    JLTU             # unsigned
    JGEU
    JLTS             # signed
    JGES
    # ---- 64-bit words ----
    MOV              # d = a
    ADD
    SUB
    MUL
    DIV              # unsigned; by zero: 0 and counted
    MOD
    AND
    OR
    XOR
    NOT
    SHL              # by 64 or more: 0
    SHR              # logical
    SAR              # arithmetic
    ADDM             # d = (a + b) & c
    SUBM             # d = (a - b) & c
    SLICE            # d = (a >> =b) & c
    EQ
    NE
    LTU
    LEU
    LTS
    LES
    LNOT             # d = a == 0
    NEZ              # d = a != 0
    SEXT             # d = low =b bits of a, sign extended
    USATU            # clamp to [0, 2^=b - 1], a unsigned
    USATS            # the same, a signed
    SSATU            # clamp to [-2^(=b-1), 2^(=b-1) - 1], a unsigned
    SSATS
    SELECT           # d = a ? b : c
    # ---- n limbs, two's complement ----
    WMOV             # d = a
    WEXT             # d (n limbs) = a (=b limbs, signed if =c)
    WADD
    WSUB
    WMUL
    WDIV
    WMOD
    WAND
    WOR
    WXOR
    WNOT
    WSHL             # by the word b
    WSAR
    WEQ              # d is one word
    WNE
    WLTS
    WLES
    WNEZ
    WSEXT            # keep =b bits, sign extend
    WZEXT            # keep =b bits
    WUSAT
    WSSAT
    WSELECT          # d = word a ? b : c
    WSLICE           # d (a word) = (a (n limbs) >> =b) & word c
    # ---- headers ----
    ADDH             # d valid, zeroed if it was not
    REMH
    CPYH             # d = a
    HEQ              # word d = header a equals header b (n: bit 1 for a, bit 2 for b)
    VLEQ             # word d = varbit at a equals varbit at b, as numbers
    DEREF            # word d = id of element [word b] of stack =a
    DEREFU           # word d = union id of element [word b] of union stack =a
    UHDR             # word d = header id of member =b of union [word a]
    UVALID           # word d = union =a has a valid member (n bit 0: a is a slot)
    LDF              # d (n limbs) = header [word a] at offset =b
    STF              # header [word d] at offset =b (n limbs) = a
    HVALID           # word d = header [word a] is valid
    LASTF            # d (n limbs) = stack =a, last element, offset =b
    LASTUF           # d (n limbs) = union stack =a, last element, member =b, offset =c
    CPYU             # union d = union a (n bits as for headers)
    UEQ              # word d = union a equals union b (n bit 1 for a, bit 2 for b)
    CPYS             # stack =d = stack =a
    CPYUS
    PUSH             # stack =d by word a
    POP
    PUSHU            # union stack =d by word a
    POPU
    LASTIDX          # word d = last index of stack =a
    STKSIZE
    LASTIDXU
    STKSIZEU
    CPYVL            # varbit of header =d = varbit of header =a
    # ---- parser ----
    STATE            # =d: a state is entered
    EXTRACT          # header =d
    EXTRACTV         # header =d, varbit length word a in bits
    EXTRACTS         # stack =d
    EXTRACTSV        # stack =d, length word a
    EXTRACTU         # union stack =d, member =b
    EXTRACTUV        # union stack =d, length word a, member =b
    ADVANCE          # by word a in bits
    LOOKAHEAD        # d (n limbs) = =b bits at =a bits from here
    VERIFY           # unless word a: parser error [word b]
    SWITCH           # select table =d
    # ---- control flow of a pipeline ----
    TABLE            # apply table =d
    CALL             # action =d, then ->a
    # ---- externs ----
    COUNT            # counter array =d, index a
    METER            # word d = colour of meter array =a, index b
    REGR             # d (n limbs) = register array =a [word b]
    REGW             # register array =d [word a] = b (n limbs)
    RANDOM           # word d between words a and b, as it was if a > b
    CALC             # word d = calculation =a
    HASH             # word d = word b + calculation =a % word c
    DIGEST           # learn list [word a]
    CLONE            # session [word a], field list [word b]
    RESUBMIT         # field list [word a]
    RECIRC           # field list [word a]
    TRUNC            # to word a bytes
    EXIT
    ASSERT           # word a, =d source id
    LOGMSG           # =d message
    # ---- only in a program compiled for tracing ----
    TRACE            # =d kind, =a id, word b value

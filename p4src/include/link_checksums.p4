// The CRC-32 of QCI messages of a link, as both programs compute it: 0 stands for the label.

#define QCI_ON_LINK \
        20w0, 12w0, hdr.qci.version, hdr.qci.flags, hdr.qci.type, hdr.qci.length

#define GEN_FIELDS { QCI_ON_LINK, hdr.gen.queue_id, hdr.gen.queue_seq, hdr.gen.kind, \
        hdr.gen.present, hdr.gen.reserved, hdr.gen.cycle }

#define REPLY_FIELDS { QCI_ON_LINK, hdr.reply.queue_id, hdr.reply.queue_seq, \
        hdr.reply.other_queue_id, hdr.reply.other_queue_seq, hdr.reply.mhp_seq, \
        hdr.reply.outcome, hdr.reply.reserved, hdr.reply.error_code, hdr.reply.reserved2, \
        hdr.reply.cycle }

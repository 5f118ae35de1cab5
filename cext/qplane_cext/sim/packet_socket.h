/* Frames through AF_PACKET sockets (packet(7)) that belong to the caller. */
#ifndef QPLANE_PACKET_SOCKET_H
#define QPLANE_PACKET_SOCKET_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <linux/if_packet.h>

enum { TAG_BYTES = 4, ADDRESSES_BYTES = 12 };

/* One frame, or -1 with errno. A VLAN tag that the kernel took out is put back. */
static inline int packet_receive(int fd, uint8_t *frame, size_t room) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec vector = {frame, room - TAG_BYTES};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
    if (length < ADDRESSES_BYTES)
        return (int)length;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        struct tpacket_auxdata aux;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            uint16_t kind = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100;
            memmove(frame + ADDRESSES_BYTES + TAG_BYTES, frame + ADDRESSES_BYTES,
                    (size_t)length - ADDRESSES_BYTES);
            frame[12] = kind >> 8;
            frame[13] = kind & 0xff;
            frame[14] = aux.tp_vlan_tci >> 8;
            frame[15] = aux.tp_vlan_tci & 0xff;
            length += TAG_BYTES;
        }
    }
    return (int)length;
}

#endif

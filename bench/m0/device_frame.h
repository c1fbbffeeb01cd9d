/* SPDX-License-Identifier: MIT */
/* Frames on the UART. Numbers are little-endian.
 *
 *   0x01, type, seq, len (0..64), len bytes, CRC-16 (CCITT, FFFF, over type to payload)
 *
 * Whatever stands between frames is text for people. The host sends one frame and waits
 * for its one answer, which carries the same seq; it may repeat a frame: one that was
 * already taken is answered again, not taken again. A damaged or unknown frame is
 * answered by NAK with seq 0.
 *
 *   NEW           a new transfer; [0] = 1: measure the stack of each call
 *   ENVELOPE      bytes of the envelope
 *   ENVELOPE_END
 *   PAYLOAD       bytes of the payload asked for by NEED
 *   PAYLOAD_END   [0] = 1 all given, 0 source lost
 *   QUERY         [0] = QUERY_*, [1..2] = offset
 *   APP           message for the application; its answer is text
 *   RESET
 *
 *   ACK           int16 status, uint32 bytes received of envelope and payload
 *   NEED          uint32 offset, uint32 size, uint16 URI length, uint8 component, then
 * the first bytes of the URI (the rest: QUERY_URI) RESULT        int16 code, uint8
 * section, uint8 component, uint32 offset, int32 label, int32 platform; the transfer is
 * over DATA          answer to a query
 *
 *   QUERY_STATUS  nine uint32 and eight uint16, see query_status
 *   QUERY_INFO    uint64 sequence, uint32 stored envelope bytes, uint16 signer, uint8
 *                 components, uint8 sections, digest
 *   QUERY_REPORT  SUIT_Report of the last transfer from an offset on
 *   QUERY_BOOT    SUIT_Report of the boot state from an offset on
 *   QUERY_CAPS    SUIT_Capability_Report from an offset on
 *   QUERY_URI     URI wanted, from an offset on
 */
#ifndef DEVICE_FRAME_H
#define DEVICE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_START 0x01
#define FRAME_MAX 64

/* from the host */
#define FRAME_NEW 'S'
#define FRAME_ENVELOPE 'E'
#define FRAME_ENVELOPE_END 'Z'
#define FRAME_PAYLOAD 'P'
#define FRAME_PAYLOAD_END 'F'
#define FRAME_QUERY 'Q'
#define FRAME_APP 'M'
#define FRAME_RESET 'B'

/* from the device */
#define FRAME_ACK 'A'
#define FRAME_NEED 'N'
#define FRAME_RESULT 'R'
#define FRAME_DATA 'D'
#define FRAME_NAK 'K'

#define QUERY_STATUS 's'
#define QUERY_INFO 'i'
#define QUERY_REPORT 'r'
#define QUERY_BOOT 'b'
#define QUERY_CAPS 'c'
#define QUERY_URI 'u'

typedef struct {
    uint16_t crc;  /* over what has arrived */
    uint8_t state; /* bytes of the head, payload and CRC taken */
    uint8_t type;
    uint8_t seq;
    uint8_t len;
    uint8_t data[FRAME_MAX + 2];
} device_frame;

/* 1: f holds a frame; 0: not yet; -1: a damaged frame ended here. */
int device_frame_push(device_frame *f, uint8_t byte);
void device_frame_send(uint8_t type, uint8_t seq, const uint8_t *data, size_t len);

#endif

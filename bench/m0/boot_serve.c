/* SPDX-License-Identifier: MIT */
/* Serves the UART: takes frames, feeds picosuit, answers. Nothing here waits: what the
 * core or the port has not finished (AGAIN) is gone on with at the next call. */
#include <string.h>
#include "boot.h"
#include "device_calls.h"
#include "device_frame.h"
#include "device_text.h"
#include "nrf51.h"

/* What is under way; each is repeated until it is not AGAIN. */
enum {
    OP_NONE,
    OP_INIT,
    OP_FEED,
    OP_BEGIN,
    OP_RUN,
    OP_PAYLOAD,
    OP_PAYLOAD_END,
    OP_FEED_END,
    OP_CANDIDATE,
    OP_N
};

typedef struct {
    uint32_t received;      /* bytes of envelope and payload in this transfer */
    uint16_t deepest[OP_N]; /* stack that each call took, if is_measured */
    int16_t status;         /* of the last call */
    uint16_t last_seq;      /* sequence number answered last, plus 1; 0: none */
    uint8_t op;
    uint8_t pos;     /* bytes of the frame consumed */
    uint8_t is_open; /* a transfer is under way */
    uint8_t is_measured;
    uint8_t answer_type;
    uint8_t answer_len;
    uint8_t answer[FRAME_MAX]; /* kept, in case the host asks again */
    device_frame frame;
} serve_state;

static serve_state serve;

static uint32_t stack_pointer(void) {
    uint32_t sp = 0;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

static uint32_t fill_at(uint32_t addr) {
    return (addr ^ MAP_FILL_SEED) * MAP_FILL_MUL;
}

/* -- what was used of stack and work ----------------------------------------------------
 */

/* Restores the fill below this function. */
static void __attribute__((noinline)) stack_paint(void) {
    uint32_t top = stack_pointer();
    for (uint32_t a = MAP_STACK_LOW; a < top; a += 4) {
        NRF51_REG(a) = fill_at(a);
    }
}

static uint32_t stack_lowest(void) {
    uint32_t a = MAP_STACK_LOW;
    while (a < MAP_STACK_TOP && NRF51_REG(a) == fill_at(a)) {
        a += 4;
    }
    return a;
}

static void work_paint(void) {
    for (uint32_t i = 0; i < BOOT_WORK; i++) {
        boot.work[i] = (uint8_t)(0x5A + i * 7);
    }
}

static uint32_t work_used(void) {
    uint32_t n = BOOT_WORK;
    while (n > 0 && boot.work[n - 1] == (uint8_t)(0x5A + (n - 1) * 7)) {
        n--;
    }
    return n;
}

/* -- answers ----------------------------------------------------------------------------
 */

static void put16(uint32_t v) {
    serve.answer[serve.answer_len++] = (uint8_t)v;
    serve.answer[serve.answer_len++] = (uint8_t)(v >> 8);
}

static void put32(uint32_t v) {
    put16(v);
    put16(v >> 16);
}

static void put_bytes(const uint8_t *data, size_t len) {
    memcpy(serve.answer + serve.answer_len, data, len);
    serve.answer_len = (uint8_t)(serve.answer_len + len);
}

static void answer_again(void) {
    device_frame_send(serve.answer_type, (uint8_t)(serve.last_seq - 1u), serve.answer,
                      serve.answer_len);
}

static void answer_begin(uint8_t type) {
    serve.answer_type = type;
    serve.answer_len = 0;
}

/* The frame is dealt with; nothing is under way. */
static void answer_send(void) {
    serve.op = OP_NONE;
    serve.last_seq = (uint16_t)(serve.frame.seq + 1u);
    answer_again();
}

static void answer_ack(void) {
    answer_begin(FRAME_ACK);
    put16((uint16_t)serve.status);
    put32(serve.received);
    answer_send();
}

static void answer_need(const picosuit_fetch *f) {
    size_t n = f->uri_len < FRAME_MAX - 11 ? f->uri_len : FRAME_MAX - 11;
    answer_begin(FRAME_NEED);
    put32(f->offset);
    put32(f->size);
    put16(f->uri_len);
    serve.answer[serve.answer_len++] = f->component;
    put_bytes(f->uri, n);
    answer_send();
}

static void answer_result(void) {
    const picosuit_error *e = picosuit_last_error(&boot.ctx);
    answer_begin(FRAME_RESULT);
    put16((uint16_t)serve.status);
    serve.answer[serve.answer_len++] = e->section;
    serve.answer[serve.answer_len++] = e->component;
    put32(e->offset);
    put32((uint32_t)e->label);
    put32((uint32_t)e->platform);
    serve.is_open = 0;
    answer_send();
}

static void finish_good(void) {
    const picosuit_boot_record *r = &boot.dev.boot.rec;
    text("[boot] update complete: ");
    if (r->phase == PICOSUIT_BOOT_CAND) {
        text("sequence ");
        text_number64(r->sequence);
        text(r->slot == 0 ? " in slot A" : " in slot B");
        text(r->new_keys == 255u ? "" : ", new keys");
        text(", started by the next reset\r\n");
    } else {
        text("confirmed already\r\n");
    }
    answer_result();
}

static void finish_bad(void) {
    if (serve.status == PICOSUIT_E_DECRYPT) {
        device_tag_failed(&boot.dev);
    }
    text_verdict(&boot.ctx, serve.status, "[boot] refused: ");
    answer_result();
}

/* -- the transfer -----------------------------------------------------------------------
 */

static void say_ready(void) {
    picosuit_info info;
    if (picosuit_get_info(&boot.ctx, &info) == PICOSUIT_OK) {
        text("[boot] authenticated: sequence ");
        text_number64(info.sequence);
        text(", signer ");
        text_number(info.signer);
        text("\r\n");
    }
}

/* The next call of the operation under way. */
static int __attribute__((noinline)) serve_call(void) {
    size_t used = 0;
    size_t left = (size_t)(serve.frame.len - serve.pos);
    const uint8_t *data = serve.frame.data + serve.pos;
    int st = PICOSUIT_E_STATE;
    if (serve.is_measured) {
        stack_paint();
    }
    switch (serve.op) {
    case OP_INIT:
        st = picosuit_init(&boot.ctx, &device_platform, &boot.dev, boot.work, BOOT_WORK);
        break;
    case OP_FEED: st = picosuit_feed(&boot.ctx, data, left, &used); break;
    case OP_BEGIN: st = picosuit_boot_begin(&boot.dev.boot, &boot.ctx); break;
    case OP_RUN: st = picosuit_run(&boot.ctx); break;
    case OP_PAYLOAD: st = picosuit_payload(&boot.ctx, data, left, &used); break;
    case OP_PAYLOAD_END:
        st = picosuit_payload_end(&boot.ctx, serve.frame.len == 1 && data[0] == 1);
        break;
    case OP_FEED_END: st = picosuit_feed_end(&boot.ctx); break;
    case OP_CANDIDATE: st = picosuit_boot_candidate(&boot.dev.boot, &boot.ctx); break;
    default: break;
    }
    if (serve.is_measured && stack_pointer() - stack_lowest() > serve.deepest[serve.op]) {
        serve.deepest[serve.op] = (uint16_t)(stack_pointer() - stack_lowest());
    }
    serve.pos = (uint8_t)(serve.pos + used);
    serve.received += used;
    return st;
}

/* FETCH: go on with the frame while that gets anywhere, else ask the host. */
static void want(int is_stuck) {
    picosuit_fetch f;
    if (serve.frame.type == FRAME_ENVELOPE && serve.pos < serve.frame.len && !is_stuck) {
        serve.op = OP_FEED;
    } else if (picosuit_get_fetch(&boot.ctx, &f) == PICOSUIT_OK &&
               f.where == PICOSUIT_WHERE_URI) {
        answer_need(&f);
    } else {
        answer_ack();
    }
}

/* One step of what is under way. */
static void serve_step(void) {
    uint8_t pos = serve.pos;
    int is_feed = serve.op == OP_FEED;
    int st = serve_call();
    serve.status = (int16_t)st;
    if (st < 0) {
        finish_bad();
        return;
    }
    switch (st) {
    case PICOSUIT_AGAIN: break;
    case PICOSUIT_READY:
        say_ready();
        serve.op = OP_BEGIN; /* after FEED_END, too: then this is the whole envelope */
        break;
    case PICOSUIT_FETCH: want(is_feed && serve.pos == pos); break;
    case PICOSUIT_OK:
        if (serve.op == OP_INIT) {
            device_reset(&boot.dev);
            work_paint();
            serve.received = 0;
            serve.is_open = 1;
            answer_ack();
        } else if (serve.op == OP_BEGIN) {
            serve.op = OP_RUN;
        } else if (serve.op == OP_CANDIDATE) {
            finish_good();
        } else {
            serve.op = OP_CANDIDATE; /* the procedure is done */
        }
        break;
    default: answer_ack(); break; /* MORE */
    }
}

/* -- queries ----------------------------------------------------------------------------
 */

static void query_status(void) {
    put32((uint32_t)(int32_t)serve.status);
    put32(boot.dev.boot.running);
    put32(serve.received);
    put32(nrf51_flash_counts.programmed);
    put32(nrf51_flash_counts.erased);
    put32(nrf51_flash_counts.refused);
    put32(stack_lowest());
    put32(work_used());
    put32(sizeof(picosuit));
    for (unsigned op = OP_INIT; op < OP_N; op++) {
        put16(serve.deepest[op]);
    }
}

static void query_info(void) {
    picosuit_info info;
    if (picosuit_get_info(&boot.ctx, &info) == PICOSUIT_OK) {
        put32((uint32_t)info.sequence);
        put32((uint32_t)(info.sequence >> 32));
        put32(info.envelope_len);
        put16(info.signer);
        put16(info.components | (uint32_t)info.sections << 8);
        put_bytes(info.digest, 32);
    }
}

/* Reports are made anew for each piece: the stack is free between transfers. */
static void query_report(uint8_t what, uint32_t off) {
    uint8_t buf[256];
    size_t len = 0;
    int st = PICOSUIT_E_ARG;
    switch (what) {
    case QUERY_CAPS: st = picosuit_capabilities(buf, sizeof buf, &len); break;
    case QUERY_BOOT:
        st = picosuit_boot_report(&boot.dev.boot, buf, sizeof buf, &len);
        break;
    default: st = picosuit_report(&boot.ctx, buf, sizeof buf, &len); break;
    }
    if (st == PICOSUIT_OK && off < len) {
        len -= off;
        put_bytes(buf + off, len < FRAME_MAX ? len : FRAME_MAX);
    }
}

static void query_uri(uint32_t off) {
    picosuit_fetch f;
    if (picosuit_get_fetch(&boot.ctx, &f) == PICOSUIT_OK && off < f.uri_len) {
        size_t len = f.uri_len - off;
        put_bytes(f.uri + off, len < FRAME_MAX ? len : FRAME_MAX);
    }
}

static void query(void) {
    const uint8_t *d = serve.frame.data;
    uint32_t off = serve.frame.len < 3 ? 0 : d[1] | (uint32_t)d[2] << 8;
    answer_begin(FRAME_DATA);
    switch (serve.frame.len == 0 ? 0 : d[0]) {
    case QUERY_STATUS: query_status(); break;
    case QUERY_INFO: query_info(); break;
    case QUERY_REPORT:
    case QUERY_BOOT:
    case QUERY_CAPS: query_report(d[0], off); break;
    case QUERY_URI: query_uri(off); break;
    default: break;
    }
    answer_send();
}

/* -- frames -----------------------------------------------------------------------------
 */

static void start_op(uint8_t op) {
    serve.pos = 0;
    if (op != OP_INIT && !serve.is_open) {
        serve.status = PICOSUIT_E_STATE; /* refused before: a new transfer is needed */
        answer_ack();
    } else {
        serve.op = op;
    }
}

static int take_frame(void) {
    int event = DEVICE_IDLE;
    if (serve.frame.seq + 1u == serve.last_seq) {
        answer_again();
        return event;
    }
    switch (serve.frame.type) {
    case FRAME_NEW:
        stack_paint();
        memset(serve.deepest, 0, sizeof serve.deepest);
        serve.is_measured = serve.frame.len == 1 && serve.frame.data[0] == 1;
        start_op(OP_INIT);
        break;
    case FRAME_ENVELOPE: start_op(OP_FEED); break;
    case FRAME_ENVELOPE_END: start_op(OP_FEED_END); break;
    case FRAME_PAYLOAD: start_op(OP_PAYLOAD); break;
    case FRAME_PAYLOAD_END: start_op(OP_PAYLOAD_END); break;
    case FRAME_QUERY: query(); break;
    case FRAME_APP:
        serve.status = 0;
        answer_ack();
        event = DEVICE_APP + (serve.frame.len == 0 ? 0 : serve.frame.data[0]);
        break;
    case FRAME_RESET:
        answer_ack();
        text("[boot] reset\r\n");
        nrf51_reset();
        break;
    default: device_frame_send(FRAME_NAK, 0, NULL, 0); break;
    }
    return event;
}

int serve_poll(int byte) {
    int event = DEVICE_IDLE;
    int st = 0;
    if (serve.op != OP_NONE) {
        serve_step(); /* a byte that comes now is the host's mistake: it waits for answers
                       */
    } else if (byte >= 0) {
        st = device_frame_push(&serve.frame, (uint8_t)byte);
        if (st > 0) {
            event = take_frame();
        } else if (st < 0) {
            device_frame_send(FRAME_NAK, 0, NULL, 0);
        }
    }
    return serve.op != OP_NONE ? DEVICE_BUSY : event;
}

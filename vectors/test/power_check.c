/* SPDX-License-Identifier: MIT
 *
 * The invariants I1 to I11 (docs/boot.md), each one a function, asked at every boot, at
 * every flash operation or at the end, as it fits.
 */
#include <stdlib.h>
#include "power.h"

static const char *event_names[] = {"programmed", "erased"};
static const char *way_names[] = {"not done", "done", "torn", "half done"};

/* What it takes to repeat it, then the same in words. */
void print_events(const machine *k) {
    printf("  power %s replay=", cfg->name);
    for (int i = 0; i < k->n_events; i++) {
        const event *e = &k->events[i];
        printf("%s%u", i > 0 ? "," : "", e->op);
        if (e->kind == EVENT_VIEW) {
            printf("v%u", e->way);
        } else {
            printf("%c", e->kind == EVENT_RESET ? 'r' : "ndth"[e->way]);
        }
    }
    printf("\n");
    for (int i = 0; i < k->n_events; i++) {
        const event *e = &k->events[i];
        if (e->kind == EVENT_VIEW) {
            printf("    boot: unstable cells read in way %u\n", e->way);
        } else if (e->kind == EVENT_RESET) {
            printf("    plain reset in step %u\n", e->pos);
        } else {
            printf("    cut at operation %u: 0x%x being %s, %s (step %u)\n", e->op, e->at,
                   event_names[e->kind], way_names[e->way], e->pos);
        }
    }
}

/* What was printed before: the first violation of each kind is enough. */
static int is_known(const char *what) {
    static const char *known[32];
    static int n;

    for (int i = 0; i < n; i++) {
        if (known[i] == what) {
            return 1;
        }
    }
    if (n < 32) {
        known[n++] = what;
    }
    return 0;
}

void broken(const char *invariant, const char *what) {
    const picosuit_boot_record *r = &ram.b.rec;

    m->stop = STOP_BAD;
    violations++;
    if (is_known(what)) {
        return;
    }
    printf("%s broken: %s\n", invariant, what);
    printf(
        "  step %u, phase %u, running %u, confirmed %u, floor %u (seen %u, acknowledged "
        "%u), "
        "epoch %u, tries %u, code %d, operation %u\n",
        m->obs.pos, r->phase, ram.b.running, r->confirmed, (unsigned)r->floor,
        (unsigned)m->obs.floor, (unsigned)m->obs.acked, r->epoch, r->tries, r->code,
        m->ops);
    print_events(m);
    if (quit_at_violation) {
        printf("stopped at the first violation\n");
        exit(3);
    }
}

static void hold(int is_true, const char *invariant, const char *what) {
    if (!is_true && m->stop == STOP_NO) {
        broken(invariant, what);
    }
}

static int is_tried(void) {
    return ram.b.rec.phase == PICOSUIT_BOOT_CAND || ram.b.rec.phase == PICOSUIT_BOOT_TRY;
}

static const uint8_t *running_digest(void) {
    const picosuit_boot_record *r = &ram.b.rec;
    return ram.b.running == r->confirmed ? r->confirmed_digest : r->other_digest;
}

/* Some slot boots; safe mode only while nothing was ever confirmed. */
static void check_i1(int st) {
    uint32_t at = picosuit_boot_address(&ram.b, &ram.p);

    if (st == PICOSUIT_SAFE && m->obs.acked == 0 && m->obs.floor == 0) {
        hold(at == PICOSUIT_NO_ADDRESS, "I1", "safe mode with an address");
        return;
    }
    hold(st == PICOSUIT_OK, "I1", st == PICOSUIT_SAFE ? "safe mode" : "select failed");
    hold(ram.b.running < 2 && at == flash.slot[ram.b.running & 1u], "I1", "no address");
    hold(ram.b.rec.phase == PICOSUIT_BOOT_TRY || ram.b.running == ram.b.rec.confirmed,
         "I1", "the fallback was started, though nothing was destroyed");
}

/* What runs is, byte by byte, what a known author signed with a key that is in force. */
static void check_i2(void) {
    const picosuit_boot_record *r = &ram.b.rec;
    const vector *v = vector_in(ram.b.running, running_digest());
    unsigned keys = r->keys;

    if (r->phase == PICOSUIT_BOOT_TRY && r->new_keys != 255) {
        keys = r->new_keys;
    }
    hold(v != NULL, "I2", "runs what nobody signed");
    hold(v == NULL || (v->signers & signers_of_set(keys)) != 0, "I2",
         "runs what no key in force has signed");
}

static void check_i3(void) {
    const picosuit_boot_record *r = &ram.b.rec;
    const step *s = &cfg->script[m->obs.pos];

    hold(r->floor >= m->obs.floor, "I3", "the floor went back");
    hold(r->epoch >= m->obs.epoch, "I3", "the key epoch went back");
    hold(s->act != ACT_TRIAL || r->floor < vectors[s->vector].sequence, "I3",
         "the floor was raised by an image that nobody confirmed");
    hold((r->floor == m->obs.floor && r->epoch == m->obs.epoch) || !is_tried(), "I3",
         "floor or epoch changed before confirm");
    hold(r->epoch == m->obs.epoch || r->floor > m->obs.floor, "I3",
         "the epoch changed without a confirmed manifest");
    m->obs.floor = r->floor;
    m->obs.epoch = r->epoch;
}

static void check_i4(void) {
    unsigned most = cfg->tries + (cfg->level == 2 ? m->obs.journal_cuts : 0u);

    if (ram.b.rec.phase == PICOSUIT_BOOT_TRY) {
        if (m->obs.trial != (uint8_t)ram.b.rec.sequence) {
            m->obs.trial = (uint8_t)ram.b.rec.sequence;
            m->obs.starts = 0;
        }
        m->obs.starts++;
        hold(m->obs.starts <= most, "I4", "an image on trial was started too often");
        hold(ram.b.rec.tries <= cfg->tries, "I4", "more tries than allowed");
    }
}

static void check_i5(void) {
    const vector *v = vector_in(ram.b.running, running_digest());

    hold(ram.b.rec.floor >= m->obs.acked, "I5", "a confirmed floor is gone");
    hold(v == NULL || v->sequence >= m->obs.image, "I5", "an older image runs");
}

static void check_i6(void) {
    const picosuit_boot_record *r = &ram.b.rec;

    if (r->confirmed < 2) {
        hold(vector_in(r->confirmed, r->confirmed_digest) != NULL, "I6",
             "the confirmed image is not whole");
    }
}

static void check_i8(void) {
    const picosuit_boot_record *r = &ram.b.rec;

    if (m->obs.has_rejected) {
        hold(!is_tried() || r->sequence != m->obs.rejected, "I8",
             "a rejected sequence number was installed again");
        hold(r->has_rejected, "I8", "what was rejected is forgotten");
    }
    m->obs.has_rejected = r->has_rejected;
    m->obs.rejected = r->rejected;
}

static void check_i9(void) {
    hold(m->boots <= cfg->tries + 3u || m->transfers > 0, "I9", "too many boots");
    hold(m->boots <= cfg->tries + 13u, "I9", "too many boots, with failed transfers");
}

/* The journal, but for its counter, is one that a run without any cut can have. */
static void check_i10(void) {
    picosuit_boot_record r = ram.b.rec;
    uint64_t h;

    r.counter = 0;
    r.crc = 0;
    h = hash_bytes(&r, sizeof r, m->obs.pos * 8u + ram.b.running);
    if (cfg->mode == MODE_COLLECT) {
        add_legal(h);
    } else if (cfg->mode != MODE_RANDOM && !cfg->no_legal) {
        hold(is_legal(h), "I10", "no run without cuts gets here");
    }
}

void check_boot(int st) {
    check_i1(st);
    if (m->stop != STOP_NO) {
        return;
    }
    if (st == PICOSUIT_OK) {
        check_i2();
        check_i5();
    }
    check_i3();
    check_i4();
    check_i6();
    check_i8();
    check_i9();
    check_i10();
    m->obs.confirmed = ram.b.rec.confirmed;
    m->obs.keys = ram.b.rec.keys;
    if (verbose) {
        printf(
            "boot: step %u phase %u running %u confirmed %u floor %u epoch %u tries %u "
            "counter %u operation %u\n",
            m->obs.pos, ram.b.rec.phase, ram.b.running, ram.b.rec.confirmed,
            (unsigned)ram.b.rec.floor, ram.b.rec.epoch, ram.b.rec.tries,
            ram.b.rec.counter, m->ops);
    }
}

/* confirm returned OK. */
void check_confirmed(void) {
    const picosuit_boot_record *r = &ram.b.rec;
    const vector *v = vector_in(ram.b.running, running_digest());

    uint32_t epoch = m->obs.epoch + (r->keys != m->obs.keys);

    hold(r->epoch == epoch, "I3", "new keys, but not the next epoch");
    check_i3();
    hold(r->phase == PICOSUIT_BOOT_FRESH && ram.b.running == r->confirmed, "I5",
         "confirmed, but not the running slot");
    m->obs.acked = r->floor;
    m->obs.image = v != NULL ? v->sequence : 0;
    m->obs.confirmed = r->confirmed;
    m->obs.keys = r->keys;
    check_i6();
}

/* Most erases of one update: its slot and four records. A keys page, if there are keys,
 * too. More is allowed for what an earlier step left: a candidate that waits (withdrawn,
 * or tried first), a record that is copied at the next boot, a page that a cut has
 * spoiled. */
static uint32_t most_erases(void) {
    const step *s = &cfg->script[m->obs.pos];
    uint32_t most = cfg->image_pages + cfg->manifest_pages + 4u;

    most += vectors[s->vector].set != NULL && vectors[s->vector].image_len != 0;
    if (m->obs.pos > 0) {
        most += s[-1].act == ACT_STAGE ? 4 : s[-1].act != ACT_INSTALL;
    }
    return most + (m->n_events > 0);
}

static void check_i11(unsigned kind) {
    if (kind == EVENT_ERASE && cfg->mode != MODE_RANDOM && m->transfers == 0) {
        hold(m->erases < most_erases(), "I11", "too many erases");
    }
}

/* Before each flash operation: what it touches is neither used, nor running, nor in
 * force. */
static void check_i7(unsigned kind, uint32_t at) {
    if (kind == EVENT_PROGRAM) {
        hold(m->unit[at / cfg->unit] == UNIT_ERASED, "I7",
             m->unit[at / cfg->unit] == UNIT_USED
                 ? "a unit is programmed twice"
                 : "a unit of an unsure page is programmed");
    }
    for (unsigned slot = 0; slot < 2; slot++) {
        if (at >= flash.slot[slot] && at < flash.slot[slot] + flash.slot_size) {
            hold(slot != ram.b.running, "I7", "the running slot is written");
            hold(slot != m->obs.confirmed, "I6", "the confirmed slot is written");
        }
    }
    if (at >= flash.keys && at < flash.keys + 2 * flash.page) {
        hold((at - flash.keys) / flash.page != m->obs.keys, "I6",
             "the key set in force is written");
    }
}

void check_operation(unsigned kind, uint32_t at) {
    check_i7(kind, at);
    check_i11(kind);
}

/* A rejected image: one that nobody confirmed as often as allowed, and nothing else. */
void check_rejected(const step *s) {
    hold(ram.b.rec.code == PICOSUIT_E_TRIAL, "I9", "a good image was rejected");
    hold(s->act == ACT_TRIAL || m->obs.starts > 0 || m->cuts > 0, "I9",
         "rejected without a trial");
}

void check_end(void) {
    const picosuit_boot_record *r = &ram.b.rec;
    const vector *v = vector_in(r->confirmed, r->confirmed_digest);
    uint8_t newest = 0;

    if (r->confirmed >= 2 && m->obs.floor == 0) {
        return; /* no image was ever confirmed */
    }
    for (const step *s = cfg->script; s->act != ACT_END; s++) {
        const vector *w = &vectors[s->vector];
        if (s->act == ACT_INSTALL && w->image_len != 0 && w->sequence <= m->obs.image) {
            newest = w->sequence;
        }
    }
    hold(r->phase == PICOSUIT_BOOT_IDLE || r->phase == PICOSUIT_BOOT_FRESH, "I9",
         "not at rest at the end");
    hold(ram.b.running == r->confirmed, "I9", "not the confirmed image at the end");
    hold(v != NULL && v->sequence >= newest, "I9",
         "not the newest good image at the end");
    ends++;
}

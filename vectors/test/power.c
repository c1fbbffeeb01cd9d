/* SPDX-License-Identifier: MIT
 *
 * The search over power cuts; see power.h. One process runs one configuration, given as
 * key=value: page, image, manifest (pages), unit, erased, journal (pages), script, level,
 * cuts (nested), tries, from (first step that is cut), journal_only, mutant. loss=1 ends
 * at the first violation with status 3; devices=N is the endurance test; replay=...
 * repeats what a violation has printed. Exit status 0: no violation.
 */
#include <stdlib.h>
#include "power.h"

const config *cfg;
machine *m;
unsigned long long cases, states, updates, ends, violations;
int verbose;
int quit_at_violation;
int power_mutant; /* number of the known-bad variant; 0: none */

#define NO_LIMIT 200 /* cuts: as many as there are states to reach */

/* -- points seen -- */

typedef struct {
    uint64_t key;
    uint8_t depth; /* most cuts that were still to come, plus 1 */
} seen_entry;
static seen_entry *seen;
static uint64_t seen_size, seen_n;

static seen_entry *seen_find(uint64_t key) {
    uint64_t i = key & (seen_size - 1);

    while (seen[i].depth != 0 && seen[i].key != key) {
        i = (i + 1) & (seen_size - 1);
    }
    return &seen[i];
}

static void seen_grow(void) {
    seen_entry *old = seen;
    uint64_t n = seen_size;

    seen_size = n == 0 ? 1u << 16 : 2 * n;
    seen = calloc(seen_size, sizeof *seen);
    if (seen == NULL) {
        abort();
    }
    for (uint64_t i = 0; i < n; i++) {
        if (old[i].depth != 0) {
            *seen_find(old[i].key) = old[i];
        }
    }
    free(old);
}

static void seen_clear(void) {
    memset(seen, 0, seen_size * sizeof *seen);
    seen_n = 0;
}

/* Whether this point was seen with as many cuts to come; if not, it is now. */
static int is_seen(uint64_t key, int *is_new) {
    seen_entry *e;

    if (2 * seen_n >= seen_size) {
        seen_grow();
    }
    e = seen_find(key);
    *is_new = e->depth == 0;
    if (e->depth > m->depth) {
        return 1;
    }
    seen_n += e->depth == 0;
    e->key = key;
    e->depth = (uint8_t)(m->depth + 1);
    return 0;
}

int is_seen_here(void) {
    int is_new = 0;

    if (cfg->mode != MODE_CUT && cfg->mode != MODE_COLLECT) {
        return 0;
    }
    return is_seen(hash_bytes(&m->obs, sizeof m->obs, hash_ram()), &is_new);
}

static int is_seen_boot(void) {
    int is_new = 0, is_old;

    if (cfg->mode != MODE_CUT && cfg->mode != MODE_COLLECT) {
        return 0;
    }
    is_old = is_seen(hash_bytes(&m->obs, sizeof m->obs, m->hash ^ 0xb007u), &is_new);
    states += (unsigned)is_new;
    return is_old;
}

/* -- journals that runs without cuts can have -- */

static uint64_t legal[1 << 16];
static uint32_t legal_n;

static uint64_t *legal_find(uint64_t tuple) {
    uint32_t i = (uint32_t)tuple & 0xffffu;

    while (legal[i] != 0 && legal[i] != tuple) {
        i = (i + 1) & 0xffffu;
    }
    return &legal[i];
}

int is_legal(uint64_t tuple) {
    return *legal_find(tuple) != 0;
}

void add_legal(uint64_t tuple) {
    uint64_t *at = legal_find(tuple);

    if (*at == 0 && ++legal_n > 60000) {
        abort();
    }
    *at = tuple;
}

/* -- the search -- */

/* What a violation has printed: operation (or point of a reset), letter, view. */
static struct {
    uint32_t op;
    char what;
    uint8_t view;
} replay[MAX_EVENTS];
static int replay_n, replay_at;

static int is_replayed(char what, uint32_t op) {
    int is_next = replay_at < replay_n && replay[replay_at].what == what &&
                  replay[replay_at].op == op;

    replay_at += is_next;
    return is_next;
}

static uint64_t random_state;

uint32_t random_below(uint32_t n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(mix64(random_state) % n);
}

static void explore(void);

/* From power-on to power-off, the unstable regions reading as they do in this view. */
static void explore_view(uint32_t view) {
    machine_view(m, view);
    if (m->n_regions > 0) {
        machine_event(m, EVENT_VIEW, 0, view);
    }
    m->touched = 0;
    device_power_on();
}

/* A digit of a view that counts regions from the first. */
static uint32_t digit(uint32_t view, int n) {
    for (; n > 0; n--) {
        view /= VIEWS;
    }
    return view % VIEWS;
}

/* Whether two views differ only in regions that nobody looked at. */
static int is_same_view(uint32_t a, uint32_t b, uint32_t touched) {
    for (int n = 0; n < MAX_REGIONS; n++) {
        if ((touched >> n & 1u) != 0 && digit(a, n) != digit(b, n)) {
            return 0;
        }
    }
    return 1;
}

/* All ways in which the unstable regions may read at this boot. */
static void explore_views(void) {
    static const int most = 81; /* VIEWS to the power of MAX_REGIONS */
    uint32_t done[81], touched[81];
    machine *parent = m;
    uint32_t n = machine_views(m);
    int tried = 0;

    for (uint32_t view = 0; view < n; view++) {
        int is_known = 0;
        for (int i = 0; i < tried; i++) {
            is_known |= is_same_view(view, done[i], touched[i]);
        }
        if (is_known || tried == most) {
            continue;
        }
        m = machine_clone();
        explore_view(view);
        done[tried] = view;
        touched[tried++] = m->touched;
        if (m->stop == STOP_NO) {
            explore();
        }
        machine_free(m);
        m = parent;
    }
    m->stop = STOP_DONE;
}

/* The view of a single run. */
static uint32_t one_view(void) {
    if (cfg->mode == MODE_RANDOM) {
        return random_below(machine_views(m));
    }
    return is_replayed('v', m->ops) ? replay[replay_at - 1].view : 0;
}

/* From power-on until the script is at its end. */
static void explore(void) {
    while (m->stop == STOP_NO) {
        if (!m->is_waiting && is_seen_boot()) {
            m->stop = STOP_SEEN;
            return;
        }
        m->is_waiting = 0;
        for (int i = 0; i < m->n_regions; i++) {
            m->regions[i].id = (uint8_t)i;
        }
        if (m->n_regions > 0 && cfg->mode == MODE_CUT) {
            explore_views();
        } else {
            explore_view(m->n_regions > 0 ? one_view() : 0);
        }
    }
}

/* With no limit to the cuts, children wait here: recursion could be as deep as there are
 * states. */
static machine *waiting;
static unsigned long long waiting_n, waiting_max;

static void explore_waiting(void) {
    while (waiting != NULL) {
        m = waiting;
        waiting = m->next;
        waiting_n--;
        explore();
        machine_free(m);
    }
}

/* The supply goes away now, with this left of the operation. */
static void explore_child(unsigned kind, uint32_t at, const uint8_t *data, unsigned way) {
    device_ram saved = ram;
    machine *parent = m;

    m = machine_clone();
    m->depth -= m->depth < NO_LIMIT;
    m->boots = 0;
    m->erases = 0;
    m->transfers = 0;
    m->cuts++;
    machine_event(m, kind, at, way);
    if (kind != EVENT_RESET) {
        machine_apply(m, kind, at, data, way);
    }
    if (m->depth < NO_LIMIT) {
        explore();
        machine_free(m);
    } else if (is_seen_boot()) {
        machine_free(m);
    } else {
        m->is_waiting = 1;
        m->next = waiting;
        waiting = m;
        waiting_n++;
        waiting_max = waiting_n > waiting_max ? waiting_n : waiting_max;
    }
    m = parent;
    ram = saved;
}

static int is_cut_here(unsigned kind, uint32_t at) {
    return m->depth > 0 && m->obs.pos >= cfg->from &&
           (!cfg->journal_only || at < flash.keys) && kind != EVENT_RESET;
}

static uint32_t random_op; /* operation that will be cut, 0: none */

/* The way in which the one run of this mode is cut here, WAYS: it is not. */
static unsigned single_way(void) {
    unsigned way = 0;

    if (cfg->mode == MODE_REPLAY) {
        while (way < WAYS && !is_replayed("ndth"[way], m -> ops)) {
            way++;
        }
        return way;
    }
    if (random_op == 0 || m->ops < random_op || m->n_regions > 1) {
        return WAYS;
    }
    random_op = random_below(4) == 0 ? m->ops + 1 + random_below(40) : 0;
    return random_below(cfg->level == 0 ? 2 : WAYS);
}

static void single_cut(unsigned kind, uint32_t at, const uint8_t *data) {
    unsigned way = single_way();

    if (way < WAYS) {
        cases++;
        if (verbose) {
            printf("cut at operation %u\n", m->ops);
        }
        explore_child(kind, at, data, way);
        m->stop = STOP_DONE;
    }
}

void explore_cut(unsigned kind, uint32_t at, const uint8_t *data) {
    unsigned ways = cfg->level == 0 ? 2 : WAYS;

    if (cfg->mode == MODE_REPLAY || cfg->mode == MODE_RANDOM) {
        single_cut(kind, at, data);
        return;
    }
    if (cfg->mode != MODE_CUT || !is_cut_here(kind, at)) {
        return;
    }
    for (unsigned way = 0; way < ways; way++) {
        cases++;
        explore_child(kind, at, data, way);
    }
}

/* A reset between two calls is no cut and costs none. */
void explore_reset(void) {
    int is_free = cfg->mode == MODE_COLLECT || (cfg->mode == MODE_CUT && cfg->resets);

    m->points++;
    if (m->stop != STOP_NO) {
        return;
    }
    if (is_free && m->obs.pos >= cfg->from) {
        m->depth += m->depth < NO_LIMIT;
        explore_child(EVENT_RESET, 0, NULL, 0);
        m->depth -= m->depth < NO_LIMIT;
    } else if (cfg->mode == MODE_REPLAY && is_replayed('r', m->points)) {
        explore_child(EVENT_RESET, 0, NULL, 0);
        m->stop = STOP_DONE;
    }
}

static int devices; /* of the endurance test */

/* Endurance: every third update is cut somewhere. */
void plan_update(void) {
    if (devices > 0 && random_op == 0 && random_below(3) == 0) {
        random_op = m->ops + 1 + random_below(220);
    }
}

/* -- one run -- */

static config c;
static char name[160];
static int depth;

static const struct {
    const char *name;
    const step *script;
    uint8_t from; /* what comes before is not cut */
} scripts[] = {
    {"life", script_life, 1},       {"both", script_both, 1},   {"keys", script_keys, 1},
    {"replace", script_replace, 1}, {"first", script_first, 0}, {"full", script_full, 1},
    {"fleet", script_fleet, 0},
};

static void run(int cuts, uint8_t mode) {
    c.mode = mode;
    m = machine_new();
    m->depth = cuts;
    memset(&ram, 0, sizeof ram);
    explore();
    machine_free(m);
    explore_waiting();
}

/* All runs without cuts, for the journals they can have. */
static void collect(void) {
    run(1, MODE_COLLECT);
    seen_clear();
    states = 0;
    updates = 0;
}

static void fleet(void) {
    for (int i = 0; i < devices && violations == 0; i++) {
        random_state = (uint64_t)i * 0x9e3779b97f4a7c15u;
        c.level = (uint8_t)(i % 3);
        random_op = 0;
        plan_update();
        run(0, MODE_RANDOM);
        if (ends != (unsigned)i + 1 && violations == 0) {
            printf("device %d did not reach the end\n", i);
            violations++;
        }
    }
}

/* 306t,306v0,17r... as a violation prints it */
static void read_replay(const char *text) {
    while (*text != 0 && replay_n < MAX_EVENTS) {
        char *end;

        replay[replay_n].op = (uint32_t)strtoul(text, &end, 10);
        replay[replay_n].what = *end;
        end += *end != 0;
        replay[replay_n++].view = (uint8_t)strtoul(end, &end, 10);
        text = *end == ',' ? end + 1 : "";
    }
}

static int set_script(const char *value) {
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        if (strcmp(value, scripts[i].name) == 0) {
            c.script = scripts[i].script;
            c.from = scripts[i].from;
            return 1;
        }
    }
    return 0;
}

static int set_number(const char *key, size_t len, uint32_t value) {
    const struct {
        const char *key;
        uint8_t *small;
        uint32_t *large;
        int *number;
    } known[] = {
        {"page", NULL, &c.page, NULL},
        {"image", NULL, &c.image_pages, NULL},
        {"manifest", NULL, &c.manifest_pages, NULL},
        {"unit", &c.unit, NULL, NULL},
        {"erased", &c.erased, NULL, NULL},
        {"journal", &c.journal_pages, NULL, NULL},
        {"level", &c.level, NULL, NULL},
        {"tries", &c.tries, NULL, NULL},
        {"from", &c.from, NULL, NULL},
        {"journal_only", &c.journal_only, NULL, NULL},
        {"resets", &c.resets, NULL, NULL},
        {"no_legal", &c.no_legal, NULL, NULL},
        {"cuts", NULL, NULL, &depth},
        {"devices", NULL, NULL, &devices},
        {"loss", NULL, NULL, &quit_at_violation},
        {"mutant", NULL, NULL, &power_mutant},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(known[i].key, key, len) == 0 && known[i].key[len] == 0) {
            if (known[i].small != NULL) {
                *known[i].small = (uint8_t)value;
            } else if (known[i].large != NULL) {
                *known[i].large = value;
            } else {
                *known[i].number = (int)value;
            }
            return 1;
        }
    }
    return 0;
}

static int read_argument(const char *text) {
    const char *value = strchr(text, '=');

    if (value == NULL) {
        return 0;
    }
    value++;
    if (strncmp(text, "replay=", 7) == 0) {
        read_replay(value);
        return 1;
    }
    if (strlen(name) + strlen(text) + 2 < sizeof name) {
        strcat(name, name[0] != 0 ? " " : "");
        strcat(name, text);
    }
    if (strncmp(text, "script=", 7) == 0) {
        return set_script(value);
    }
    return set_number(text, (size_t)(value - text - 1),
                      (uint32_t)strtoul(value, NULL, 0));
}

int main(int argc, char **argv) {
    c.page = 256;
    c.image_pages = 2;
    c.manifest_pages = 2;
    c.unit = 8;
    c.erased = 0xff;
    c.journal_pages = 3;
    c.tries = 2;
    (void)set_script("life");
    for (int i = 1; i < argc; i++) {
        if (!read_argument(argv[i])) {
            printf("power: unknown argument %s\n", argv[i]);
            return 2;
        }
    }
    c.name = name;
    cfg = &c;
    seen_grow();
    if (!flash_setup()) {
        return 2;
    }
    m = machine_new();
    if (!device_setup()) {
        return 2;
    }
    machine_free(m);
    if (devices > 0) {
        fleet();
    } else {
        if (!c.no_legal) {
            collect();
        }
        verbose = replay_n > 0;
        run(verbose ? 0 : depth, verbose ? MODE_REPLAY : MODE_CUT);
    }
    printf("%s: %llu cases, %llu states, %llu updates, %llu violations\n", name, cases,
           states, updates, violations);
    return violations != 0;
}

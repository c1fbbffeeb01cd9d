/* SPDX-License-Identifier: MIT
 *
 * What a simulated device is given: keys, records of an index, envelopes made from text.
 * Included by simdev.c only.
 */

/* -- keys -- */

#define KEY_MAX 16

static struct {
    char name[32];
    char kid[32];
    uint8_t key[64];
} key_store[KEY_MAX];
static sim_key keys[KEY_MAX];
static size_t key_n;

static void key_text(char *to, size_t cap, const char *from) {
    size_t n = strlen(from);
    int quoted = n >= 2 && from[0] == '\'' && from[n - 1] == '\'';
    snprintf(to, cap, "%.*s", (int)(n - (quoted ? 2 : 0)), from + (quoted ? 1 : 0));
}

static sim_key *key_new(const char *name, int32_t alg, uint16_t id, uint32_t rights) {
    sim_key *k = &keys[key_n];
    key_text(key_store[key_n].name, sizeof key_store->name, name);
    k->name = key_store[key_n].name;
    k->alg = alg;
    k->id = id;
    k->rights = rights;
    k->key = key_store[key_n].key;
    key_n++;
    return k;
}

/* The device holds public keys to verify with, and secrets of its own. */
static const char *key_part(const vec *v, int32_t alg) {
    int is_secret = alg == PICOSUIT_ALG_ECDH_ES_A128KW;
    return vec_has(v, "key") ? "key" : is_secret ? "private" : "public";
}

void sim_keys_load(void) {
    vec v;
    if (key_n > 0 || !vec_open(&v, "keys.txt")) {
        return;
    }
    while (vec_next(&v) && key_n + 1 < KEY_MAX) {
        int32_t alg = (int32_t)vec_int(&v, "alg");
        uint16_t id = vec_has(&v, "id") ? (uint16_t)vec_int(&v, "id") : 0;
        uint32_t rights = vec_has(&v, "rights") ? (uint32_t)vec_int(&v, "rights") : 0;
        size_t len;
        const uint8_t *bytes = vec_hex(&v, key_part(&v, alg), &len);
        sim_key *k = key_new(vec_get(&v, "name"), alg, id, rights);
        k->key_len = len <= 64 ? len : 64;
        memcpy(key_store[key_n - 1].key, bytes, k->key_len);
        if (vec_has(&v, "kid")) {
            key_text(key_store[key_n - 1].kid, sizeof key_store->kid, vec_get(&v, "kid"));
            k->kid = key_store[key_n - 1].kid;
        }
    }
    key_new("accepts anything", -9, 9, 0)->key_len = 1;
}

const sim_key *sim_keys_find(const char *name) {
    sim_keys_load();
    for (size_t i = 0; i < key_n; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* -- names of codes -- */

static const struct {
    const char *name;
    int code;
} codes[] = {
#define CODE(x) {#x, PICOSUIT_##x},
    CODE(OK) CODE(E_STATE) CODE(E_ARG) CODE(E_ROOM) CODE(E_CBOR) CODE(E_TYPE)
        CODE(E_ORDER) CODE(E_BOUNDS) CODE(E_TRUNCATED) CODE(E_TRAILING) CODE(E_LIMIT)
            CODE(E_VALUE) CODE(E_TAG) CODE(E_MEMBER) CODE(E_MISSING) CODE(E_VERSION)
                CODE(E_SEVERED) CODE(E_COSE) CODE(E_ALG) CODE(E_AUTH) CODE(E_DIGEST)
                    CODE(E_RIGHTS) CODE(E_ROLLBACK) CODE(E_COMPAT) CODE(E_COMPONENT)
                        CODE(E_INDEX) CODE(E_COMMAND) CODE(E_SHARED) CODE(E_PARAM)
                            CODE(E_SEQUENCE) CODE(E_SOFT) CODE(E_CONDITION) CODE(E_TRY)
                                CODE(E_UNSET) CODE(E_TRANSIENT) CODE(E_STEPS)
                                    CODE(E_UNSUPPORTED) CODE(E_INVOKE) CODE(E_FETCH)
                                        CODE(E_LENGTH) CODE(E_DECRYPT) CODE(E_CAPACITY)
                                            CODE(E_PLATFORM)
#undef CODE
};

int sim_code(const char *name) {
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(name, codes[i].name) == 0) {
            return codes[i].code;
        }
    }
    return strcmp(name, "ok") == 0 ? PICOSUIT_OK : SIM_HUNG;
}

const char *sim_code_name(int code) {
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (code == codes[i].code) {
            return codes[i].name;
        }
    }
    return "?";
}

/* -- records -- */

static sim_bytes load(const char *name) {
    sim_bytes b;
    b.data = file_load(name, &b.len);
    return b;
}

static long long optional(const vec *v, const char *key) {
    return vec_has(v, key) ? vec_int(v, key) : -1;
}

/* Words of `needs`, as bits of picosuit_features. */
static unsigned case_needs(const char *text) {
    static const char *const words[] = {"ENCRYPTION", "MAC",   "SEVERED",
                                        "INTEGRATED", "SLOTS", "SWAP",
                                        "REPORT",     "BOOT",  "STRINGS"};
    unsigned needs = 0;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        needs |= strstr(text, words[i]) != NULL ? 1u << i : 0u;
    }
    return needs;
}

static void case_payload(sim_case *c, int i, const char *text) {
    const char *space = strrchr(text, ' ');
    if (space != NULL) {
        int n = (int)(space - text);
        while (n > 0 && text[n - 1] == ' ') {
            n--;
        }
        snprintf(c->uri[i], sizeof c->uri[i], "%.*s", n, text);
        c->payload[i] = load(space + 1);
    }
}

static void case_components(vec *v, sim_case *c) {
    char key[32];
    for (int i = 0; i < SIM_SLOTS; i++) {
        snprintf(key, sizeof key, "initial.%d", i);
        if (vec_has(v, key)) {
            c->initial[i] = load(vec_get(v, key));
        }
        snprintf(key, sizeof key, "component.%d", i);
        if (vec_has(v, key)) {
            c->wanted[i] = strcmp(vec_get(v, key), "-") == 0 ? 2 : 1;
        }
        if (c->wanted[i] == 1) {
            memcpy(c->want[i], vec_hex(v, key, NULL), 32);
        }
    }
    for (int i = 0, n = 0; i < 2 * SIM_PAYLOADS && n < SIM_PAYLOADS; i++) {
        snprintf(key, sizeof key, "payload.%d", i);
        if (vec_has(v, key)) {
            case_payload(c, n++, vec_get(v, key));
        }
    }
}

static void case_facts(vec *v, sim_case *c) {
    size_t len = 0;
    c->slot = vec_has(v, "slot") ? (uint32_t)vec_int(v, "slot") : 0;
    c->work = vec_has(v, "work") ? (size_t)vec_int(v, "work") : 4096;
    c->has_floor = vec_has(v, "floor");
    if (c->has_floor) {
        c->floor = strtoull(vec_get(v, "floor"), NULL, 10); /* up to 2^64 - 1 */
    }
    if (vec_has(v, "floor_digest")) {
        memcpy(c->floor_digest, vec_hex(v, "floor_digest", NULL), 32);
    }
    if (vec_has(v, "pen")) {
        const uint8_t *pen = vec_hex(v, "pen", &len);
        memcpy(c->pen + 1, pen, len < SIM_PENS - 1 ? len : SIM_PENS - 1);
        c->pen[0] = (uint8_t)len;
    }
    if (vec_has(v, "procedure")) {
        const char *text = vec_get(v, "procedure");
        int is_invoke = strncmp(text, "invoke", 6) == 0;
        c->procedure[0] = is_invoke ? PICOSUIT_INVOKE : PICOSUIT_UPDATE;
        c->procedure[1] = strchr(text, ',') == NULL ? 0 : PICOSUIT_INVOKE;
    }
}

static void case_expect(vec *v, sim_case *c) {
    const char *stage = vec_has(v, "stage") ? vec_get(v, "stage") : "";
    c->expect = sim_code(vec_get(v, "expect"));
    c->offset = optional(v, "offset");
    c->section = optional(v, "section");
    c->writes = optional(v, "writes");
    c->invoked = optional(v, "invoked");
    c->has_label = vec_has(v, "label");
    c->label = c->has_label ? (int32_t)vec_int(v, "label") : 0;
    c->stage = strcmp(stage, "feed") == 0    ? SIM_AT_FEED
               : strcmp(stage, "begin") == 0 ? SIM_AT_BEGIN
               : strcmp(stage, "run") == 0   ? SIM_AT_RUN
                                             : SIM_AT_NONE;
}

void sim_case_new(sim_case *c) {
    memset(c, 0, sizeof *c);
    c->procedure[0] = PICOSUIT_UPDATE;
    c->work = 4096;
    c->rights = 27;
    c->offset = c->section = c->writes = c->invoked = -1;
}

void sim_case_free(sim_case *c) {
    guard_free(c->envelope.data);
    for (int i = 0; i < SIM_SLOTS; i++) {
        guard_free(c->initial[i].data);
    }
    for (int i = 0; i < SIM_PAYLOADS; i++) {
        guard_free(c->payload[i].data);
    }
    sim_case_new(c);
}

void sim_case_serve(sim_case *c, const char *uri, const uint8_t *data, size_t len) {
    for (int i = 0; i < SIM_PAYLOADS; i++) {
        if (c->uri[i][0] == 0) {
            snprintf(c->uri[i], sizeof c->uri[i], "%s", uri);
            c->payload[i].data = guard_copy(data, len);
            c->payload[i].len = len;
            return;
        }
    }
}

int sim_case_next(vec *v, sim_case *c, int all) {
    sim_case_free(c);
    while (vec_next(v)) {
        snprintf(c->name, sizeof c->name, "%s", vec_get(v, "name"));
        c->envelope = load(vec_get(v, "file"));
        c->needs = vec_has(v, "needs") ? case_needs(vec_get(v, "needs")) : 0;
        if (vec_has(v, "equivalent")) {
            snprintf(c->equivalent, sizeof c->equivalent, "%s", vec_get(v, "equivalent"));
        }
        case_facts(v, c);
        case_components(v, c);
        case_expect(v, c);
        if (all || (c->needs & ~picosuit_features()) == 0) {
            return 1;
        }
        sim_case_free(c);
    }
    return 0;
}

int sim_case_find(sim_case *c, const char *index, const char *name) {
    vec v;
    if (!vec_open(&v, index)) {
        return 0;
    }
    while (sim_case_next(&v, c, 1)) {
        if (strcmp(c->name, name) == 0) {
            while (vec_next(&v)) {
            }
            return 1;
        }
    }
    return 0;
}

/* -- what a record expects -- */

static void expect_error(const sim_case *c, const sim_result *r, int is_open) {
    EXPECT_INT(r->error.code, c->expect);
    if (c->offset >= 0) {
        EXPECT_INT(r->error.offset, c->offset);
    }
    if (c->has_label) {
        EXPECT_INT(r->error.label, c->label);
    }
    if (c->section >= 0) {
        EXPECT_INT(r->error.section, c->section);
    }
    if (c->stage != SIM_AT_NONE && !is_open) {
        EXPECT_INT(r->stage, c->stage);
    }
}

static void expect_result(const sim_case *c, const sim_result *r) {
    for (int i = 0; i < SIM_SLOTS; i++) {
        if (c->wanted[i] != 0) {
            EXPECT_INT(r->held[i], c->wanted[i] == 1);
        }
        if (c->wanted[i] == 1) {
            EXPECT_MEM(r->digest[i], c->want[i], 32);
        }
    }
    if (c->writes >= 0) {
        EXPECT_INT(r->n.by[SIM_WRITE], c->writes);
    }
    if (c->invoked >= 0) {
        EXPECT_INT(r->invoked, c->invoked);
    }
}

int sim_expect(const sim *s, const sim_case *c, const sim_result *r, int is_open) {
    int is_ok = EXPECT_INT(r->status, c->expect);
    if (s->bad != 0) {
        is_ok = test_expect(0, s->why, __FILE__, __LINE__);
    }
    if (is_ok && c->expect < 0) {
        expect_error(c, r, is_open);
    } else if (is_ok) {
        expect_result(c, r);
    }
    return is_ok;
}

int sim_same(const sim_result *a, const sim_result *b) {
    return a->status == b->status && memcmp(&a->error, &b->error, sizeof a->error) == 0 &&
           memcmp(a->held, b->held, sizeof a->held) == 0 && a->invoked == b->invoked &&
           memcmp(a->digest, b->digest, sizeof a->digest) == 0 &&
           a->n.by[SIM_WRITE] == b->n.by[SIM_WRITE] && a->n.ends_bad == b->n.ends_bad;
}

/* -- envelopes from text -- */

size_t sim_diag(uint8_t *buf, size_t cap, const char *text, size_t *mark) {
    diag d = {text, buf, cap, 0, SIZE_MAX};
    diag_list(&d, "\n\n");
    if (mark != NULL && d.mark != SIZE_MAX) {
        *mark = d.mark;
    }
    return d.len;
}

static size_t pairs_in(const char *text) {
    static uint8_t buf[SIM_BUILT];
    diag d = {text, buf, sizeof buf, 0, SIZE_MAX};
    return diag_list(&d, "\n\n") / 2;
}

void sim_envelope(sim_case *c, const char *manifest, const char *members, size_t *mark) {
    static uint8_t man[SIM_BUILT], all[SIM_BUILT];
    static char text[4096];
    char hex[65];
    uint8_t digest[32];
    diag m = {manifest, man, sizeof man, 0, SIZE_MAX};
    diag d = {text, all, sizeof all, 0, SIZE_MAX};
    diag_item(&m);
    diag_wrap(&m, 0, 2, m.len);
    picosuit_sha256(digest, man, m.len);
    sim_hex(hex, digest, 32);
    snprintf(text, sizeof text, "raw'd86b' <<[<<[-16 h'%s']>> %s]>>", hex,
             c->blocks != NULL ? c->blocks : "<<18([<<{1 -9}>> {} null h'59'])>>");
    diag_item(&d);
    diag_put_head(&d, 5, 2 + pairs_in(members));
    diag_put_head(&d, 0, 2);
    diag_item(&d);
    diag_put_head(&d, 0, 3);
    if (m.mark != SIZE_MAX && mark != NULL) {
        *mark = d.len + m.mark;
    }
    diag_put(&d, man, m.len);
    d.at = members;
    diag_list(&d, "\n\n");
    if (d.mark != SIZE_MAX && mark != NULL) {
        *mark = d.mark;
    }
    guard_free(c->envelope.data);
    c->envelope.data = guard_copy(all, d.len);
    c->envelope.len = d.len;
    c->is_built = 1;
}

void sim_hex(char *text, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
}

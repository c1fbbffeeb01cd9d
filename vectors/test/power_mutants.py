# SPDX-License-Identifier: MIT
"""Known-bad variants of the boot state: the power-cut rig has to catch each of them.

All are built into one program and chosen when it starts: in the replacement, BAD stands for "this
variant runs". A patch that does not fit exactly once is an error, so none can rot unnoticed."""

CORE, SLOTS = "core/picosuit.c", "bench/m0/device_slots.c"

# name, file, what stands there, what stands there instead
MUTANTS = [
    ("floor raised at trial", CORE,
     "b->rec.tries++;",
     "b->rec.tries++;\n        if (BAD) b->rec.floor = b->rec.sequence;"),
    ("newest page rewritten in place", CORE,
     "if (i == 0 || r.counter < oldest)",
     "if (i == 0 || (BAD ? r.counter > oldest : r.counter < oldest))"),
    ("candidate written before it is stored and checked", CORE,
     "    if (st == PICOSUIT_OK && p->limit != 0) {\n",
     "    if (BAD && st == PICOSUIT_OK && p->limit != 0) {\n"
     "        r->sequence = p->sequence;\n"
     "        boot_copy(r->other_digest, p->digest);\n"
     "        r->slot = b->slot;\n"
     "        r->tries = 0;\n"
     "        (void)boot_commit(b, PICOSUIT_BOOT_CAND);\n"
     "    }\n"
     "    if (st == PICOSUIT_OK && p->limit != 0) {\n"),
    ("no copy of a record that may be marginal (J6)", CORE,
     "!boot_settled(b)) {", "!boot_settled(b) && !BAD) {"),
    ("invalid journal pages left as they are (J11)", CORE,
     "                (void)boot_erase(b, off, off + 1u);",
     "                if (!BAD) (void)boot_erase(b, off, off + 1u);"),
    ("checksum of records ignored", CORE,
     "r->crc == boot_crc(r) &&", "(BAD || r->crc == boot_crc(r)) &&"),
    ("counter not raised", CORE,
     "b->rec.counter++;", "b->rec.counter += !BAD;"),
    ("journal page that reads erased not erased (J2)", CORE,
     "    if (st == PICOSUIT_OK) {\n        st = boot_erase(b, page, page + 1u);\n    }\n"
     "    if (st == PICOSUIT_OK) {\n        st = boot_write(b, page, &b->rec",
     "    if (st == PICOSUIT_OK &&\n"
     "        !(BAD && boot_walk(b, NULL, page, page + b->flash->page) == PICOSUIT_OK)) {\n"
     "        st = boot_erase(b, page, page + 1u);\n    }\n"
     "    if (st == PICOSUIT_OK) {\n        st = boot_write(b, page, &b->rec"),
    ("start of a candidate not committed (J5)", CORE,
     "done = boot_commit(b, PICOSUIT_BOOT_TRY);",
     "done = BAD ? (b->rec.phase = PICOSUIT_BOOT_TRY, PICOSUIT_OK)"
     " : boot_commit(b, PICOSUIT_BOOT_TRY);"),
    ("tries not counted", CORE,
     "if (is_tried && r->tries >= b->flash->tries)",
     "if (!BAD && is_tried && r->tries >= b->flash->tries)"),
    ("rejected sequence number forgotten", CORE,
     "b->rec.has_rejected = 1;",
     "b->rec.has_rejected = !BAD;"),
    ("floor raised by a rejection", CORE,
     "b->rec.rejected = b->rec.sequence;",
     "b->rec.rejected = b->rec.sequence;\n    if (BAD) b->rec.floor = b->rec.sequence;"),
    ("confirm raises the floor, not the slot", CORE,
     "if (r->slot != r->confirmed) {\n        boot_swap(r, r->slot);",
     "if (!BAD && r->slot != r->confirmed) {\n        boot_swap(r, r->slot);"),
    ("confirm without a commit", CORE,
     "return boot_commit(b, PICOSUIT_BOOT_FRESH);",
     "if (BAD) {\n        r->phase = PICOSUIT_BOOT_FRESH;\n        return PICOSUIT_OK;\n    }\n"
     "    return boot_commit(b, PICOSUIT_BOOT_FRESH);"),
    ("keys switched when they are a candidate", CORE,
     "        b->rec.tries = 0;\n        st = ",
     "        b->rec.tries = 0;\n        if (BAD && b->rec.new_keys != BOOT_NO_PAGE) {\n"
     "            boot_copy(b->rec.keys_digest, b->rec.new_keys_digest);\n"
     "            b->rec.keys = b->rec.new_keys;\n"
     "            b->rec.new_keys = BOOT_NO_PAGE;\n"
     "            b->rec.epoch++;\n"
     "        }\n        st = "),
    ("key epoch not raised", CORE, "r->epoch++;", "r->epoch += !BAD;"),
    ("new keys written over those in force", CORE,
     "return b->rec.keys == 0;",
     "return BAD ? b->rec.keys == 1 : b->rec.keys == 0;"),
    ("update written to the confirmed slot", CORE,
     "return (uint8_t)(slot < 2 ? slot ^ 1u : 0);",
     "return (uint8_t)(slot < 2 ? slot ^ !BAD : 0);"),
    ("candidate not withdrawn before its slot is erased", CORE,
     "    if (boot_is_tried(&b->rec)) {\n        st = boot_drop(b);",
     "    if (!BAD && boot_is_tried(&b->rec)) {\n        st = boot_drop(b);"),
    ("manifest area not erased", CORE,
     "    st = boot_erase(b, page, page + b->flash->manifest_size);",
     "    st = BAD ? PICOSUIT_OK : boot_erase(b, page, page + b->flash->manifest_size);"),
    ("manifest area trusted after a reset", CORE,
     "((b->flags & BOOT_PREPARED) == 0 || memcmp",
     "((!BAD && (b->flags & BOOT_PREPARED) == 0) || memcmp"),
    ("key page not erased", CORE,
     "return boot_erase(b, page, page + 1u);",
     "return BAD ? PICOSUIT_OK : boot_erase(b, page, page + 1u);"),
    ("image pages that read erased not erased", SLOTS,
     "return f->erase(s->boot->dev, at) == 0 ?",
     "return (BAD && reads_erased(s, at, at + f->page) == 1) || f->erase(s->boot->dev, at) == 0 ?"),
    ("resumes behind the last page in use", SLOTS,
     "    s->low = last;\n    s->high = end;\n    s->len = last - s->base;",
     "    if (BAD && last + f->page < end && s->base + size > last + f->page &&\n"
     "        reads_erased(s, last, last + f->page) == 0)\n        last += f->page;\n"
     "    s->low = last;\n    s->high = end;\n    s->len = last - s->base;"),
    ("resumes without erasing what lies behind", SLOTS,
     "    s->high = end;\n    s->len = last - s->base;",
     "    s->high = BAD ? last + f->page : end;\n    s->len = last - s->base;"),
    ("identity written before the image pages are erased", SLOTS,
     "    return PICOSUIT_AGAIN;\n}\n\nstatic int begin_step(",
     "    if (BAD && s->area == PICOSUIT_AREA_IMAGE) (void)program(s, s->high, id, ID_LEN);\n"
     "    return PICOSUIT_AGAIN;\n}\n\nstatic int begin_step(", ),
]
# Some take a second patch.
SECOND = {
    "candidate written before it is stored and checked": (
        CORE, "boot_commit(b, PICOSUIT_BOOT_CAND);\n    }\n    b->flags = 0;",
        "BAD ? PICOSUIT_OK : boot_commit(b, PICOSUIT_BOOT_CAND);\n    }\n    b->flags = 0;"),
    "identity written before the image pages are erased": (
        SLOTS, "st == 0 && s->phase == PHASE_FRESH &&",
        "!BAD && st == 0 && s->phase == PHASE_FRESH &&"),
}


def patched(path, text):
    """The text with all mutants of this file, to be chosen by power_mutant = 1, 2, ..."""
    for number, (name, *first) in enumerate(MUTANTS, 1):
        for where, old, new in filter(None, (first, SECOND.get(name))):
            if where != path:
                continue
            if text.count(old) != 1:
                raise SystemExit(f"power: mutant '{name}' fits {text.count(old)} times in {path}")
            text = text.replace(old, new.replace("BAD", f"(power_mutant == {number})"))
    return "extern int power_mutant;\n" + text

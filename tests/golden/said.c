#include "tests/golden/said.h"

#include <inttypes.h>

#include "crdt/path.h"
#include "tests/golden/scene.h"

void say_context(struct buffer *text, const char *name, const struct context *context)
{
    say(text, "%s", name);
    for (size_t i = 0; i < context->count; i++)
        say(text, " %" PRIx64 ":%" PRIu64 "/%" PRIu32, context->entries[i].id,
            context->entries[i].n, context->entries[i].nonce);
    say(text, context->count ? "\n" : " nothing\n");
}

void say_path(struct buffer *text, struct slice path)
{
    char line[256];

    path_text(path, line, sizeof line);
    say(text, "%s", line);
}

static void say_value(struct buffer *text, enum neap_type type, const struct cell *cell)
{
    unsigned holds = type_find(type)->holds;
    struct neap_item item = {0};
    struct slice value;
    uint64_t stamp;

    for (size_t i = 0; holds & NEAP_HOLDS_VALUES && register_value(cell, i, &value) == 0; i++) {
        say(text, " ");
        say_bytes(text, value);
    }
    if (!type_is_live(type, cell)) {
        say(text, " off");
        return;
    }
    CHECK_OK(type_item(type, cell, &item));
    if (holds & NEAP_HOLDS_VALUE) {
        say(text, " ");
        say_bytes(text, slice_of(item.value.data, item.value.size));
    }
    if (holds & NEAP_HOLDS_NUMBER)
        say(text, " %" PRId64, item.number);
    if (holds & (NEAP_HOLDS_SWITCH | NEAP_HOLDS_ELEMENTS))
        say(text, " on");
    if (type_has_stamps(type) && holds & NEAP_HOLDS_VALUE && lww_value(cell, &value, &stamp) == 0)
        say(text, " of %" PRIu64, stamp);
}

void say_cell(struct buffer *text, struct slice path, struct slice bytes)
{
    enum neap_type type;
    struct cell cell;

    CHECK_OK(path_check(path, &type));
    cell_init(&cell);
    CHECK_OK(cell_decode(bytes, &cell));
    CHECK_OK(type_check_cell(type, &cell));
    say_path(text, path);
    say(text, cell.count ? " =" : " is empty");
    if (cell.count)
        say_value(text, type, &cell);
    for (size_t i = 0; i < cell.count; i++)
        say(text, "%s %" PRIx64 ":%" PRIu64, i ? "" : ", dots", cell.entries[i].dot.id,
            cell.entries[i].dot.n);
    cell_done(&cell);
}

/* Without `default`: a new kind does not compile before it has its golden bytes. */
const char *chunk_kind_name(enum chunk_kind kind)
{
    switch (kind) {
    case CHUNK_EVENTS:
        return "events";
    case CHUNK_PAGE:
        return "page";
    case CHUNK_CELL:
        return "cell";
    case CHUNK_NEXT:
        return "next";
    case CHUNK_AFTER:
        return "after";
    }
    return NULL;
}

static void say_span(struct buffer *text, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->runs_count; i++)
        say(text, "run %zu: %" PRIx64 ":%" PRIu64 "-%" PRIu64 " of opening %" PRIu32 "\n", i,
            chunk->runs[i].id, chunk->runs[i].from, chunk->runs[i].to, chunk->runs[i].nonce);
    if (chunk->kind != CHUNK_PAGE)
        return;
    say(text, "from ");
    say_bytes(text, chunk->from);
    say(text, " to ");
    if (chunk->to_end)
        say(text, "the end");
    else
        say_bytes(text, chunk->to);
    say(text, "\n");
}

void say_chunk(struct buffer *text, const struct chunk *chunk)
{
    say(text, "%s of shard %" PRIx64 "\n", chunk_kind_name(chunk->kind), chunk->shard);
    say_context(text, "context", &chunk->context);
    say_context(text, "horizon", &chunk->horizon);
    for (size_t i = 0; i < chunk->residues_count; i++)
        say_context(text, "residue", &chunk->residues[i]);
    say_span(text, chunk);
    for (size_t i = 0; i < chunk->cells_count; i++) {
        say(text, "%" PRIx64 "/", chunk->cells[i].bucket);
        say_cell(text, chunk->cells[i].path, chunk->cells[i].bytes);
        if (chunk->cells[i].residue != CHUNK_SETTLED)
            say(text, ", residue %zu", chunk->cells[i].residue);
        for (size_t j = 0; j < chunk->events_count; j++) {
            if (chunk->event_cells[j] == i)
                say(text, ", event %zu", j);
        }
        say(text, "\n");
    }
}

void chunk_read(struct slice bytes, struct chunk *ret_chunk)
{
    struct chunk_base base = {0};
    int error = NEAP_INVALID;

    if (chunk_was_after(bytes)) {
        scene_base(&base);
        error = chunk_decode_after(bytes, &base, ret_chunk);
        chunk_base_done(&base);
    }
    for (int kind = CHUNK_EVENTS; kind <= CHUNK_CELL && error; kind++)
        error = chunk_decode(bytes, (enum chunk_kind)kind, ret_chunk);
    CHECK_OK(error);
}

#include "gossip/stretch.h"

#include "base/alloc.h"
#include "base/error.h"

void stretches_init(struct stretches *stretches)
{
    *stretches = (struct stretches){.most = STRETCHES_MAX, .sums_max = MERKLE_LIST_MAX};
    buffer_init(&stretches->next, KEY_CURSOR_MAX);
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &stretches->items[i];
        buffer_init(&stretch->from, KEY_CURSOR_MAX);
        buffer_init(&stretch->to, KEY_CURSOR_MAX);
        buffer_init(&stretch->end, KEY_CURSOR_MAX);
        buffer_init(&stretch->keys, COMPARE_KEYS_MAX);
    }
}

void stretches_done(struct stretches *stretches)
{
    buffer_done(&stretches->next);
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &stretches->items[i];
        buffer_done(&stretch->from);
        buffer_done(&stretch->to);
        buffer_done(&stretch->end);
        buffer_done(&stretch->keys);
        mem_free(stretch->sums);
    }
}

static struct stretch *stretch_in(struct stretches *stretches, int state)
{
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        if ((int)stretches->items[i].state == state)
            return &stretches->items[i];
    }
    return NULL;
}

bool stretch_is_last(const struct stretches *stretches, const struct stretch *stretch)
{
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        const struct stretch *other = &stretches->items[i];
        if (other != stretch && other->state != STRETCH_NONE)
            return false;
    }
    return stretches->ended;
}

bool stretches_are_done(const struct stretches *stretches)
{
    return stretch_is_last(stretches, NULL);
}

struct stretch *stretches_next(struct stretches *stretches)
{
    bool full = stretches->sums_count + stretches->sums_max > STRETCH_SUMS_MAX ||
                stretches->keys_size + COMPARE_KEYS_MAX > STRETCH_KEYS_MAX ||
                stretches->asked >= stretches->most;
    if (full && stretches->asked > 0)
        return NULL;
    struct stretch *stretch = stretch_in(stretches, STRETCH_WAITS);
    if (!stretch && !stretches->ended)
        stretch = stretch_in(stretches, STRETCH_NONE);
    return stretch;
}

/* ---- asking ---- */

static void stretch_forget(struct stretches *stretches, struct stretch *stretch)
{
    stretches->sums_count -= stretch->sums_count;
    stretches->keys_size -= stretch->keys.size;
    stretch->sums_count = 0;
    mem_free(stretch->sums);
    stretch->sums = NULL;
    buffer_done(&stretch->keys);
    buffer_init(&stretch->keys, COMPARE_KEYS_MAX);
}

static void stretch_keep(struct stretches *stretches, struct stretch *stretch, uint64_t *sums,
                         size_t count)
{
    stretch->state = STRETCH_WAITS;
    stretch->sums = sums;
    stretch->sums_count = count;
    stretches->sums_count += count;
    stretches->keys_size += stretch->keys.size;
}

/* The next one begins where it ends: the last thing that can fail, or what is in it would be left
 * out. */
static int stretch_end_at(struct stretches *stretches, struct stretch *stretch)
{
    int error = buffer_set(&stretch->end, buffer_slice(&stretch->to));
    if (!error)
        error = buffer_set(&stretches->next, buffer_slice(&stretch->to));
    if (!error)
        stretches->ended = stretch->to.size == 0;
    return error;
}

int stretch_look(struct stretches *stretches, struct stretch *stretch, stretch_list list, void *arg)
{
    bool new = stretch->state == STRETCH_NONE;
    size_t count = 0;
    uint64_t *sums = mem_new_array(stretches->sums_max, sizeof *sums);
    int error = sums ? 0 : NEAP_NOMEM;
    stretch_forget(stretches, stretch);
    if (!error && new)
        error = buffer_set(&stretch->from, buffer_slice(&stretches->next));
    if (new)
        buffer_clear(&stretch->end);
    if (!error)
        error = list(arg, stretch, stretches->sums_max, sums, &count);
    /* In as much memory as they take. */
    uint64_t *fit = error ? NULL : mem_resize(sums, (count + 1) * sizeof *sums);
    if (!error && !fit)
        error = NEAP_NOMEM;
    if (fit)
        sums = fit;
    if (!error && new)
        error = stretch_end_at(stretches, stretch);
    if (error) {
        mem_free(sums);
        buffer_clear(&stretch->keys);
        return error;
    }
    stretch_keep(stretches, stretch, sums, count);
    return 0;
}

int stretch_ask(struct stretches *stretches, struct stretch *stretch,
                const struct repair_nodes *nodes, struct writer *writer)
{
    write_array(writer, 6);
    write_u64(writer, stretches->number_next);
    write_u64(writer, nodes->nodes.bits);
    write_rising(writer, nodes->nodes.index, nodes->nodes.count);
    write_bin(writer, buffer_slice(&stretch->from));
    write_bin(writer, buffer_slice(&stretch->to));
    write_sums(writer, stretch->sums, stretch->sums_count, nodes->salt.width);
    if (writer->error)
        return writer->error;
    stretch->state = STRETCH_ASKED;
    stretch->number = stretches->number_next++;
    stretches->asked++;
    return 0;
}

/* ---- answering ---- */

int stretch_asked_read(struct slice question, const struct merkle_salt *salt,
                       struct stretch_asked *ret_asked)
{
    struct repair_nodes *nodes = &ret_asked->nodes;
    struct reader reader;
    reader_init(&reader, question);
    read_array_of(&reader, 6);
    ret_asked->number = read_u64(&reader);
    uint64_t bits = read_u64(&reader);
    if (bits > MERKLE_BITS_MAX)
        reader_fail(&reader, NEAP_INVALID);
    *nodes = (struct repair_nodes){.salt = *salt};
    nodes->nodes.bits = reader.error ? 0 : (unsigned)bits;
    nodes->nodes.index = ret_asked->index;
    nodes->nodes.count = read_rising(&reader, ret_asked->index, (uint64_t)1 << nodes->nodes.bits);
    ret_asked->from = read_bin(&reader, KEY_CURSOR_MAX);
    ret_asked->to = read_bin(&reader, KEY_CURSOR_MAX);
    ret_asked->count = read_sums(&reader, ret_asked->sums, salt->width);
    if (ret_asked->to.size > 0 && slice_compare(ret_asked->from, ret_asked->to) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    return reader_end(&reader);
}

int stretch_answer_write(struct stretch_asked *asked, const struct buffer *page, size_t looked,
                         bool whole, struct buffer *packed)
{
    struct writer writer;
    size_t count = 0;
    for (size_t i = 0; i < asked->count && whole; i++) {
        if (!asked->met[i])
            asked->index[count++] = (uint32_t)i;
    }
    writer_init(&writer, packed);
    write_array(&writer, 5);
    write_u64(&writer, asked->number);
    write_bin(&writer, buffer_slice(page));
    write_u64(&writer, looked);
    write_u64(&writer, whole ? 1 : 0);
    write_rising(&writer, asked->index, count);
    return writer.error;
}

/* ---- taking ---- */

static void stretch_ask_again(struct stretches *stretches, struct stretch *stretch)
{
    stretch_forget(stretches, stretch);
    stretch->state = STRETCH_WAITS;
    stretches->asked--;
}

static struct stretch *stretch_asked(struct stretches *stretches, uint64_t number)
{
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &stretches->items[i];
        if (stretch->state == STRETCH_ASKED && stretch->number == number)
            return stretch;
    }
    return NULL;
}

static size_t answers_lost(struct stretches *stretches, uint64_t before)
{
    size_t lost = 0;
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &stretches->items[i];
        if (stretch->state != STRETCH_ASKED || stretch->number >= before)
            continue;
        stretch_ask_again(stretches, stretch);
        lost++;
    }
    return lost;
}

int stretch_answer_read(struct stretches *stretches, struct slice packed,
                        struct stretch_answer *ret_answer)
{
    struct reader reader;
    reader_init(&reader, packed);
    read_array_of(&reader, 5);
    uint64_t number = read_u64(&reader);
    struct stretch *stretch = stretch_asked(stretches, number);
    ret_answer->page = read_bin(&reader, CHUNK_BYTES_MAX);
    ret_answer->looked = read_u64(&reader);
    uint64_t whole = read_u64(&reader);
    ret_answer->lacking_count =
        read_rising(&reader, ret_answer->lacking, stretch ? stretch->sums_count : UINT32_MAX);
    if (whole > 1 || (!whole && ret_answer->lacking_count > 0))
        reader_fail(&reader, NEAP_INVALID);
    int error = reader_end(&reader);
    if (error)
        return error;
    ret_answer->stretch = stretch;
    ret_answer->lost = stretch ? answers_lost(stretches, number) : 0;
    return 0;
}

void stretch_refused(struct stretches *stretches)
{
    struct stretch *oldest = NULL;
    for (size_t i = 0; i < STRETCHES_MAX; i++) {
        struct stretch *stretch = &stretches->items[i];
        if (stretch->state == STRETCH_ASKED && (!oldest || stretch->number < oldest->number))
            oldest = stretch;
    }
    if (oldest)
        stretch_ask_again(stretches, oldest);
}

/* What found no room in an answer is asked for again: the next questions are smaller, and grow
 * again when there was room for all of one of that size. */
static void stretches_fit(struct stretches *stretches, size_t sums, bool full)
{
    size_t max = stretches->sums_max, less = sums / 2, more = max + max / 4;
    less = less > STRETCH_SUMS_MIN ? less : STRETCH_SUMS_MIN;
    if (full && less < max)
        stretches->sums_max = less;
    else if (!full && sums >= max - max / 8)
        stretches->sums_max = more < MERKLE_LIST_MAX ? more : MERKLE_LIST_MAX;
}

int stretch_advance(struct stretches *stretches, struct stretch *stretch, struct slice end,
                    bool full)
{
    bool all = slice_equal(end, buffer_slice(&stretch->end));
    stretches_fit(stretches, stretch->sums_count, full);
    stretch_forget(stretches, stretch);
    stretches->asked--;
    stretch->state = all ? STRETCH_NONE : STRETCH_WAITS;
    return all ? 0 : buffer_set(&stretch->from, end);
}

#include "store/keys.h"

#include <string.h>

#include "base/error.h"
#include "crdt/path.h"

/* Sizes of meta keys: a letter, then the parts. */
enum { KEY_META_SIZE = 1, KEY_SHARD_SIZE = 9, KEY_RESIDUE_SIZE = 17, KEY_UNSETTLED_HEAD = 25 };

struct slice key_slice(const struct key *key)
{
    return slice_of(key->bytes, key->size);
}

static void key_start(struct key *key)
{
    key->size = 0;
}

static void key_add_byte(struct key *key, uint8_t byte)
{
    must(key->size < sizeof(key->bytes));
    key->bytes[key->size++] = byte;
}

static void key_add_u64(struct key *key, uint64_t value)
{
    must(sizeof(key->bytes) - key->size >= 8);
    bytes_put_u64(key->bytes + key->size, value);
    key->size += 8;
}

/* Paths are checked against NEAP_PATH_MAX where they come in, so one that does not fit is ours. */
static void key_add(struct key *key, struct slice bytes)
{
    must(sizeof(key->bytes) - key->size >= bytes.size);
    if (bytes.size)
        memcpy(key->bytes + key->size, bytes.data, bytes.size);
    key->size += bytes.size;
}

void key_cell(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path)
{
    key_start(ret_key);
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, bucket);
    key_add(ret_key, path);
}

void key_log(struct key *ret_key, uint64_t shard, struct dot dot)
{
    key_start(ret_key);
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, dot.id);
    key_add_u64(ret_key, dot.n);
}

void key_meta(struct key *ret_key, char kind)
{
    must(kind && strchr(KEY_META_KINDS, kind));
    key_start(ret_key);
    key_add_byte(ret_key, (uint8_t)kind);
}

void key_owner(struct key *ret_key, uint64_t shard, uint64_t replica)
{
    key_meta(ret_key, 'B');
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, replica);
}

void key_shard(struct key *ret_key, uint64_t shard)
{
    key_meta(ret_key, 'S');
    key_add_u64(ret_key, shard);
}

void key_session(struct key *ret_key, uint64_t shard)
{
    key_meta(ret_key, 'C');
    key_add_u64(ret_key, shard);
}

void key_hole(struct key *ret_key, uint64_t shard, struct slice from)
{
    key_meta(ret_key, 'D');
    key_add_u64(ret_key, shard);
    key_add(ret_key, from);
}

bool key_hole_is(struct slice key)
{
    return key.size >= KEY_SHARD_SIZE && key.size <= KEY_SHARD_SIZE + KEY_CURSOR_MAX &&
           key.data[0] == 'D';
}

struct slice key_hole_from(struct slice key)
{
    must(key_hole_is(key));
    return slice_of(key.data + KEY_SHARD_SIZE, key.size - KEY_SHARD_SIZE);
}

void key_tally(struct key *ret_key, uint64_t shard, struct slice collection)
{
    key_meta(ret_key, 'Y');
    key_add_u64(ret_key, shard);
    key_add(ret_key, collection);
}

bool key_tally_is(struct slice key)
{
    return key.size > KEY_SHARD_SIZE + sizeof(uint64_t) &&
           key.size <= KEY_SHARD_SIZE + KEY_CURSOR_MAX && key.data[0] == 'Y';
}

struct slice key_tally_collection(struct slice key)
{
    must(key_tally_is(key));
    return slice_of(key.data + KEY_SHARD_SIZE, key.size - KEY_SHARD_SIZE);
}

void key_residue(struct key *ret_key, uint64_t shard, uint64_t ref)
{
    key_meta(ret_key, 'R');
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, ref);
}

void key_tree(struct key *ret_key, uint64_t shard)
{
    key_meta(ret_key, 'T');
    key_add_u64(ret_key, shard);
}

void key_tree_part(struct key *ret_key, uint64_t shard, uint64_t part)
{
    key_tree(ret_key, shard);
    key_add_u64(ret_key, part);
}

void key_once(struct key *ret_key, struct slice id)
{
    key_meta(ret_key, 'O');
    key_add(ret_key, id);
}

void key_once_number(struct key *ret_key, uint64_t number)
{
    key_meta(ret_key, 'N');
    key_add_u64(ret_key, number);
}

void key_annals(struct key *ret_key, uint64_t number)
{
    key_meta(ret_key, 'J');
    key_add_u64(ret_key, number);
}

bool key_annals_is(struct slice key)
{
    return key.size == 1 + sizeof(uint64_t) && key.data[0] == 'J';
}

uint64_t key_annals_number(struct slice key)
{
    must(key_annals_is(key));
    return bytes_get_u64(key.data + 1);
}

void key_expiry(struct key *ret_key, uint64_t expires, uint64_t shard, uint64_t bucket,
                struct slice path)
{
    key_meta(ret_key, 'E');
    key_add_u64(ret_key, expires);
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, bucket);
    key_add(ret_key, path);
}

void key_expiry_from(struct key *ret_key, uint64_t expires)
{
    key_meta(ret_key, 'E');
    key_add_u64(ret_key, expires);
}

bool key_expiry_is(struct slice key)
{
    enum { HEAD = 1 + 3 * sizeof(uint64_t) };

    return key.size > HEAD && key.size <= HEAD + NEAP_PATH_MAX && key.data[0] == 'E';
}

void key_unsettled(struct key *ret_key, uint64_t shard, uint64_t ref, uint64_t bucket,
                   struct slice path)
{
    key_meta(ret_key, 'U');
    key_add_u64(ret_key, shard);
    key_add_u64(ret_key, ref);
    key_add_u64(ret_key, bucket);
    key_add(ret_key, path);
}

void key_shard_prefix(struct key *ret_key, uint64_t shard)
{
    key_start(ret_key);
    key_add_u64(ret_key, shard);
}

void key_shard_meta_prefix(struct key *ret_key, char kind, uint64_t shard)
{
    key_meta(ret_key, kind);
    key_add_u64(ret_key, shard);
}

void key_end(const struct key *key, struct key *ret_end)
{
    size_t size = key->size;

    while (size > 0 && key->bytes[size - 1] == 0xff)
        size--;
    if (size == 0) {
        /* Nothing but ff: no shorter string follows all keys with this prefix, and "no end" is not
         * a range that can be deleted. No key is of this size and all ff, as paths end in 00 01 or
         * a type. */
        memset(ret_end->bytes, 0xff, sizeof(ret_end->bytes));
        ret_end->size = sizeof(ret_end->bytes);
        return;
    }
    memmove(ret_end->bytes, key->bytes, size);
    ret_end->size = size;
    ret_end->bytes[size - 1]++;
}

static void key_in_shard(struct key *ret_key, uint64_t shard, struct slice rest)
{
    key_shard_prefix(ret_key, shard);
    if (rest.size > 0)
        memcpy(ret_key->bytes + ret_key->size, rest.data, rest.size);
    ret_key->size += rest.size;
}

void key_cells_range(struct key *ret_from, struct key *ret_end, uint64_t shard, struct slice from,
                     struct slice to)
{
    key_in_shard(ret_from, shard, from);
    key_in_shard(ret_end, shard, to);
    if (to.size == 0)
        key_end(ret_end, ret_end);
}

bool key_cell_is(struct slice key)
{
    return key.size > KEY_CELL_HEAD && key.size <= KEY_CELL_HEAD + NEAP_PATH_MAX;
}

struct slice key_cell_path(struct slice key)
{
    must(key.size >= KEY_CELL_HEAD);
    return slice_of(key.data + KEY_CELL_HEAD, key.size - KEY_CELL_HEAD);
}

uint64_t key_cell_bucket(struct slice key)
{
    must(key.size >= KEY_CELL_HEAD);
    return bytes_get_u64(key.data + 8);
}

bool key_log_is(struct slice key)
{
    return key.size == KEY_LOG_SIZE;
}

struct dot key_log_dot(struct slice key)
{
    struct dot dot;

    must(key.size == KEY_LOG_SIZE);
    dot.id = bytes_get_u64(key.data + 8);
    dot.n = bytes_get_u64(key.data + 16);
    return dot;
}

uint64_t key_shard_of(struct slice key)
{
    must(key.size >= KEY_SHARD_SIZE);
    return bytes_get_u64(key.data + 1);
}

bool key_residue_is(struct slice key)
{
    return key.size == KEY_RESIDUE_SIZE && key.data[0] == 'R';
}

uint64_t key_residue_ref(struct slice key)
{
    must(key.size >= KEY_RESIDUE_SIZE);
    return bytes_get_u64(key.data + KEY_SHARD_SIZE);
}

bool key_unsettled_is(struct slice key)
{
    return key.size > KEY_UNSETTLED_HEAD && key.size <= KEY_UNSETTLED_HEAD + NEAP_PATH_MAX &&
           key.data[0] == 'U';
}

uint64_t key_unsettled_bucket(struct slice key)
{
    must(key.size >= KEY_UNSETTLED_HEAD);
    return bytes_get_u64(key.data + KEY_RESIDUE_SIZE);
}

struct slice key_unsettled_path(struct slice key)
{
    must(key.size >= KEY_UNSETTLED_HEAD);
    return slice_of(key.data + KEY_UNSETTLED_HEAD, key.size - KEY_UNSETTLED_HEAD);
}

/* As [size 2][key]. */
int key_page_add(struct buffer *page, struct slice key)
{
    uint8_t size[2] = {(uint8_t)(key.size >> 8), (uint8_t)key.size};
    int error = buffer_reserve(page, sizeof size + key.size);

    must(key.size <= KEY_SIZE_MAX);
    if (!error)
        must(!buffer_append(page, slice_of(size, sizeof size)) && !buffer_append(page, key));
    return error;
}

bool key_page_next(const struct buffer *page, size_t *at, struct slice *ret_key)
{
    size_t size;

    if (*at == page->size)
        return false;
    size = (size_t)page->data[*at] << 8 | page->data[*at + 1];
    *ret_key = slice_of(page->data + *at + 2, size);
    *at += 2 + size;
    return true;
}

#include "tests/golden/scene.h"

#include "crdt/path.h"
#include "engine/token.h"
#include "store/annals.h"
#include "store/hole.h"
#include "store/keys.h"
#include "store/merkle.h"
#include "store/once.h"
#include "store/owner.h"
#include "store/session_keep.h"
#include "store/tally.h"
#include "store/tree_keep.h"

enum { PEER = 0xb2, PEER_NONCE = 9, PEER_NODE = 0xb0 };
static const uint64_t wall_ms = 1700000000000;
const struct directory_mark scene_mark = {.directory = 1, .file = 2, .machine = "a machine"};
const struct hash_key scene_key = {"a tree's key"};

/* ---- clock ---- */

static uint64_t clock_wall(struct clock *clock)
{
    (void)clock;
    return wall_ms;
}

static uint64_t clock_now(struct clock *clock)
{
    (void)clock;
    return 1000;
}

static uint64_t clock_entropy(struct clock *clock)
{
    uint64_t number = 0xa0 + ++((struct scene_clock *)clock)->drawn;

    return number << 32 | number;
}

void scene_clock_init(struct scene_clock *clock)
{
    static const struct clock_ops ops = {
        .now_ms = clock_now, .wall_ms = clock_wall, .entropy = clock_entropy};

    *clock = (struct scene_clock){.clock.ops = &ops};
}

/* ---- two replicas ---- */

/* A shard with the batch that it writes to. */
struct replica {
    struct shard *shard;
    struct batch *batch;
};

static void write_path(struct replica *replica, struct buffer *path, const struct op *op)
{
    struct dot dot;

    CHECK_OK(
        shard_write(replica->shard, replica->batch, scene_shard(), buffer_slice(path), op, &dot));
    buffer_done(path);
}

static void write_key(struct replica *replica, const char *key, enum neap_type type,
                      const struct op *op)
{
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(key), type));
    write_path(replica, &path, op);
}

static void set(struct replica *replica, const char *key, const char *value)
{
    static const struct context nothing;
    const struct op op = {.kind = OP_REGISTER_SET, .value = slice_text(value), .seen = &nothing};

    write_key(replica, key, NEAP_REGISTER, &op);
}

static void add(struct replica *replica, const char *key, int64_t number)
{
    const struct op op = {.kind = OP_COUNTER_ADD, .number = number};

    write_key(replica, key, NEAP_COUNTER, &op);
}

static void set_element(struct replica *replica, const char *key, const char *element)
{
    const struct op op = {.kind = OP_SET_ADD};
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(key), NEAP_SET));
    CHECK_OK(path_element(&path, slice_text(element)));
    write_path(replica, &path, &op);
}

static void set_field(struct replica *replica, const char *key, const char *field, uint64_t stamp)
{
    const struct op op = {.kind = OP_LWW_SET, .value = slice_text("deep"), .stamp = stamp};
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(key), NEAP_MAP));
    CHECK_OK(path_level(&path, slice_text(field), NEAP_LWW));
    write_path(replica, &path, &op);
}

static void pull(struct replica *to, const struct replica *from)
{
    struct view view = batch_view(from->batch);
    struct buffer chunk;
    enum taken taken;

    buffer_init(&chunk, CHUNK_BYTES_MAX);
    CHECK_OK(shard_chunk(from->shard, &view, &to->shard->context, 0, CHUNK_SIZE, &chunk));
    CHECK_OK(shard_take(to->shard, to->batch, buffer_slice(&chunk), CHUNK_PULL, &taken));
    CHECK_EQUAL(taken, TAKEN);
    buffer_done(&chunk);
}

/* One cell alone: it brings what the sender knew. */
static void take_cell(struct replica *to, const struct replica *from, const char *key,
                      enum neap_type type)
{
    struct view view = batch_view(from->batch);
    struct buffer path, message;
    enum taken taken;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&message, CHUNK_BYTES_MAX);
    CHECK_OK(path_level(&path, slice_text(key), type));
    CHECK_OK(shard_cell_message(from->shard, &view, scene_shard(), buffer_slice(&path), &message));
    CHECK_OK(shard_take_cell(to->shard, to->batch, buffer_slice(&message), &taken));
    CHECK_EQUAL(taken, TAKEN);
    buffer_done(&message);
    buffer_done(&path);
}

/* Of the history: the hole lasts, a repair has ended. */
static void write_annals(struct replica *own)
{
    struct annals annals = {.first = 1, .next = 1};
    const struct annals_entry repair = {.kind = ANNALS_REPAIR,
                                        .began_ms = wall_ms,
                                        .ended_ms = wall_ms + 5,
                                        .shard = scene_shard(),
                                        .replica = own->shard->replica,
                                        .node = PEER_NODE,
                                        .cells = 3,
                                        .bucket = slice_text("shop"),
                                        .peer = slice_text("tcp://10.0.0.7:7400"),
                                        .end = slice_text("mended")};
    const struct annals_entry hole = {.kind = ANNALS_UNREADABLE,
                                      .began_ms = wall_ms,
                                      .shard = scene_shard(),
                                      .bucket = slice_text("shop"),
                                      .key = slice_text("n:counter"),
                                      .cause = slice_text("a damaged file")};

    CHECK_OK(annals_add(&annals, own->batch, &repair));
    CHECK_OK(annals_add(&annals, own->batch, &hole));
}

/* A write that its caller may ask for again. */
static void keep_once(struct replica *own)
{
    struct subscriptions list = {0};
    struct once_record record = {.ops = {0x0123456789abcdef, 0xfedcba9876543210}};
    struct token token;
    struct buffer bytes;

    token_init(&token);
    buffer_init(&bytes, TOKEN_SIZE_MAX);
    CHECK_OK(token_dot(&token, scene_shard(), (struct dot){own->shard->replica, 6}, 0xa2));
    CHECK_OK(token_encode(&token, &bytes));
    record.token = buffer_slice(&bytes);
    CHECK_OK(once_keep(own->batch, &once_limits, slice_text("visit 17"), &record));
    CHECK_OK(subscriptions_parse("*, !photos", &list));
    CHECK_OK(subscriptions_save(own->batch, &list));
    subscriptions_done(&list);
    CHECK_OK(owner_write(own->batch, scene_shard(), 0x2222222222222222, &(struct owner){2, 17}));
    write_annals(own);
    buffer_done(&bytes);
    token_done(&token);
}

/* ---- what happened ---- */

/* One of each type that came later: its name is the key. */
static void write_later_types(struct replica *own)
{
    for (unsigned number = NEAP_MAP + 1; number <= UINT8_MAX; number++) {
        /* Of a bounded counter there has to be something before it is taken. */
        const struct neap_item item = {.value = {"value", 5},
                                       .number = number == NEAP_BOUNDED ? 7 : -7};
        const struct type *type = type_find(number);
        struct buffer path;
        struct op op;

        if (!type)
            continue;
        CHECK_OK(type->put(&item, &op));
        buffer_init(&path, NEAP_PATH_MAX);
        CHECK_OK(path_level(&path, slice_text(type->name), type->type));
        if (type->below == BELOW_ELEMENT)
            CHECK_OK(path_element(&path, slice_text("element")));
        write_path(own, &path, &op);
    }
}

static void write_all_types(struct scene *scene, struct replica *own)
{
    struct op on = {.kind = OP_FLAG_ON};
    struct op lww = {.kind = OP_LWW_SET, .value = slice_text("tide")};

    CHECK_OK(store_stamp(&scene->store, scene->batch, wall_ms, &lww.stamp));
    write_key(own, "name", NEAP_LWW, &lww);
    set(own, "both", "one");
    set(own, "both", "two");
    write_key(own, "open", NEAP_FLAG, &on);
    add(own, "visits", 5);
    add(own, "visits", -2);
    keep_once(own);
    set_element(own, "tags", "red");
    set_element(own, "tags", "gr\xc3\xbcn");
    set_field(own, "form", "city", lww.stamp + 1);
    on.expires = wall_ms + 60000;
    write_key(own, "closes", NEAP_FLAG, &on);
    set(own, "gone", "soon");
    set(own, "left", "alone");
    write_later_types(own);
}

static void live_through(struct scene *scene, struct replica *own, struct replica *peer)
{
    const struct op remove = {.kind = OP_REMOVE};

    write_all_types(scene, own);
    write_key(own, "gone", NEAP_REGISTER, &remove);
    pull(peer, own);
    add(peer, "visits", 100);
    set(peer, "theirs", "far");
    pull(own, peer);
    add(peer, "visits", 1000);
    write_key(peer, "left", NEAP_REGISTER, &remove);
    take_cell(own, peer, "visits", NEAP_COUNTER);
    take_cell(own, peer, "left", NEAP_REGISTER);
}

uint64_t scene_shard(void)
{
    return bucket_id(SCENE_BUCKET);
}

void scene_open(struct scene *scene)
{
    struct replica own = {0}, peer = {0};
    struct neap_error error = {0};
    struct disk *disk = NULL;

    *scene = (struct scene){0};
    scene_clock_init(&scene->clock);
    CHECK_OK(disk_mem_open(&scene->disk));
    CHECK_OK(
        store_open(&scene->store, scene->disk, &scene_mark, &scene->clock.clock, false, &error));
    CHECK_OK(batch_new(scene->disk, &scene->batch));
    CHECK_OK(store_shard(&scene->store, scene->batch, SCENE_BUCKET, &scene->shard));
    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &peer.batch));
    CHECK_OK(shard_new(peer.batch, SCENE_BUCKET, PEER, PEER_NONCE, &peer.shard));
    own.shard = scene->shard;
    own.batch = scene->batch;
    live_through(scene, &own, &peer);
    CHECK_OK(expiry_put_mark(&scene->store.expiry, scene->batch, wall_ms + 5000));
    CHECK_OK(incarnation_put(scene->batch, 7));
    CHECK_OK(scene->disk->ops->commit(scene->disk, scene->batch, true));
    batch_clear(scene->batch);
    shard_free(peer.shard);
    batch_free(peer.batch);
    disk_close(disk);
}

static void keep_tree(struct scene *scene)
{
    struct view view = {.disk = scene->disk};

    CHECK_OK(shard_tree_open(scene->shard, &scene_key, MERKLE_BITS_MIN));
    CHECK_ERROR(shard_tree_step(scene->shard, &view, SIZE_MAX), NEAP_END);
    CHECK(scene->shard->tree->ready);
    CHECK_OK(trees_save(&scene->store));
}

/* Of a set of two elements. */
static void keep_tally(struct scene *scene)
{
    struct buffer path;
    struct key key;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("tags"), NEAP_SET));
    key_cell(&key, scene_shard(), scene_shard(), buffer_slice(&path));
    CHECK_OK(tally_begin(scene->shard, scene->batch, slice_of(key.bytes + 8, key.size - 8)));
    CHECK_OK(tally_step(scene->shard, scene->batch, TALLY_CELLS));
    CHECK_OK(tallies_save(&scene->store));
    buffer_done(&path);
}

/* A compare that is half way. */
static void keep_session(struct scene *scene)
{
    const struct session_next next = {.cursor = slice_text("cursor")};
    struct context start = {0};

    CHECK_OK(context_raise(&start, PEER, 1, PEER_NONCE));
    CHECK_OK(shard_compare_begin(scene->shard, 1, &start));
    context_done(&start);
    shard_compare_name(scene->shard, PEER_NODE, PEER);
    CHECK_OK(session_keep(scene->shard, scene->batch, &next));
}

/* As of a file that was damaged: behind all cells that there are. */
static void keep_hole(struct scene *scene)
{
    struct hole hole = {.cause = "000013.sst is damaged"};
    struct batch *batch;

    buffer_init(&hole.from, KEY_CURSOR_MAX);
    buffer_init(&hole.to, KEY_CURSOR_MAX);
    CHECK_OK(buffer_set(&hole.from, slice_text("\xf0")));
    CHECK_OK(buffer_set(&hole.to, slice_text("\xf1z")));
    CHECK_OK(context_raise(&hole.need, 0xa1, 2, 5));
    CHECK_OK(context_raise(&hole.need, 0xb2, 7, 6));
    CHECK_OK(context_raise(&hole.got, 0xb2, 7, 6));
    CHECK_OK(batch_new(scene->disk, &batch));
    CHECK_OK(hole_write(batch, scene->shard->id, &hole));
    CHECK_OK(scene->disk->ops->commit(scene->disk, batch, true));
    batch_free(batch);
    hole_done(&hole);
}

void scene_reopen(struct scene *scene)
{
    struct neap_error error = {0};
    struct replica own;

    store_done(&scene->store);
    CHECK_OK(
        store_open(&scene->store, scene->disk, &scene_mark, &scene->clock.clock, false, &error));
    scene->shard = store_find(&scene->store, scene_shard());
    own.shard = scene->shard;
    own.batch = scene->batch;
    set(&own, "later", "on");
    scene->shard->formers[0] = (struct former){0xb5, 3};
    scene->shard->formers_count = 1;
    scene->shard->earlier[0] = 0xb5;
    scene->shard->earlier_count = 1;
    CHECK_OK(shard_save(scene->shard, scene->batch));
    keep_session(scene);
    CHECK_OK(scene->disk->ops->commit(scene->disk, scene->batch, true));
    batch_clear(scene->batch);
    keep_tree(scene);
    keep_tally(scene);
    keep_hole(scene);
}

void scene_close(struct scene *scene)
{
    batch_free(scene->batch);
    store_done(&scene->store);
    disk_close(scene->disk);
}

/* ---- what it gives to others ---- */

void scene_events(struct buffer *ret_bytes)
{
    static const struct context nothing;
    struct scene scene;
    struct view view;

    scene_open(&scene);
    view = batch_view(scene.batch);
    CHECK_OK(shard_changed(scene.shard, &view, &nothing, CHUNK_SIZE, ret_bytes));
    scene_close(&scene);
}

void scene_page(struct buffer *ret_bytes)
{
    struct scene scene;
    struct view view;

    scene_open(&scene);
    view = batch_view(scene.batch);
    CHECK_OK(shard_compare_page(scene.shard, &view, slice_of(NULL, 0), CHUNK_SIZE, ret_bytes));
    scene_close(&scene);
}

void scene_cell(struct buffer *ret_bytes)
{
    struct buffer path;
    struct scene scene;
    struct view view;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("visits"), NEAP_COUNTER));
    scene_open(&scene);
    view = batch_view(scene.batch);
    CHECK_OK(shard_cell_message(scene.shard, &view, scene_shard(), buffer_slice(&path), ret_bytes));
    scene_close(&scene);
    buffer_done(&path);
}

enum { NEXT_EVENTS = 2 };

/* A push before its last events, and before the last event of its peer was here. */
void scene_base(struct chunk_base *ret_base)
{
    const struct context_entry *own, *peer;
    struct scene scene;

    scene_open(&scene);
    own = context_find(&scene.shard->context, scene.shard->replica);
    peer = context_find(&scene.shard->context, PEER);
    ret_base->shard = scene_shard();
    ret_base->last = *own;
    ret_base->last.n -= NEXT_EVENTS;
    CHECK_OK(context_copy(&ret_base->context, &scene.shard->context));
    context_clip(&ret_base->context, own->id, own->n - NEXT_EVENTS, own->nonce);
    context_clip(&ret_base->context, PEER, peer->n - 1, peer->nonce);
    scene_close(&scene);
}

static void tell_after(const struct chunk_base *base, const struct context *since, uint64_t only_id,
                       struct buffer *ret_bytes)
{
    struct buffer whole;
    struct chunk chunk;
    struct scene scene;
    struct view view;

    buffer_init(&whole, GOLDEN_BYTES_MAX);
    scene_open(&scene);
    view = batch_view(scene.batch);
    CHECK_OK(shard_chunk(scene.shard, &view, since, only_id, CHUNK_SIZE, &whole));
    CHECK_OK(chunk_decode(buffer_slice(&whole), CHUNK_EVENTS, &chunk));
    CHECK_OK(chunk_encode_after(&chunk, base, ret_bytes));
    scene_close(&scene);
    chunk_done(&chunk);
    buffer_done(&whole);
}

void scene_next(struct buffer *ret_bytes)
{
    struct context since = {0};
    struct chunk_base base = {0};

    scene_base(&base);
    CHECK_OK(context_raise(&since, base.last.id, base.last.n, base.last.nonce));
    tell_after(&base, &since, base.last.id, ret_bytes);
    chunk_base_done(&base);
    context_done(&since);
}

void scene_after(struct buffer *ret_bytes)
{
    static const struct context nothing;
    struct chunk_base base = {0};

    scene_base(&base);
    tell_after(&base, &nothing, 0, ret_bytes);
    chunk_base_done(&base);
}

void scene_cursor(struct buffer *ret_bytes)
{
    struct buffer path;
    struct key key;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("name"), NEAP_LWW));
    key_cell(&key, 0, scene_shard(), buffer_slice(&path));
    CHECK_OK(buffer_append(ret_bytes, slice_of(key.bytes + 8, key.size - 8)));
    buffer_done(&path);
}

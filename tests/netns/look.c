/* What nodes say of themselves. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/netns/drive.h"

/* NULL: it does not answer. */
static json_t *ask(struct cluster *cluster, size_t node, const char *word)
{
    struct neap *neap = node_handle(cluster, node);
    struct neap_buffer text = {0};
    json_t *json = NULL;
    if (!neap)
        return NULL;
    if (neap_admin(neap, 1, &word, &text, NULL))
        node_hang_up(cluster, node);
    else
        json = json_loadb(text.data, text.size, 0, NULL);
    neap_buffer_free(&text);
    return json;
}

bool node_sees(struct cluster *cluster, size_t node, size_t peer)
{
    json_t *status = ask(cluster, node, "status"), *item;
    char address[64];
    size_t i;
    bool sees = false;
    snprintf(address, sizeof address, "tcp://127.0.0.1:%zu", PORT + peer);
    json_array_foreach(json_object_get(status, "peers"), i, item)
    {
        const char *text = json_string_value(json_object_get(item, "address"));
        if (text && !strcmp(text, address))
            sees |= json_is_true(json_object_get(item, "connected"));
    }
    json_decref(status);
    return sees;
}

/* ---- equal ---- */

static bool digest_of(struct cluster *cluster, size_t node, char *ret_digest, size_t size)
{
    json_t *json = ask(cluster, node, "digest"), *total = json_object_get(json, "total");
    const char *digest = json_string_value(json_object_get(total, "digest"));
    bool rests = digest && !json_integer_value(json_object_get(total, "log")) &&
                 !json_integer_value(json_object_get(total, "residues"));
    snprintf(ret_digest, size, "%s", rests ? digest : "");
    json_decref(json);
    return rests;
}

bool nodes_are_equal(struct cluster *cluster)
{
    char first[40], other[40];
    if (!digest_of(cluster, 0, first, sizeof first))
        return false;
    for (size_t i = 1; i < NODES; i++) {
        if (!digest_of(cluster, i, other, sizeof other) || strcmp(first, other) != 0)
            return false;
    }
    return true;
}

/* ---- sound ---- */

static bool bucket_is_sound(json_t *bucket, char *ret_why, size_t size)
{
    const char *problem = json_string_value(json_object_get(bucket, "problem"));
    json_t *counts = json_object_get(bucket, "counts");
    json_int_t healed = json_integer_value(json_object_get(counts, "healed"));
    if (problem)
        snprintf(ret_why, size, "%s", problem);
    else if (healed)
        snprintf(ret_why, size, "%" JSON_INTEGER_FORMAT " dots were lost and healed", healed);
    return !problem && !healed;
}

bool node_is_sound(struct cluster *cluster, size_t node, char *ret_why, size_t size)
{
    json_t *status = ask(cluster, node, "status"), *bucket;
    size_t i;
    bool sound = true;
    if (!status) {
        snprintf(ret_why, size, "it does not answer");
        return false;
    }
    json_array_foreach(json_object_get(status, "buckets"), i, bucket)
    {
        sound = sound && bucket_is_sound(bucket, ret_why, size);
    }
    if (sound && json_is_true(json_object_get(status, "suspect"))) {
        snprintf(ret_why, size, "the end of its log was damaged");
        sound = false;
    }
    json_decref(status);
    return sound;
}

uint64_t nodes_count(struct cluster *cluster, const char *name)
{
    uint64_t sum = 0;
    for (size_t node = 0; node < NODES; node++) {
        json_t *status = ask(cluster, node, "status"), *bucket;
        size_t i;
        json_array_foreach(json_object_get(status, "buckets"), i, bucket)
        {
            json_t *counts = json_object_get(bucket, "counts");
            sum += (uint64_t)json_integer_value(json_object_get(counts, name));
        }
        json_decref(status);
    }
    return sum;
}

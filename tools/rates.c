#include "tools/rates.h"

#include <string.h>

void sample_done(struct sample *sample)
{
    json_decref(sample->stats);
    json_decref(sample->status);
    *sample = (struct sample){0};
}

/* From `before` to `now`, a second, to one decimal. */
static json_t *rate_of(const json_t *before, const json_t *now, const char *name, uint64_t over_ms)
{
    const json_t *earlier = json_object_get(before, name), *later = json_object_get(now, name);
    json_int_t events = json_integer_value(later) - json_integer_value(earlier);

    if (!over_ms || !json_is_integer(earlier) || !json_is_integer(later) || events < 0)
        return json_null();
    return json_real((double)(uint64_t)((double)events * 10000 / (double)over_ms + 0.5) / 10);
}

static json_t *rates_of(const json_t *before, const json_t *now, const char *const names[],
                        uint64_t over_ms)
{
    json_t *rates = json_object();

    for (size_t i = 0; names[i]; i++)
        json_object_set_new(rates, names[i], rate_of(before, now, names[i], over_ms));
    return rates;
}

/* As they are, of those that there are. */
static void copy(json_t *to, const json_t *from, const char *const names[])
{
    for (size_t i = 0; names[i]; i++)
        json_object_set(to, names[i], json_object_get(from, names[i]));
}

/* The one of `list` with the same text or number under each name. */
static const json_t *same_of(const json_t *list, const json_t *item, const char *const names[])
{
    const json_t *each;
    size_t i;

    json_array_foreach(list, i, each)
    {
        size_t name = 0;

        while (names[name] &&
               json_equal(json_object_get(each, names[name]), json_object_get(item, names[name])))
            name++;
        if (!names[name])
            return each;
    }
    return NULL;
}

static json_t *buckets_of(const json_t *before, const json_t *now, uint64_t over_ms)
{
    static const char *const same[] = {"id", NULL};
    static const char *const shown[] = {"name", "log", "residues", "comparing", "problem", NULL};
    static const char *const counted[] = {"events_own",  "events_taken", "cells_given",
                                          "cells_taken", NULL};
    json_t *list = json_array(), *bucket;
    size_t i;

    json_array_foreach(json_object_get(now, "buckets"), i, bucket)
    {
        const json_t *earlier = same_of(json_object_get(before, "buckets"), bucket, same);
        json_t *item = json_object();

        copy(item, bucket, shown);
        json_object_set_new(item, "rates",
                            rates_of(json_object_get(earlier, "counts"),
                                     json_object_get(bucket, "counts"), counted, over_ms));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *peers_of(const json_t *before, const json_t *now, uint64_t over_ms)
{
    static const char *const same[] = {"address", "node", NULL};
    static const char *const shown[] = {"address", "node", "connected", "member", "lag", NULL};
    static const char *const counted[] = {"pushes", "pulls", "compares", NULL};
    json_t *list = json_array(), *peer;
    size_t i;

    json_array_foreach(json_object_get(now, "peers"), i, peer)
    {
        const json_t *earlier = same_of(json_object_get(before, "peers"), peer, same);
        json_t *item = json_object();

        copy(item, peer, shown);
        json_object_set_new(item, "rates", rates_of(earlier, peer, counted, over_ms));
        json_array_append_new(list, item);
    }
    return list;
}

/* Every turn of the wheel counts, and the count begins anew with each start. */
static uint64_t over_ms_of(const struct sample *before, const struct sample *now)
{
    if (!before || now->mono_ms <= before->mono_ms ||
        json_integer_value(json_object_get(now->stats, "turns")) <
            json_integer_value(json_object_get(before->stats, "turns")))
        return 0;
    return now->mono_ms - before->mono_ms;
}

json_t *rates_look(const struct sample *before, const struct sample *now)
{
    static const char *const who[] = {"node", "name", "isolated", "stopped", NULL};
    static const char *const counted[] = {"writes",       "events",      "turns",
                                          "syncs",        "errors",      "events_taken",
                                          "cells_given",  "cells_taken", NULL};
    static const char *const shown[] = {"log_entries",     "residues",
                                        "queue_events",    "client_requests_waiting",
                                        "peers",           "peers_connected",
                                        "peers_lag_max",   NULL};
    static const char *const bulk[] = {"bytes_given", "bytes_taken", NULL};
    const json_t *stats = before ? before->stats : NULL, *status = before ? before->status : NULL;
    uint64_t over_ms = over_ms_of(before, now);
    json_t *look = json_object(), *rates = rates_of(stats, now->stats, counted, over_ms);
    json_t *bytes = rates_of(json_object_get(status, "bulk"), json_object_get(now->status, "bulk"),
                             bulk, over_ms);
    json_t *numbers = json_object();

    json_object_update(rates, bytes);
    json_decref(bytes);
    copy(look, now->status, who);
    copy(numbers, now->stats, shown);
    json_object_set_new(look, "at_ms", json_integer((json_int_t)now->wall_ms));
    json_object_set_new(look, "over_ms", over_ms ? json_integer((json_int_t)over_ms) : json_null());
    json_object_set_new(look, "rates", rates);
    json_object_set_new(look, "numbers", numbers);
    json_object_set_new(look, "buckets", buckets_of(status, now->status, over_ms));
    json_object_set_new(look, "peers", peers_of(status, now->status, over_ms));
    return look;
}

/* Which buckets this node holds (docs/decisions/0093): a list of names and globs, in order. '*'
 * stands for any text, '?' for one character, '\' takes the next character as it is, and an entry
 * with '!' before it takes away what it fits. The last entry that fits a name decides; none: not
 * subscribed. The system's buckets ("_...") are always. */
#ifndef NEAP_STORE_SUBSCRIPTION_H
#define NEAP_STORE_SUBSCRIPTION_H
#include "base/pack.h"
#include "store/batch.h"

/* Entries, bytes of one, and of all. */
enum { SUBSCRIPTIONS_MAX = 256, SUBSCRIPTION_TEXT_MAX = 256, SUBSCRIPTIONS_TEXT_MAX = 16384 };

struct subscriptions {
    char **entries; /* owned */
    size_t count;
};

void subscriptions_done(struct subscriptions *list);
int subscriptions_copy(const struct subscriptions *from, struct subscriptions *ret_list);
bool subscriptions_equal(const struct subscriptions *a, const struct subscriptions *b);
/* Everything, as if nothing had ever been said. */
int subscriptions_all(struct subscriptions *ret_list);
bool subscriptions_are_all(const struct subscriptions *list);
bool subscriptions_have(const struct subscriptions *list, const char *bucket);
/* Entries with commas between them, blanks around them left out; an empty text is an empty list.
 * INVALID: an empty entry, control characters or '/'; LIMIT; NOMEM. */
int subscriptions_parse(const char *text, struct subscriptions *ret_list);
int subscriptions_check(const char *text); /* the same, without the list */
/* The list with one more name or glob, or without it; `list` may be *ret_list's old value only when
 * that is freed by the caller. INVALID, LIMIT, NOMEM. */
int subscriptions_add(const struct subscriptions *list, const char *entry,
                      struct subscriptions *ret_list);
int subscriptions_remove(const struct subscriptions *list, const char *entry,
                         struct subscriptions *ret_list);

/* As an array of texts; what is read is checked as above, and an error sticks in the reader. */
void subscriptions_write(struct writer *writer, const struct subscriptions *list);
void subscriptions_read(struct reader *reader, struct subscriptions *ret_list);

/* On disk. NOTFOUND: nothing was ever said. */
int subscriptions_load(const struct view *view, struct subscriptions *ret_list);
int subscriptions_save(struct batch *batch, const struct subscriptions *list);
#endif

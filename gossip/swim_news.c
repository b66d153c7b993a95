/* What members say of each other: states, suspicions and their accusers, and who is told. */
#include <string.h>

#include "base/broken.h"
#include "gossip/swim_state.h"

enum { NEWS_EACH = 3, SPREAD = 3, SUSPECT_BEATS = 4, SUSPECT_MOST = 6 };

const char *member_state_text(enum member_state state)
{
    static const char *const texts[] = {
#define X(name, text) [MEMBER_##name] = (text),
        MEMBER_STATES(X)
#undef X
    };
    return (unsigned)state < MEMBER_STATE_END ? texts[state] : "unknown";
}

static size_t count_living(const struct swim *swim)
{
    size_t count = 1;
    for (size_t i = 0; i < swim->members_count; i++) {
        const struct member *member = &swim->members[i];
        count += !member->device && member->is.state <= MEMBER_SUSPECT;
    }
    return count;
}

/* So often that, told to members by chance, all of them have heard (section 4.1 of SWIM). */
static unsigned news_count(const struct swim *swim)
{
    unsigned bits = 0;
    for (size_t n = count_living(swim); n > 0; n >>= 1)
        bits++;
    return NEWS_EACH * bits;
}

static void member_is_news(struct swim *swim, struct member *member, uint64_t from)
{
    bool untold = member->device || swim->options.device;
    member->news = untold ? 0 : news_count(swim);
    member->news_from = from;
    if (untold)
        return;
    swim->hot = true;
    swim->hot_node = member->is.node;
}

static void self_is_news(struct swim *swim)
{
    swim->news = news_count(swim);
    swim->hot = true;
    swim->hot_node = swim->options.node;
}

/* ---- states ---- */

void member_set(struct swim *swim, uint64_t now_ms, struct member *member, enum member_state state,
                uint64_t incarnation, uint64_t from)
{
    if (member->is.state != state)
        member->is.since_ms = now_ms;
    member->is.state = state;
    member->is.incarnation = incarnation;
    member->accusers_count = 0;
    member->accuse_at = 0;
    member->retry_beats = 0;
    member->retry_at = now_ms;
    if (state != MEMBER_SUSPECT)
        member->probe = PROBE_NONE;
    if (state == MEMBER_ALIVE && !member->is.linked) {
        member->heard_ms = now_ms;
        member->helped = true;
    }
    member_is_news(swim, member, from);
}

/* Who is accused by others is looked at all the same: their word is confirmed, or not. */
bool member_is_probed(const struct swim *swim, const struct member *member)
{
    for (unsigned i = 0; i < member->accusers_count; i++) {
        if (member->accusers[i] == swim->options.node)
            return false;
    }
    return member->is.state == MEMBER_ALIVE ||
           (member->is.state == MEMBER_SUSPECT && member->accusers_count < SWIM_ACCUSERS_MAX);
}

static bool accuser_add(struct member *member, uint64_t accuser)
{
    for (unsigned i = 0; i < member->accusers_count; i++) {
        if (member->accusers[i] == accuser)
            return false;
    }
    if (member->accusers_count == SWIM_ACCUSERS_MAX || accuser == member->is.node)
        return false;
    member->accusers[member->accusers_count++] = accuser;
    return true;
}

void member_accuse(struct swim *swim, uint64_t now_ms, struct member *member, uint64_t accuser)
{
    if (member->is.state == MEMBER_ALIVE) {
        uint64_t incarnation = member->is.incarnation;
        member_set(swim, now_ms, member, MEMBER_SUSPECT, incarnation, 0);
        member->suspect_ms = member->accuse_at = now_ms;
    }
    if (member->is.state == MEMBER_SUSPECT && accuser_add(member, accuser))
        member_is_news(swim, member, accuser == swim->options.node ? 0 : accuser);
}

/* log10 of the number of members, in thousandths, 1,000 at least. */
static uint64_t members_scale(size_t count)
{
    static const struct {
        size_t count;
        uint64_t scale;
    } scales[] = {{10, 1000}, {20, 1301}, {50, 1699}, {100, 2000}, {200, 2301}};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (count <= scales[i].count)
            return scales[i].scale;
    }
    return 2500;
}

/* Lifeguard: long for one accuser, who may be the one that is not well, and less with each other
 * one: log(others + 1) / log(expected + 1) of the way, here in thousandths. */
uint64_t member_suspect_ms(const struct swim *swim, const struct member *member)
{
    static const uint64_t part[SWIM_ACCUSERS_MAX][SWIM_ACCUSERS_MAX] = {
        {1000, 1000, 1000, 1000}, {0, 1000, 1000, 1000}, {0, 631, 1000, 1000}, {0, 500, 792, 1000}};
    size_t living = count_living(swim);
    size_t expected = living > 2 && !member->device ? living - 2 : 0;
    unsigned others = member->accusers_count > 0 ? member->accusers_count - 1 : 0;
    uint64_t least = SUSPECT_BEATS * member_beat(swim, member) * members_scale(living) / 1000;
    if (expected > SWIM_ACCUSERS_MAX - 1)
        expected = SWIM_ACCUSERS_MAX - 1;
    if (BROKEN("suspicion-none"))
        return 1;
    return least + least * (SUSPECT_MOST - 1) * (1000 - part[expected][others]) / 1000;
}

/* ---- what is said ---- */

static uint64_t update_rank(uint64_t incarnation, enum member_state state)
{
    return incarnation << 2 | (uint64_t)state;
}

static void correct(struct swim *swim, uint64_t to, uint64_t about)
{
    mail_add(swim, (struct mail){.to = to, .type = SWIM_TELL, .about = about});
}

/* What is said of this node. A higher incarnation than its own is one that it had before its
 * directory went back, or a copy's. */
static void self_take(struct swim *swim, uint64_t now_ms, uint64_t from,
                      const struct swim_update *update)
{
    if (swim->leaving)
        return;
    if (update->incarnation < swim->incarnation) {
        correct(swim, from, swim->options.node);
    } else if (update->state == MEMBER_ALIVE) {
        swim->incarnation = update->incarnation;
    } else if (update->incarnation < SWIM_INCARNATION_MAX && !BROKEN("refutes-nothing")) {
        swim->incarnation = update->incarnation + 1;
        if (update->state != MEMBER_LEFT)
            swim_worry(swim, now_ms, 1);
        self_is_news(swim);
        correct(swim, from, swim->options.node);
    }
}

static void suspect_take(struct swim *swim, uint64_t now_ms, uint64_t from, struct member *member,
                         const struct swim_update *update)
{
    if (member->is.incarnation < update->incarnation || member->is.state == MEMBER_ALIVE) {
        member_set(swim, now_ms, member, MEMBER_SUSPECT, update->incarnation, from);
        member->suspect_ms = now_ms;
        member->accuse_at = now_ms;
    }
    for (unsigned i = 0; i < update->accusers_count; i++) {
        if (accuser_add(member, update->accusers[i]))
            member_is_news(swim, member, from);
    }
}

/* Own ears are believed more than rumours: it shall hear of this, and say that it lives. */
static void end_take(struct swim *swim, uint64_t now_ms, uint64_t from, struct member *member,
                     const struct swim_update *update)
{
    struct swim_update suspect = {.node = update->node,
                                  .incarnation = update->incarnation,
                                  .state = MEMBER_SUSPECT,
                                  .accusers = {from},
                                  .accusers_count = 1};
    if (update->state == MEMBER_DEAD && member_is_heard(swim, now_ms, member) &&
        !BROKEN("rumours-win"))
        suspect_take(swim, now_ms, from, member, &suspect);
    else
        member_set(swim, now_ms, member, update->state, update->incarnation, from);
}

void news_take(struct swim *swim, uint64_t now_ms, uint64_t from, bool device,
               const struct swim_update *update)
{
    if (device && update->node != from)
        return;
    if (update->node == swim->options.node) {
        self_take(swim, now_ms, from, update);
        return;
    }
    struct member *member = member_find(swim, update->node);
    if (!member && update->state <= MEMBER_SUSPECT)
        member = member_get(swim, now_ms, update->node);
    if (!member || (member->device && update->node != from))
        return;
    uint64_t rank = update_rank(update->incarnation, update->state);
    uint64_t known = update_rank(member->is.incarnation, member->is.state);
    if (BROKEN("refuted-by-hearsay") && update->state == MEMBER_ALIVE &&
        update->incarnation == member->is.incarnation && member->is.state == MEMBER_SUSPECT)
        rank = known + 1;
    if (rank < known) {
        correct(swim, from, update->node);
    } else if (update->state == MEMBER_SUSPECT) {
        suspect_take(swim, now_ms, from, member, update);
    } else if (rank > known && update->state == MEMBER_ALIVE) {
        member_set(swim, now_ms, member, MEMBER_ALIVE, update->incarnation, from);
    } else if (rank > known) {
        end_take(swim, now_ms, from, member, update);
    }
}

/* ---- telling ---- */

static bool member_is_news_for(const struct member *member, const struct member *to)
{
    return member->news > 0 && member != to && member->news_from != to->is.node && !to->device;
}

bool news_for(const struct swim *swim, const struct member *to)
{
    if (swim->news > 0)
        return true;
    for (size_t i = 0; i < swim->members_count; i++) {
        if (member_is_news_for(&swim->members[i], to))
            return true;
    }
    return false;
}

static bool message_tells(const struct swim_message *message, uint64_t node)
{
    for (unsigned i = 0; i < message->updates_count; i++) {
        if (message->updates[i].node == node)
            return true;
    }
    return false;
}

static struct swim_update *message_add(struct swim_message *message, uint64_t node)
{
    if (message->updates_count == SWIM_UPDATES_MAX || message_tells(message, node))
        return NULL;
    struct swim_update *update = &message->updates[message->updates_count++];
    update->node = node;
    return update;
}

static void tell_self(struct swim *swim, struct swim_message *message)
{
    struct swim_update *update = message_add(message, swim->options.node);
    if (!update)
        return;
    update->state = swim->leaving ? MEMBER_LEFT : MEMBER_ALIVE;
    update->incarnation = swim->incarnation;
    swim->news -= swim->news > 0;
}

static void tell_member(struct member *member, struct swim_message *message)
{
    bool unknown = member->is.state == MEMBER_ALIVE && member->is.incarnation == 0;
    struct swim_update *update = unknown ? NULL : message_add(message, member->is.node);
    if (unknown)
        member->news = 0;
    if (!update)
        return;
    update->state = member->is.state;
    update->incarnation = member->is.incarnation;
    memcpy(update->accusers, member->accusers, sizeof update->accusers);
    update->accusers_count = member->accusers_count;
    member->news -= member->news > 0;
}

/* What was told least comes first. */
static struct member *news_next(struct swim *swim, const struct member *to,
                                const struct swim_message *message)
{
    struct member *best = NULL;
    for (size_t i = 0; i < swim->members_count; i++) {
        struct member *member = &swim->members[i];
        if (member_is_news_for(member, to) && (!best || member->news > best->news) &&
            !message_tells(message, member->is.node))
            best = member;
    }
    return best;
}

void news_fill(struct swim *swim, const struct mail *mail, struct swim_message *message)
{
    struct member *to = member_find(swim, mail->to);
    struct member *about = mail->about ? member_find(swim, mail->about) : NULL;
    bool device = to && to->device;
    if (mail->about == swim->options.node || swim->news > 0)
        tell_self(swim, message);
    if (swim->options.device) /* its word about others is not taken */
        return;
    if (about && (!device || about == to))
        tell_member(about, message);
    if (to && to->is.state != MEMBER_ALIVE)
        tell_member(to, message);
    while (to && !device && message->updates_count < SWIM_UPDATES_MAX) {
        struct member *next = news_next(swim, to, message);
        if (!next)
            return;
        tell_member(next, message);
    }
}

bool news_page(struct swim *swim, const struct mail *mail, struct swim_message *message,
               uint64_t *ret_next)
{
    const struct member *to = member_find(swim, mail->to);
    if (mail->about == 0)
        tell_self(swim, message);
    for (size_t i = 0; i < swim->members_count && to && !to->device && !swim->options.device; i++) {
        struct member *member = &swim->members[i];
        if (member->is.node < mail->about || member->device)
            continue;
        if (message->updates_count == SWIM_UPDATES_MAX) {
            *ret_next = member->is.node;
            return false;
        }
        tell_member(member, message);
    }
    return true;
}

/* At once to a few that are linked, by chance; heartbeats do the rest. */
void news_spread(struct swim *swim)
{
    size_t linked[SWIM_MEMBERS_MAX], count = 0;
    if (!swim->hot)
        return;
    swim->hot = false;
    for (size_t i = 0; i < swim->members_count; i++) {
        const struct member *member = &swim->members[i];
        if (member->is.linked && member->is.node != swim->hot_node && !member->device &&
            member->is.state <= MEMBER_SUSPECT)
            linked[count++] = i;
    }
    for (unsigned i = 0; i < SPREAD && count > 0; i++) {
        size_t drawn = (size_t)rng_below(&swim->rng, count);
        mail_add(swim,
                 (struct mail){.to = swim->members[linked[drawn]].is.node, .type = SWIM_TELL});
        linked[drawn] = linked[--count];
    }
}

#include "gossip/swim.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/swim_state.h"

enum {
    BEAT_MS_MAX = 600000,
    HELPED_BEATS = 5,      /* a helper's word is good for so long, where there is no link */
    RETRY_BEATS_MIN = 30,  /* who is dead is tried again after that, and twice as long... */
    RETRY_BEATS_MAX = 3600 /* ... up to that */
};

/* ---- life ---- */

int swim_new(const struct swim_options *options, uint64_t now_ms, struct swim **ret_swim)
{
    struct swim *swim = mem_new(sizeof *swim);
    if (!swim)
        return NEAP_NOMEM;
    swim->options = *options;
    swim->incarnation = options->incarnation;
    swim->doubt_ms = now_ms;
    swim->deadline = UINT64_MAX;
    rng_init(&swim->rng, options->seed);
    *ret_swim = swim;
    return 0;
}

void swim_free(struct swim *swim)
{
    mem_free(swim);
}

/* ---- members ---- */

/* Where it is, or would be. */
static size_t member_index(const struct swim *swim, uint64_t node)
{
    size_t low = 0, high = swim->members_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (swim->members[middle].is.node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct member *member_find(struct swim *swim, uint64_t node)
{
    size_t index = member_index(swim, node);
    bool found = index < swim->members_count && swim->members[index].is.node == node;
    return found ? &swim->members[index] : NULL;
}

/* Makes room: who is gone for longest is forgotten. */
static bool member_forget(struct swim *swim)
{
    size_t oldest = SWIM_MEMBERS_MAX;
    for (size_t i = 0; i < swim->members_count; i++) {
        const struct swim_member *is = &swim->members[i].is;
        if (is->state >= MEMBER_DEAD && !is->linked &&
            (oldest == SWIM_MEMBERS_MAX || is->since_ms < swim->members[oldest].is.since_ms))
            oldest = i;
    }
    if (oldest == SWIM_MEMBERS_MAX)
        return false;
    swim->members_count--;
    memmove(&swim->members[oldest], &swim->members[oldest + 1],
            (swim->members_count - oldest) * sizeof *swim->members);
    return true;
}

struct member *member_get(struct swim *swim, uint64_t now_ms, uint64_t node)
{
    struct member *member = member_find(swim, node);
    if (member)
        return member;
    if (swim->members_count == SWIM_MEMBERS_MAX && !member_forget(swim))
        return NULL;
    size_t index = member_index(swim, node);
    memmove(&swim->members[index + 1], &swim->members[index],
            (swim->members_count - index) * sizeof *swim->members);
    swim->members_count++;
    swim->members[index] =
        (struct member){.is = {.node = node, .since_ms = now_ms}, .heard_ms = now_ms};
    return &swim->members[index];
}

/* ---- times ---- */

uint64_t member_beat(const struct swim *swim, const struct member *member)
{
    uint64_t beat = swim->options.beat_ms;
    return member->beat_ms > beat ? member->beat_ms : beat;
}

static uint64_t doubted(const struct swim *swim, uint64_t ms)
{
    return ms * (1 + swim->doubt);
}

uint64_t member_quiet_ms(const struct swim *swim, const struct member *member)
{
    uint64_t beat = member_beat(swim, member);
    if (!member->is.linked && member->helped)
        return doubted(swim, beat * HELPED_BEATS);
    return doubted(swim, beat * 5 / 4);
}

uint64_t member_ping_ms(const struct swim *swim, const struct member *member)
{
    return doubted(swim, member_beat(swim, member) / 5);
}

uint64_t member_help_ms(const struct swim *swim, const struct member *member)
{
    return doubted(swim, member_beat(swim, member) * 3 / 10);
}

bool member_is_heard(const struct swim *swim, uint64_t now_ms, const struct member *member)
{
    uint64_t late_ms =
        member_quiet_ms(swim, member) + member_ping_ms(swim, member) + member_help_ms(swim, member);
    return member->is.linked && now_ms < member->ears_ms + late_ms;
}

void swim_worry(struct swim *swim, uint64_t now_ms, unsigned more)
{
    swim->doubt = swim->doubt + more < SWIM_DOUBT_MAX ? swim->doubt + more : SWIM_DOUBT_MAX;
    swim->doubt_ms = now_ms;
}

static void later(uint64_t *time_ms, uint64_t by_ms, uint64_t now_ms)
{
    *time_ms = *time_ms + by_ms < now_ms ? *time_ms + by_ms : now_ms;
}

/* This node slept: what it did not hear meanwhile was not silence. Nobody knows since when, so who
 * was asked has the whole time again, and who is suspected another heartbeat. */
static void swim_slept(struct swim *swim, uint64_t now_ms, uint64_t late_ms)
{
    for (size_t i = 0; i < swim->members_count; i++) {
        struct member *member = &swim->members[i];
        later(&member->heard_ms, late_ms, now_ms);
        later(&member->ears_ms, late_ms, now_ms);
        later(&member->suspect_ms, late_ms + member_beat(swim, member), now_ms);
        member->probe_until = now_ms + member_help_ms(swim, member);
    }
    for (size_t i = 0; i < swim->relays_count; i++)
        swim->relays[i].until += late_ms;
    swim_worry(swim, now_ms, 1);
}

/* Whatever comes in, time is looked at first: what is due and was not done shows that this node
 * stood still. */
static void swim_wake(struct swim *swim, uint64_t now_ms)
{
    uint64_t late_ms = now_ms > swim->deadline ? now_ms - swim->deadline : 0;
    if (late_ms <= swim->options.beat_ms / 10)
        return;
    swim->deadline = now_ms;
    swim_slept(swim, now_ms, late_ms);
}

/* ---- mails ---- */

void mail_add(struct swim *swim, struct mail mail)
{
    for (size_t i = 0; i < swim->mails_count && mail.type == SWIM_TELL; i++) {
        const struct mail *other = &swim->mails[(swim->mails_first + i) % SWIM_MAILS_MAX];
        if (other->to == mail.to && other->type == SWIM_TELL && other->all == mail.all &&
            other->about == mail.about)
            return;
    }
    if (swim->mails_count == SWIM_MAILS_MAX)
        return;
    swim->mails[(swim->mails_first + swim->mails_count++) % SWIM_MAILS_MAX] = mail;
}

static void mail_fill(struct swim *swim, const struct mail *mail, struct swim_message *message)
{
    uint64_t next = 0;
    *message =
        (struct swim_message){.type = mail->type, .number = mail->number, .target = mail->target};
    if (mail->type == SWIM_TELL)
        message->number = swim->options.beat_ms;
    if (!mail->all) {
        news_fill(swim, mail, message);
    } else if (!news_page(swim, mail, message, &next)) {
        mail_add(swim,
                 (struct mail){.to = mail->to, .type = SWIM_TELL, .all = true, .about = next});
    }
}

bool swim_mail(struct swim *swim, uint64_t *ret_to, struct swim_message *ret_message)
{
    while (swim->mails_count > 0) {
        struct mail mail = swim->mails[swim->mails_first];
        swim->mails_first = (swim->mails_first + 1) % SWIM_MAILS_MAX;
        swim->mails_count--;
        const struct member *to = member_find(swim, mail.to);
        if (!to || !to->is.linked)
            continue;
        mail_fill(swim, &mail, ret_message);
        if (mail.type == SWIM_TELL && !mail.all && ret_message->updates_count == 0)
            continue; /* others have said it meanwhile */
        *ret_to = mail.to;
        return true;
    }
    return false;
}

/* ---- probes ---- */

static void relay_end(struct swim *swim, size_t index, enum swim_type type)
{
    struct relay relay = swim->relays[index];
    swim->relays[index] = swim->relays[--swim->relays_count];
    mail_add(swim, (struct mail){.to = relay.asker,
                                 .type = type,
                                 .number = relay.asker_number,
                                 .target = relay.target});
}

static void request_take(struct swim *swim, uint64_t now_ms, uint64_t from,
                         const struct swim_message *message)
{
    struct member *target = member_find(swim, message->target);
    struct relay relay = {.number = ++swim->number,
                          .target = message->target,
                          .asker = from,
                          .asker_number = message->number};
    if (!target || !target->is.linked || target->device || target->is.node == from ||
        swim->relays_count == SWIM_RELAYS_MAX) {
        mail_add(swim, (struct mail){.to = from,
                                     .type = SWIM_NACK,
                                     .number = message->number,
                                     .target = message->target});
        return;
    }
    relay.until = now_ms + member_beat(swim, target) / 5;
    swim->relays[swim->relays_count++] = relay;
    mail_add(swim, (struct mail){.to = relay.target, .type = SWIM_PING, .number = relay.number});
}

/* Through up to `most` others, by chance. */
static void ask_helpers(struct swim *swim, struct member *member, unsigned most)
{
    uint64_t helpers[SWIM_MEMBERS_MAX];
    size_t count = 0;
    member->asked = member->nacks = 0;
    for (size_t i = 0; i < swim->members_count && !member->device; i++) {
        const struct member *other = &swim->members[i];
        if (other != member && other->is.linked && !other->device &&
            other->is.state == MEMBER_ALIVE)
            helpers[count++] = other->is.node;
    }
    for (; member->asked < most && count > 0 && !BROKEN("helpers-none"); member->asked++) {
        size_t drawn = (size_t)rng_below(&swim->rng, count);
        mail_add(swim, (struct mail){.to = helpers[drawn],
                                     .type = SWIM_REQUEST,
                                     .number = member->probe_number,
                                     .target = member->is.node});
        helpers[drawn] = helpers[--count];
    }
}

static void probe_fail(struct swim *swim, uint64_t now_ms, struct member *member)
{
    unsigned silent = member->asked - member->nacks;
    member->probe = PROBE_NONE;
    if (member->is.state >= MEMBER_DEAD)
        return;
    if (member->asked == 0 || silent > 0)
        swim_worry(swim, now_ms, member->asked == 0 ? 1 : silent);
    member_accuse(swim, now_ms, member, swim->options.node);
}

static void probe_help(struct swim *swim, uint64_t now_ms, struct member *member)
{
    ask_helpers(swim, member, SWIM_HELPERS);
    /* Without helpers, too: it may only be late. */
    member->probe_until = now_ms + member_help_ms(swim, member);
    member->probe = PROBE_HELPERS;
}

static void probe_begin(struct swim *swim, uint64_t now_ms, struct member *member)
{
    member->probe_number = ++swim->number;
    member->asked = member->nacks = 0;
    if (!member->is.linked) {
        probe_help(swim, now_ms, member);
        return;
    }
    member->probe = PROBE_DIRECT;
    member->probe_until = now_ms + member_ping_ms(swim, member);
    mail_add(swim, (struct mail){
                       .to = member->is.node, .type = SWIM_PING, .number = member->probe_number});
}

/* ---- what comes in ---- */

/* It is told what is said of it, not more often than it takes to answer. */
static void accuse_soon(struct swim *swim, uint64_t now_ms, struct member *member)
{
    uint64_t at = member->accused_ms + member_beat(swim, member) / 5;
    if (member->is.state == MEMBER_ALIVE || member->is.state == MEMBER_LEFT)
        return;
    member->accuse_at = at > now_ms ? at : now_ms;
    if (member->accuse_at < swim->deadline)
        swim->deadline = member->accuse_at;
}

/* Nobody will answer what a device says of him, and nobody else has said it: what it hears counts.
 */
static bool doubt_is_over(const struct swim *swim, const struct member *member)
{
    return swim->options.device && !BROKEN("device-doubts") &&
           (member->is.state == MEMBER_SUSPECT || member->is.state == MEMBER_DEAD);
}

void swim_heard(struct swim *swim, uint64_t now_ms, uint64_t node)
{
    struct member *member = member_find(swim, node);
    if (!member)
        return;
    member->heard_ms = member->ears_ms = now_ms;
    member->helped = false;
    member->probe = PROBE_NONE;
    if (doubt_is_over(swim, member))
        member_set(swim, now_ms, member, MEMBER_ALIVE, member->is.incarnation, node);
    if (member->is.state != MEMBER_ALIVE && member->accuse_at == 0)
        accuse_soon(swim, now_ms, member);
}

static void ack_take(struct swim *swim, uint64_t now_ms, uint64_t from,
                     const struct swim_message *message)
{
    struct member *target = message->target ? member_find(swim, message->target) : NULL;
    for (size_t i = swim->relays_count; i-- > 0 && !message->target;) {
        if (swim->relays[i].number == message->number && swim->relays[i].target == from)
            relay_end(swim, i, SWIM_ACK);
    }
    if (!target || target->probe == PROBE_NONE || target->probe_number != message->number)
        return;
    target->probe = PROBE_NONE;
    target->heard_ms = now_ms;
    target->helped = true;
}

static void nack_take(struct swim *swim, const struct swim_message *message)
{
    struct member *target = member_find(swim, message->target);
    if (target && target->probe == PROBE_HELPERS && target->probe_number == message->number &&
        target->nacks < target->asked)
        target->nacks++;
}

/* The earliest of all that is to come. */
static uint64_t member_deadline(const struct swim *swim, const struct member *member)
{
    uint64_t deadline = UINT64_MAX;
    if (member->accuse_at && member->is.linked)
        deadline = member->accuse_at;
    if (member->is.state == MEMBER_SUSPECT &&
        member->suspect_ms + member_suspect_ms(swim, member) < deadline)
        deadline = member->suspect_ms + member_suspect_ms(swim, member);
    if (!member->ours || member->is.state == MEMBER_LEFT)
        return deadline;
    uint64_t at = member->heard_ms + member_quiet_ms(swim, member);
    if (!member_is_probed(swim, member))
        at = member->retry_at;
    if (member->probe != PROBE_NONE)
        at = member->probe_until;
    return at < deadline ? at : deadline;
}

/* At the end of whatever changed something. */
static void swim_settle(struct swim *swim, uint64_t now_ms)
{
    uint64_t deadline = UINT64_MAX;
    news_spread(swim);
    for (size_t i = 0; i < swim->members_count; i++) {
        uint64_t at = member_deadline(swim, &swim->members[i]);
        deadline = at < deadline ? at : deadline;
    }
    for (size_t i = 0; i < swim->relays_count; i++)
        deadline = swim->relays[i].until < deadline ? swim->relays[i].until : deadline;
    swim->deadline = deadline > now_ms ? deadline : now_ms;
}

int swim_take(struct swim *swim, uint64_t now_ms, uint64_t from, const struct swim_message *message)
{
    struct member *sender = member_find(swim, from);
    bool device = !sender || sender->device;
    if (message->type >= SWIM_TYPE_END || message->updates_count > SWIM_UPDATES_MAX)
        return NEAP_INVALID;
    swim_wake(swim, now_ms);
    for (unsigned i = 0; i < message->updates_count; i++)
        news_take(swim, now_ms, from, device, &message->updates[i]);
    sender = member_find(swim, from); /* others may have come before it */
    switch (message->type) {
    case SWIM_TELL:
        if (sender && message->number > 0)
            sender->beat_ms =
                message->number < BEAT_MS_MAX ? (uint32_t)message->number : BEAT_MS_MAX;
        break;
    case SWIM_PING:
        mail_add(swim, (struct mail){.to = from, .type = SWIM_ACK, .number = message->number});
        break;
    case SWIM_ACK:
        if (!device || !message->target)
            ack_take(swim, now_ms, from, message);
        break;
    case SWIM_REQUEST:
        if (!device)
            request_take(swim, now_ms, from, message);
        break;
    case SWIM_NACK:
        if (!device)
            nack_take(swim, message);
        break;
    case SWIM_TYPE_END:
        break;
    }
    swim_settle(swim, now_ms);
    return 0;
}

void swim_link(struct swim *swim, uint64_t now_ms, uint64_t node, bool device)
{
    struct member *member = node == swim->options.node ? NULL : member_get(swim, now_ms, node);
    if (!member)
        return;
    swim_wake(swim, now_ms);
    member->is.linked = member->ours = true;
    member->device = device;
    swim_heard(swim, now_ms, node);
    mail_add(swim, (struct mail){.to = node, .type = SWIM_TELL, .all = true});
    swim_settle(swim, now_ms);
}

void swim_unlink(struct swim *swim, uint64_t now_ms, uint64_t node)
{
    struct member *member = member_find(swim, node);
    if (!member || !member->is.linked)
        return;
    swim_wake(swim, now_ms);
    member->is.linked = false;
    member->probe = PROBE_NONE;
    swim_settle(swim, now_ms);
}

void swim_beat(struct swim *swim, uint64_t node)
{
    const struct member *member = member_find(swim, node);
    if (member && member->is.linked && news_for(swim, member))
        mail_add(swim, (struct mail){.to = node, .type = SWIM_TELL});
}

void swim_leave(struct swim *swim, uint64_t now_ms)
{
    swim->leaving = true;
    swim->news = 0;
    for (size_t i = 0; i < swim->members_count; i++) {
        if (swim->members[i].is.linked)
            mail_add(swim, (struct mail){.to = swim->members[i].is.node,
                                         .type = SWIM_TELL,
                                         .about = swim->options.node});
    }
    swim_settle(swim, now_ms);
}

/* ---- ticks ---- */

static void member_suspect_tick(struct swim *swim, uint64_t now_ms, struct member *member)
{
    if (now_ms < member->suspect_ms + member_suspect_ms(swim, member))
        return;
    if (member_is_heard(swim, now_ms, member) && !BROKEN("rumours-win"))
        member->suspect_ms = now_ms;
    else
        member_set(swim, now_ms, member, MEMBER_DEAD, member->is.incarnation, 0);
}

static void member_retry(struct swim *swim, uint64_t now_ms, struct member *member)
{
    uint64_t beat = member_beat(swim, member);
    member->probe_number = ++swim->number;
    if (member->is.linked)
        mail_add(swim, (struct mail){.to = member->is.node,
                                     .type = SWIM_PING,
                                     .number = member->probe_number});
    else
        ask_helpers(swim, member, 1);
    if (member->is.state == MEMBER_SUSPECT) {
        member->retry_at = now_ms + beat / 2;
        return;
    }
    uint32_t beats = member->retry_beats * 2;
    if (beats < RETRY_BEATS_MIN)
        beats = RETRY_BEATS_MIN;
    member->retry_beats = beats < RETRY_BEATS_MAX ? beats : RETRY_BEATS_MAX;
    uint64_t wait = beat * member->retry_beats;
    member->retry_at = now_ms + wait / 2 + rng_below(&swim->rng, wait);
}

static void member_probe_tick(struct swim *swim, uint64_t now_ms, struct member *member)
{
    bool over = member->probe != PROBE_NONE && now_ms >= member->probe_until;
    if (over && member->probe == PROBE_DIRECT)
        probe_help(swim, now_ms, member);
    else if (over)
        probe_fail(swim, now_ms, member);
    else if (member->probe == PROBE_NONE && member_is_probed(swim, member) &&
             !BROKEN("probes-none") && now_ms >= member->heard_ms + member_quiet_ms(swim, member))
        probe_begin(swim, now_ms, member);
    else if (member->probe == PROBE_NONE && !member_is_probed(swim, member) &&
             now_ms >= member->retry_at)
        member_retry(swim, now_ms, member);
}

static void member_tick(struct swim *swim, uint64_t now_ms, struct member *member)
{
    if (member->is.state == MEMBER_SUSPECT)
        member_suspect_tick(swim, now_ms, member);
    if (member->ours && member->is.state != MEMBER_LEFT)
        member_probe_tick(swim, now_ms, member);
    if (member->accuse_at && member->is.linked && now_ms >= member->accuse_at) {
        member->accuse_at = 0;
        member->accused_ms = now_ms;
        mail_add(swim,
                 (struct mail){.to = member->is.node, .type = SWIM_TELL, .about = member->is.node});
    }
}

void swim_tick(struct swim *swim, uint64_t now_ms)
{
    uint64_t beat = swim->options.beat_ms;
    unsigned doubt = swim->doubt;
    swim_wake(swim, now_ms);
    while (swim->doubt > 0 && now_ms >= swim->doubt_ms + beat) {
        swim->doubt--;
        swim->doubt_ms += beat;
    }
    if (now_ms < swim->deadline && doubt == swim->doubt)
        return;
    for (size_t i = 0; i < swim->members_count; i++)
        member_tick(swim, now_ms, &swim->members[i]);
    for (size_t i = swim->relays_count; i-- > 0;) {
        if (now_ms >= swim->relays[i].until)
            relay_end(swim, i, SWIM_NACK);
    }
    swim_settle(swim, now_ms);
}

uint64_t swim_deadline(const struct swim *swim)
{
    return swim->deadline;
}

/* ---- what comes of it ---- */

uint64_t swim_incarnation(const struct swim *swim)
{
    return swim->incarnation;
}

bool swim_changed(struct swim *swim, struct swim_member *ret_member)
{
    for (size_t i = 0; i < swim->members_count; i++) {
        struct member *member = &swim->members[i];
        if (member->was_told && member->told == member->is.state &&
            member->told_incarnation == member->is.incarnation)
            continue;
        member->was_told = true;
        member->told = member->is.state;
        member->told_incarnation = member->is.incarnation;
        *ret_member = member->is;
        return true;
    }
    return false;
}

bool swim_find(const struct swim *swim, uint64_t node, struct swim_member *ret_member)
{
    size_t index = member_index(swim, node);
    if (index == swim->members_count || swim->members[index].is.node != node)
        return false;
    *ret_member = swim->members[index].is;
    return true;
}

size_t swim_count(const struct swim *swim)
{
    return swim->members_count;
}

void swim_at(const struct swim *swim, size_t index, struct swim_member *ret_member)
{
    *ret_member = swim->members[index].is;
}

unsigned swim_doubt(const struct swim *swim)
{
    return swim->doubt;
}

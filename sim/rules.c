#include "sim/rules.h"

#include <string.h>

#include "base/broken.h"

/* In the order of the design: section 2 rule by rule, the wheel, what travels, clocks and values.
 */
static const struct rule table[] = {
    /* 1, 2: removal, dots and contexts */
    {"tombstones", "a removal leaves an empty cell behind", NULL, NULL, 0},
    {"removed-stays", "what one replica removed comes back from another", NULL, NULL, 0},
    {"removes-one", "removing a map or set stops at its first member", NULL, NULL, 0},
    {"removes-unsaid", "what only a residue shows to be gone is removed without an event", NULL,
     "a_removal_that_was_known_of_one_cell_alone_is_kept_by_who_repeats_it", 0},
    {"unseen-goes", "an operation replaces also what its caller has not seen", NULL, NULL, 0},
    {"folds-others", "an increment folds what other replicas have counted", NULL, NULL, 0},
    {"counter-again", "after a crash events take counters that were used", NULL, NULL, 0},
    {"undo-keeps-counter", "a write that failed does not give its counters back", NULL, NULL, 0},
    /* 3: merging */
    {"unknown-goes", "a merge removes what the other side has not heard of", NULL, NULL, 0},
    {"no-residue", "what a merged cell knows beyond the context is dropped", NULL, NULL, 0},
    {"residues-lost", "residues are not read when a directory is opened", NULL, NULL, 0},
    {"residue-unlisted", "empty cells with a residue are not listed to go", NULL, NULL, 0},
    /* 4: push */
    {"accept-gaps", "a push is taken although events before it are missing", NULL, NULL, 0},
    {"overflow-unmarked", "a peer whose queue was full is not marked behind", NULL,
     "a_peer_whose_queue_was_full_is_left_to_pull", 0},
    {"base-stays", "a push is a difference to one on a link that is lost", NULL, NULL, 0},
    {"base-any", "a push is taken for a difference to whichever came last", "loss", NULL, 0},
    /* 5: the log */
    {"cut-blind", "the log is cut without looking at what members have", NULL,
     "a_node_that_was_away_pulls_from_one_peer", 0},
    {"log-stays", "what all members have is not cut from the log", NULL, NULL, 0},
    {"log-unbounded", "the log keeps everything for members that are away", NULL,
     "whoever_is_behind_the_log_compares_once_and_then_pulls_again", 0},
    {"log-own-only", "events of others are not logged", NULL, NULL, 0},
    {"no-horizon", "nobody remembers what was cut from the log", NULL, NULL, 0},
    /* what nodes subscribe to */
    {"drop-unshared", "a shard is dropped before somebody else has all of it", "net,subscribe",
     NULL, 0},
    {"drop-removes", "what is dropped here is removed everywhere", "subscribe", NULL, 0},
    {"drop-by-one", "a shard is dropped when one of those who stay has all of it", NULL,
     "who_lets_go_waits_for_a_quorum_of_those_who_stay", 0},
    {"same-id-again", "a shard that was dropped is made again under its old id", NULL,
     "what_is_written_after_letting_go_is_not_taken_for_what_was_before", 0},
    {"pushes-again", "numbers of pushes begin anew when a bucket is subscribed to again",
     "node,subscribe", NULL, 0},
    {"remembers-dropped", "what a peer had of a bucket is believed when it subscribes again",
     "node,subscribe", NULL, 0},
    {"rings-unrepaired", "rings are not read again when a repair has brought back what they are of",
     NULL, "a_layout_that_a_disk_has_lost_is_known_again_when_it_is_repaired", 0},
    {"tells-all", "peers are told of buckets that they do not subscribe to", NULL,
     "what_a_node_does_not_subscribe_to_it_does_not_hold", 0},
    {"waits-for-all", "logs wait for members that do not subscribe to the bucket", NULL,
     "what_a_node_does_not_subscribe_to_it_does_not_hold", 0},
    /* 6: pull */
    {"never-pull", "nobody pulls", NULL, NULL, 0},
    {"answer-any", "a chunk of an answer is read as if it came after whichever came last", "loss",
     NULL, 0},
    {"merge-context-early", "a chunk brings the whole context of its sender", NULL, NULL, 0},
    {"later-is-newer", "a summary replaces another, whatever it covers", NULL, NULL, 0},
    {"waits-forever", "a pull without an answer never ends", NULL, "a_pull_without_an_answer_ends",
     0},
    /* 7: compare */
    {"never-compare", "nobody below a horizon compares", "net", NULL, 0},
    {"compare-claims", "a compare claims the peer's context at once", NULL, NULL, 0},
    {"compare-only-adds", "a compare brings cells, but no removals", NULL, NULL, 0},
    {"compare-in-log", "the horizon is not raised by what a compare brought", NULL, NULL, 15},
    {"compare-too-slow", "a compare ends although the peer's log was cut since", NULL, NULL, 83},
    {"skip-unsettled", "a compare leaves out cells that look equal", NULL, NULL, 0},
    {"skip-changed", "a compare leaves out what changed while it ran", NULL, NULL, 0},
    {"merge-later-context", "a compare claims the context of its end", NULL, NULL, 0},
    {"resume-anywhere", "a compare goes on with a peer that lacks what it began with", NULL, NULL,
     0},
    {"session-stays", "a compare that is over goes on after a restart", NULL,
     "a_compare_that_was_given_up_is_over", 0},
    {"compare-skips-unsettled", "a compare by tree leaves out cells that look equal", NULL, NULL,
     13},
    {"marks-ignored", "trees don't say where cells may be unsettled", NULL, NULL, 23},
    {"compare-keeps-removed", "a compare by tree brings cells, but no removals", NULL, NULL, 0},
    {"descent-before-start", "a compare begins when it is down the trees", NULL, NULL, 0},
    {"page-of-before", "pages have older cells than their context says", NULL, NULL, 200},
    {"held-forgotten", "a compare that was held does not go on", "order", NULL, 0},
    {"flow-unlimited", "who has taken more than its limit asks on", NULL,
     "what_is_taken_and_given_keeps_to_the_limit", 0},
    {"repair-never", "nobody minds that roots differ", "lose", NULL, 0},
    {"repair-not-bare", "a repair leaves out what is only known to be gone", NULL, NULL, 13},
    {"repair-only-takes", "a repair does not give what the other lacks", "lose", NULL, 0},
    {"damage-removes", "between equal contexts what is not there was removed", "lose", NULL, 0},
    {"damage-forgotten", "nobody remembers that a record could not be read", "rot",
     "what_rots_comes_back_and_is_never_not_found", 0},
    {"salvage-silent", "what a salvage could not read counts as removed", "rot", NULL, 0},
    {"salvage-keeps-log", "a log with gaps is told as if it had none", "rot,crash", NULL, 0},
    {"holes-unseen", "what is in a hole is read as not there", "rot", NULL, 0},
    {"hole-never", "nobody asks for what is in holes", "rot", NULL, 0},
    {"hole-takes", "events are taken into holes", "rot,cut,oneway,crash", NULL, 269},
    {"hole-closes-early", "a hole is closed although more is known of it", "rot", NULL, 0},
    {"hole-forgets", "a hole is closed, and with it what was known there alone", "storm,rot,wipe",
     NULL, 64},
    {"hole-any-page", "a hole is closed by whoever answers first", "rot", NULL, 0},
    /* 8: nothing leaves before it is durable */
    {"names-nothing", "messages do not say that they name events", NULL, NULL, 0},
    {"nothing-to-sync", "with nothing to commit, nothing is synced", NULL, NULL, 0},
    {"never-synced", "unsynced writes wait for another to sync them", NULL, NULL, 0},
    /* 9: directories that went back in time */
    {"life-kept", "a restored backup takes up its former replica id", NULL, NULL, 0},
    {"life-leaves-suspects", "a new life leaves unconfirmed events their names",
     "cut,isolate,rollback,restore,moved,clone", NULL, 109},
    {"mark-ignored", "a copied directory keeps its replica id", NULL, NULL, 0},
    {"life-again", "a bucket made again has the replica id it had before", NULL,
     "a_directory_from_before_the_bucket_was_made_does_not_make_it_again", 0},
    {"nonce-same", "all openings of a directory have the same nonce", NULL, NULL, 0},
    {"quote-ignored", "nobody minds that a peer has seen events I never made", NULL,
     "a_rollback_is_found_at_first_contact", 0},
    {"redot-keeps-context", "events get new names, and the context keeps the old", NULL, NULL, 0},
    {"redot-totals", "increments fold totals that may get new names", "rollback,cut,stop", NULL,
     31},
    {"folds-openings", "increments fold totals that others may have been told", NULL,
     "a_restored_backup_does_not_count_on_in_what_others_may_have_been_told", 0},
    {"no-proof", "what others were told of a copied directory's events proves nothing", NULL,
     "what_nobody_had_confirmed_counts_once_in_a_backup_that_is_restored_in_place", 0},
    {"keeps-names", "a directory keeps names that another one has changed", NULL,
     "what_was_renamed_after_a_backup_counts_once_in_it", 0},
    {"overtakes", "a copy does not wait until the original is confirmed", NULL,
     "what_nobody_confirmed_counts_once_in_a_backup_that_is_restored_elsewhere", 0},
    {"release-early", "what is not confirmed is told", NULL, NULL, 0},
    {"tells-unreleased", "digests tell of events that are not confirmed", NULL, NULL, 0},
    {"release-waits", "events wait for members that are away", NULL,
     "what_was_written_before_all_confirmed_waits_and_then_takes_a_new_id", 0},
    {"confirm-alone", "one member's answer confirms an opening", NULL, NULL, 77},
    {"reopen-trusts", "what an opening left unconfirmed the next one trusts", NULL, NULL, 0},
    {"hello-current-counter", "a quote is compared with what was written since", NULL,
     "a_rollback_is_found_at_first_contact", 0},
    {"old-life-known", "what is known of a peer outlives its replica id",
     "rollback,cut,partial,stop,kill", NULL, 0},
    /* rights of bounded counters */
    {"bounded-spends-any", "a bounded counter is taken from without rights", NULL, NULL, 0},
    {"bounded-takes-twice", "what was taken of a row stays there as well", "stop,kill", NULL, 13},
    {"bounded-spends-unproven", "a restarted node spends before it has heard of its peers",
     "rollback", NULL, 0},
    {"bounded-meets-one", "a restarted node spends when it has met one of its peers", NULL,
     "rights_of_before_a_restart_wait_for_all_members", 0},
    /* what expires */
    {"expiry-shows", "what has expired is shown until it is removed", "clock", NULL, 0},
    {"expiry-clock-back", "time goes back for what expires when the wall clock does", "clock", NULL,
     0},
    {"expiry-removes-any", "whoever finds something expired removes it", "clock", NULL, 0},
    {"expiry-unlisted", "what expires is not in the index", NULL, NULL, 0},
    {"expiry-mark-unsynced", "what is hidden is not remembered by a sync", "jump,crash", NULL, 0},
    /* trees */
    {"tally-forgets", "the removal of an element is not counted", NULL, NULL, 0},
    {"tally-keeps-undone", "a write that failed stays counted", NULL, NULL, 0},
    {"tally-stays", "a change leaves the count on disk that was kept before it", NULL, NULL, 0},
    {"tree-forgets", "the removal of a cell is not taken out of the tree", NULL, NULL, 0},
    {"cache-hides-loss", "what is kept in memory counts as there when the disk has lost it", NULL,
     "what_one_of_two_lost_the_other_gives_back", 0},
    {"cache-keeps-old", "a commit leaves old states in the cache of cells", NULL, NULL, 0},
    {"tree-keeps-undone", "a write that failed stays in the tree", NULL, NULL, 0},
    {"snapshot-stays", "a change leaves the tree on disk that was kept before it", NULL, NULL, 0},
    {"verify-trusts", "who asks finds equal whatever it is told", "verify,lose", NULL, 0},
    {"verify-forgets-watch", "what was written since a question counts as if it was before it",
     "verify", NULL, 0},
    {"verify-forgets-paths", "a question does not say what may be under way", "verify", NULL, 0},
    {"verify-ignores-own-log", "an answer counts what only who answers has seen", "verify", NULL,
     0},
    {"verify-ignores-residues", "cells that are ahead are compared", "verify", NULL, 0},
    /* the wheel */
    {"send-first", "a turn sends before it commits", NULL, NULL, 0},
    {"done-first", "callers are answered, and then it is committed", "effect", NULL, 0},
    {"answer-unsynced", "durable writes are acknowledged before they are synced", NULL, NULL, 0},
    {"token-ignored", "a read does not wait for what its token names", NULL, NULL, 0},
    {"token-forgets", "the token of a write names nothing", NULL, NULL, 0},
    {"once-forgets", "a write that is asked again with its id is done again", NULL,
     "who_asks_again_after_a_crash_counts_once", 0},
    {"commit-ignored", "a commit that failed does not stop the node", NULL, NULL, 0},
    {"stop-untold", "a commit that failed is not told to who waits for it", NULL,
     "a_disk_that_is_full_stops_the_node_which_comes_back", 0},
    {"credit-early", "the next message is asked for before the commit", NULL, NULL, 0},
    /* levels */
    {"quorum-of-those-here", "a quorum is one of those who can be reached", NULL, NULL, 0},
    {"quorum-counts-twice", "each acknowledgement counts twice", NULL, NULL, 0},
    {"reads-ask-one-less", "a read asks one node less than its level says", NULL, NULL, 0},
    {"reads-behind", "a read does not wait for what others have seen", NULL, NULL, 0},
    {"forward-twice", "a write that was handed on and not answered is handed on again", NULL,
     "a_write_without_an_answer_is_uncertain_and_done_once", 0},
    {"forward-none", "a read that was handed on and not answered is not asked of another", NULL,
     "a_read_without_an_answer_is_asked_of_the_next_holder", 0},
    {"serve-early", "a write that was handed on is acknowledged before others have it", NULL,
     "what_cannot_be_reached_in_time_is_said_by_who_was_asked", 0},
    {"left-unheard", "what was handed on to a node that is closed may have been done", NULL,
     "a_call_that_a_closed_node_has_not_taken_is_asked_of_another", 0},
    {"closed-serves", "a node that is about to be closed begins calls of other nodes", NULL,
     "a_node_that_is_closed_ends_what_it_began_and_begins_nothing", 0},
    /* rings */
    {"writes-count-in-newest", "a write counts in the newest layout alone", NULL,
     "what_is_written_counts_in_the_layout_that_is_read_from", 0},
    /* links and digests */
    {"any-right", "a device may write and make any bucket", "lies", NULL, 0},
    {"any-dots", "a device's events may be of others' ids", "lies", NULL, 0},
    {"any-knowledge", "a device is believed what it says to have seen of others", "lies", NULL, 0},
    {"any-id", "a device may claim an id that is another's", "lies", NULL, 0},
    {"any-cluster", "nodes of other clusters are let in", NULL,
     "another_cluster_is_refused_and_both_sides_say_so", 0},
    {"own-version", "a node speaks its own version, also with those of the version before", NULL,
     "this_version_and_the_next_talk_in_this_one", 0},
    {"any-version", "nodes are let in whatever version they speak", NULL,
     "nodes_two_versions_apart_say_which_to_upgrade", 0},
    {"own-peer", "a node that dialled itself is its own peer", NULL, "who_dials_itself_stops_that",
     0},
    {"two-links", "of two links to a peer both stay", NULL,
     "of_two_links_the_one_of_the_smaller_node_stays", 0},
    {"no-hello-deadline", "whoever dials may be silent for ever", NULL,
     "garbage_is_dropped_and_counted", 0},
    {"silence-forgiven", "peers that say nothing are not dropped", NULL, "a_silent_peer_is_dropped",
     0},
    {"isolated-accepts", "an isolated node takes links", NULL,
     "an_isolated_node_is_left_alone_until_it_comes_back", 0},
    {"digest-once", "heartbeats bring no digests", NULL, NULL, 0},
    {"digest-unmarked", "a digest that was refused counts as told", NULL,
     "a_digest_that_found_no_room_is_told_again", 0},
    /* members */
    {"refutes-nothing", "who is accused does not say that it lives", NULL,
     "who_was_taken_for_dead_says_so_as_somebody_newer", 0},
    {"refuted-by-hearsay", "a suspicion ends without a higher incarnation", "loss,pause,delay",
     NULL, 0},
    {"incarnation-unkept", "an incarnation is told before it is written down", NULL, NULL, 0},
    {"helpers-none", "nobody is asked to help with a probe", NULL,
     "who_is_reached_by_others_is_not_suspected", 0},
    {"suspicion-none", "who does not answer is dead at once", NULL,
     "who_is_suspected_for_being_late_is_not_dead_at_once", 0},
    {"rumours-win", "what others say counts more than what is heard", NULL,
     "who_is_heard_is_alive_whatever_others_say", 0},
    {"any-name", "who says another name than his certificate is let in", NULL,
     "who_says_another_name_than_his_certificate_is_refused", 0},
    {"revoked-stays", "who is revoked is let in", NULL,
     "who_is_revoked_loses_his_links_at_once_and_gets_no_others", 0},
    {"revoked-later", "links of who is revoked are left alone", NULL,
     "who_is_revoked_loses_his_links_at_once_and_gets_no_others", 0},
    {"heeds-all", "a device is believed each time that it says that a node went back", NULL,
     "a_device_that_says_again_and_again_that_a_node_went_back_is_heard_eight_times", 0},
    {"old-dots-believed", "a device is believed what others once wrote", NULL,
     "what_was_removed_does_not_come_back_with_an_event_of_a_device", 0},
    {"device-waits", "a device waits to be asked for what it has lost", "lies,lose", NULL, 0},
    {"device-doubts", "a device goes on doubting whom it hears", "lies,partial", NULL, 0},
    {"unlisted", "a node does not say who it is", NULL, "who_knows_one_other_comes_to_know_all", 0},
    {"leaves-unsaid", "who is closed does not say so", NULL,
     "who_is_closed_has_left_and_is_not_suspected", 0},
    {"retired-forgotten", "what cells keep for who is retired is collected", NULL,
     "who_is_retired_holds_no_log_and_resurrects_nothing", 0},
    {"probes-none", "nobody looks after those who are silent", NULL,
     "of_five_nodes_one_that_crashes_is_suspected_by_all_within_two_seconds", 0},
    /* clocks */
    {"clock-ignored", "of concurrent values the last in the cell wins", NULL,
     "a_clock_ten_years_ahead_decides_only_what_is_concurrent", 0},
    {"clock-deaf", "stamps of others do not move the clock", NULL,
     "a_clock_follows_the_stamps_that_it_takes", 0},
    {"skew-believed", "stamps far ahead move the clock", NULL,
     "a_clock_ten_years_ahead_decides_only_what_is_concurrent", 0},
    {"clock-restarts", "a restart forgets how far the clock had come", NULL,
     "a_clock_does_not_go_back_with_a_restart", 0},
    /* types */
    {"yes-wins", "who was barred and allowed at the same time is in", NULL,
     "what_a_removal_that_wins_leaves_stays_until_all_have_it_and_then_goes", 0},
    {"no-leaves-nothing", "a removal that wins leaves nothing that would", NULL,
     "what_a_removal_that_wins_leaves_stays_until_all_have_it_and_then_goes", 0},
    {"collects-early", "what it leaves goes before all have it", NULL,
     "what_a_removal_that_wins_leaves_stays_until_all_have_it_and_then_goes", 0},
    {"collects-nothing", "what it leaves stays when all have it", NULL,
     "what_a_removal_that_wins_leaves_stays_until_all_have_it_and_then_goes", 0},
    {"exact-uncut", "a removal does not say up to where it saw a counter", NULL,
     "a_removal_of_an_exact_counter_takes_what_it_saw_and_no_more", 0},
    {"exact-folds", "additions are one that a removal may see in part", NULL,
     "a_removal_of_an_exact_counter_takes_what_it_saw_and_no_more", 0},
};

/* Set once, before anything runs. */
static const struct rule *rule_now;

size_t rules_count(void)
{
    return sizeof table / sizeof *table;
}

const struct rule *rules_at(size_t index)
{
    return &table[index];
}

const struct rule *rules_find(const char *name)
{
    for (size_t i = 0; i < rules_count(); i++) {
        if (!strcmp(table[i].name, name))
            return &table[i];
    }
    return NULL;
}

void rules_break(const struct rule *rule)
{
    rule_now = rule;
}

bool broken(const char *rule)
{
    return rule_now && !strcmp(rule_now->name, rule);
}

/* What an operator should know of a node, and what to do about it (docs/decisions/0104). */
#ifndef NEAP_ENGINE_DOCTOR_H
#define NEAP_ENGINE_DOCTOR_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum severity { SEVERITY_CRITICAL, SEVERITY_WARNING, SEVERITY_NOTICE, SEVERITIES };
const char *severity_text(enum severity severity);

/* X(name, severity, what is to be done). The name is what programs go by: it stays. What depends on
 * how bad it is becomes critical in the code. */
#define DOCTOR_FINDINGS(X)                                                                         \
    X(stopped, CRITICAL, "see the disk (`dmesg`), then start it again")                            \
    X(suspect, WARNING,                                                                            \
      "see the disk; let it catch up (`neap status`), then `neap verify`; the next start is "      \
      "clean")                                                                                     \
    X(unreadable, CRITICAL,                                                                        \
      "start it again: it copies what can be read, and takes the rest from its peers; see the "    \
      "disk")                                                                                      \
    X(new_life, NOTICE, "`neap verify` says when all that it lacked has come from its peers")      \
    X(isolated, WARNING, "`neap isolate off`, when it shall talk with its peers again")            \
    X(readonly, NOTICE, "nothing, if that is meant: `readonly` in its configuration")              \
    X(certificate, WARNING,                                                                        \
      "docs/operations.md, Renewing: see that a node with ca.key is reachable")                    \
    X(disk_low, WARNING, "make room, or give the data a larger disk: a full disk stops the node")  \
    X(files_low, WARNING, "raise the limit of open files: LimitNOFILE= of the unit, `ulimit -n`")  \
    X(clock_back, WARNING, "see that the clock of this machine is right, and kept so (NTP)")       \
    X(clock_ahead, WARNING,                                                                        \
      "see the clocks of all machines: one that writes is ahead (NTP); last_error tells more")     \
    X(bucket_problem, CRITICAL, "docs/operations.md, by the words of it; `neap -o json status`")   \
    X(damage, CRITICAL,                                                                            \
      "`neap repair BUCKET`, then `neap verify BUCKET`; `neap diff BUCKET` tells which cells")     \
    X(healed, WARNING, "see the disk (`dmesg`, SMART): cells had been lost there without a word")  \
    X(siblings, NOTICE, "`neap siblings BUCKET` names them: read, choose a value, and write it")   \
    X(hot_big, NOTICE,                                                                             \
      "`neap big BUCKET`; spread it over several keys, a day each, say, or remove what is old")    \
    X(ids, WARNING, "make no more new lives of directories: restore and copy as rarely as can be") \
    X(log_full, WARNING,                                                                           \
      "`neap log why`: bring back who holds it, or retire it: past the limit it must compare all") \
    X(unconfirmed, NOTICE, "nothing, if it goes: members that are away must confirm it")           \
    X(unsynced, NOTICE, "nothing, if that is meant: `nosync` in its configuration")                \
    X(peer_away, WARNING, "see that node, and the way to it; if it is gone for good, remove it")   \
    X(peer_suspect, NOTICE, "nothing at first: it may be slow, or a link may be lossy")            \
    X(version, WARNING, "upgrade the older one: `neap -o json status`, last_error of the peer")    \
    X(refused, NOTICE, "`neap -o json status`, refused: who it was, and why")                      \
    X(forbidden, WARNING,                                                                          \
      "`neap -o json status`, last_refused: give that device another certificate, or revoke it")   \
    X(dropped, NOTICE,                                                                             \
      "nothing, if it was once; else it is too slow for its peers (`neap stats`)")                 \
    X(no_scrub, NOTICE, "set `scrub_s`: else what a disk loses is found only when it is read")     \
    X(alone, NOTICE, "give it peers, or make backups: there is no other copy of its data")

/* What the status does not have. */
struct doctor_facts {
    uint64_t wall_ms;
    uint64_t disk_free, disk_total; /* bytes; total 0: not known */
    uint64_t files_used, files_max; /* descriptors; max 0: any, or not known */
    uint64_t log_max;               /* entries of a bucket */
    uint64_t clock_seen;            /* wall clock: the latest that was seen here; 0: none */
    bool scrubs;
};

/* {"findings": [{"name", "severity", "about", "text", "todo"}...], "critical", "warning",
 * "notice"}, the worst first. `status` is that of engine/status.h. NULL: no memory. */
json_t *doctor_json(const json_t *status, const struct doctor_facts *facts);
#endif

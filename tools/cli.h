/* What the commands of `neap` share. */
#ifndef NEAP_TOOLS_CLI_H
#define NEAP_TOOLS_CLI_H
#include <jansson.h>
#include <stdio.h>

#include "neap.h"
#include "neap_trust.h"

enum { EXIT_FINE = 0, EXIT_DIFFERS = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3, EXIT_NO = 4 };
enum { FIELDS_MAX = 16, BUCKETS_MAX = 64 };

struct cli {
    struct neap *neap; /* NULL for commands that need none */
    const char *node, *directory;
    const char *cluster, *from, *peer, *since;
    enum neap_type type; /* NEAP_ANY: not given */
    int json, format_given, dpkg;
    uint64_t limit; /* 0: none */
    struct neap_bytes fields[FIELDS_MAX];
    size_t fields_count;
    int dry_run;           /* --dry-run: of repair */
    const char *budget;    /* --budget: of repair, bytes a second */
    int resume;            /* --resume: of repair */
    int yes;               /* --yes: of what has no way back */
    int prometheus;        /* --prometheus: of stats */
    int ring;              /* --ring: of demo */
    int file;              /* --file: of init */
    const char *kind;      /* who a certificate is for */
    uint64_t id, valid_ms; /* 0: not given */
    const char *read[BUCKETS_MAX], *write[BUCKETS_MAX];
    size_t read_count, write_count;
    struct neap_call call; /* ret_error points to `error` */
    struct neap_error error;
    int argc; /* of the command: without its name */
    const char **argv;
};

typedef int (*command_run)(struct cli *cli); /* an exit code */

struct command {
    const char *name, *arguments, *help;
    int least, most;
    int needs_node;
    /* Those that mean something to it: f(ield) t(ype) (from) l(imit) (for)m(at) o(nce) p(eer)
     * (tim)e (--)F(ile) k(ind and rights) b (since) d(ry run) B(udget, resume) y(es). */
    const char *flags;
    command_run run;
};

/* cli_data.c */
int command_get(struct cli *cli);
int command_put(struct cli *cli);
int command_assign(struct cli *cli);
int command_incr(struct cli *cli);
int command_rights(struct cli *cli);
int command_give(struct cli *cli);
int command_claim(struct cli *cli);
int command_max(struct cli *cli);
int command_min(struct cli *cli);
int command_flag(struct cli *cli);
int command_add(struct cli *cli);
int command_remove(struct cli *cli);
int command_delete(struct cli *cli);
int command_once(struct cli *cli);
/* cli_scores.c */
int command_score(struct cli *cli);
int command_top(struct cli *cli);
int command_rank(struct cli *cli);
/* cli_top.c */
int top_live(struct cli *cli); /* top without arguments */
/* cli_list.c */
int command_keys(struct cli *cli);
int command_items(struct cli *cli);
/* cli_load.c */
int command_import(struct cli *cli);
int command_export(struct cli *cli);
/* Loads dpkg's status file, every package a map; counts them. 0 or a NEAP_ code. */
int load_dpkg(struct neap *neap, const char *bucket, FILE *file, uint64_t *ret_packages);
/* Every cell of a bucket as JSON lines, in key order. 0 or a NEAP_ code. */
int dump_bucket(struct neap *neap, const char *bucket, const struct neap_call *call, FILE *file,
                uint64_t *ret_lines);
/* cli_admin.c */
int command_status(struct cli *cli);
int command_digest(struct cli *cli);
int command_stats(struct cli *cli);
int command_isolate(struct cli *cli);
int command_revoke(struct cli *cli);
int command_revoked(struct cli *cli);
int command_peers(struct cli *cli);
int command_retire(struct cli *cli);
int command_forget(struct cli *cli);
int command_subscribe(struct cli *cli);
int command_unsubscribe(struct cli *cli);
int command_subscriptions(struct cli *cli);
int cluster_write(const char *path); /* a new cluster file; 0, or an exit code after saying why */
/* cli_ring.c */
int command_ring(struct cli *cli);
int command_plan(struct cli *cli);
/* cli_trust.c */
int command_init(struct cli *cli);
int command_token(struct cli *cli);
int command_join(struct cli *cli);
int command_cert(struct cli *cli);
/* cli_backup.c */
int command_backup(struct cli *cli);
int command_restore(struct cli *cli);
/* cli_explain.c */
int command_explain(struct cli *cli);
int explain_object(struct cli *cli, const char *verb); /* explain, or diff */
/* ", lacks 8b3bcc2d:3 (1)": names and values of events; nothing when there are none. */
void print_dot_names(const char *what, const json_t *dots);
/* cli_settings.c */
int command_settings(struct cli *cli);
int command_set(struct cli *cli);
/* cli_hints.c */
int command_hints(struct cli *cli);
int command_log(struct cli *cli);
/* cli_history.c */
int command_history(struct cli *cli);
/* cli_bundle.c */
int command_bundle(struct cli *cli);
/* cli_watch.c */
int command_watch(struct cli *cli);
/* cli_diff.c */
int command_diff(struct cli *cli);
/* cli_census.c */
int command_big(struct cli *cli);
int command_siblings(struct cli *cli);
/* cli_doctor.c */
int command_doctor(struct cli *cli);
/* cli_verify.c */
int command_verify(struct cli *cli);
/* cli_tasks.c */
int command_tasks(struct cli *cli);
int command_task(struct cli *cli);
int command_scrub(struct cli *cli);
/* A task on one line. */
void task_text(const json_t *task, char *ret_text, size_t size);
/* cli_follow.c: shows how far the tasks of these ids are, until none of them is there; so many
 * there were at first. An exit code. */
int tasks_follow(struct cli *cli, const json_t *ids, size_t *ret_count);
/* cli_repair.c */
int command_repair(struct cli *cli);
/* cli_foresee.c */
int repair_foresee(struct cli *cli); /* --dry-run */
/* demo.c */
int command_demo(struct cli *cli);

/* cli_completion.c */
int command_completion(struct cli *cli);

/* neap.c */
const struct command *cli_commands(size_t *ret_count);
int cli_node(struct cli *cli); /* cli->neap, by the flags; 0, or an exit code after saying why */

int cli_open(struct cli *cli); /* of --dir: cli->neap; 0, or a NEAP_ code */

/* cli_admin.c: the answer as JSON; NULL after it said what is wrong, with *ret_exit. */
json_t *cli_ask(struct cli *cli, int argc, const char *const argv[], int *ret_exit);
json_t *stats_ask(struct cli *cli, int *ret_exit); /* likewise: the numbers of the node, by name */

/* cli_types.c */
enum { TYPE_NAMES_MAX = 200 };
const char *type_name(enum neap_type type);
/* A type that an object can have. 0, or -1. */
int type_parse(const char *name, enum neap_type *ret_type);
enum neap_type type_next(enum neap_type type); /* of all that there are; NEAP_ANY: first, none */
const char *type_names(char ret_text[TYPE_NAMES_MAX]);
/* The value of an item, of a key, field or element; NULL: it has none but its name. */
json_t *item_json(const struct neap_item *item);
/* An item as part of a line of import and export, both ways. line_take() gives NULL or what is
 * wrong; in any case item_free() is to follow. */
void line_put(json_t *line, const struct neap_item *item);
const char *line_take(const json_t *line, enum neap_type type, struct neap_item *ret_item);
void item_free(struct neap_item *item);

/* cli_common.c */
/* Says on stderr what went wrong, as an exit code. */
int cli_fail(struct cli *cli, int code, const char *doing);
int cli_exit_code(int code);
/* Is the operator sure? Asked on a terminal, else --yes is wanted. 0, or an exit code after saying
 * so. */
int cli_sure(struct cli *cli, const char *doing, const char *what);
struct neap_place cli_place(const struct cli *cli); /* argv[0] and argv[1], and --field */
struct neap_bytes bytes_of(const char *text);
/* A whole number, not over `most`. 0, or -1. */
int number_take(const char *text, uint64_t most, uint64_t *ret_number);
/* A whole number in 64 bits, a sign of either kind before it. 0, or -1 after saying that it is
 * none. */
int cli_number(const char *text, const char *doing, int64_t *ret_number);
/* A time in ms, 1 to `most`: "500", or with s, m, h or d after it. 0, or -1. */
int time_take(const char *text, uint64_t most, uint64_t *ret_ms);
/* A JSON string; {"hex": "..."} when the bytes are not UTF-8. */
json_t *json_bytes(struct neap_bytes bytes);
/* The reverse; free() the data. 0, or -1. */
int json_take_bytes(const json_t *json, struct neap_bytes *ret_bytes);
/* Control characters as \xNN; all but ASCII too when it is not UTF-8. */
void print_bytes(FILE *file, struct neap_bytes bytes);
/* Of an object of the node's answer: "-" and 0 when it has no such text or number. */
const char *text_of(const json_t *json, const char *name);
json_int_t number_of(const json_t *json, const char *name);
void print_json(const json_t *json); /* indented, and the end of a line */
void print_time(json_int_t wall_ms); /* 2026-11-21T18:10:01.726Z */
/* "1,234 done" on a terminal, rewritten in place, now and then; end with done = 1. */
void progress(const char *what, uint64_t count, int done);
#endif

/* Files of histories, and the list of differences. */
#ifndef NEAP_REPLAY_DATA_H
#define NEAP_REPLAY_DATA_H
#include "tests/replay/replay.h"

/* ---- a folder of files ---- */

struct folder {
    char **names; /* of *.jsonl and *.jsonl.gz, sorted */
    size_t count;
    char **others; /* what else is in it */
    size_t others_count;
};

/* false: a line is printed. */
bool folder_read(const char *path, struct folder *ret_folder);
void folder_done(struct folder *folder);

struct lines;
struct lines *lines_open(const char *folder, const char *name); /* NULL: a line is printed */
/* The next line, without its end; 1, 0 at the end, -1: it can't be read. */
int lines_next(struct lines *lines, char **ret_line, size_t *ret_size, uint32_t *ret_sum);
void lines_close(struct lines *lines);

enum { PROBLEM_MAX = 200 };

/* One line as a history; false: ret_problem says what it is not. */
bool history_parse(const char *line, size_t size, struct history *ret_history,
                   char ret_problem[PROBLEM_MAX]);
void history_done(struct history *history);

/* ---- the list of differences: tests/replay/differences ---- */

struct listed {
    char rule[32], id[64];
    uint32_t sum;
    size_t values; /* that differ, in every way */
    bool met;
};

struct reason {
    char rule[32];
    bool met;
};

struct list {
    struct listed *items;
    size_t count, room;
    struct reason *reasons;
    size_t reasons_count, reasons_room;
};

bool list_read(const char *path, struct list *ret_list);
struct listed *list_find(struct list *list, const char *id, uint32_t sum);
struct reason *list_reason(struct list *list, const char *rule);
void list_done(struct list *list);
#endif

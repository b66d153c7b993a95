/* Files of histories: one JSON object a line, mostly compressed. */
#include "tests/replay/data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"

enum { LINE_MAX_BYTES = 64 << 20 };

/* ---- the folder ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), tail = strlen(end);

    return size > tail && strcmp(name + size - tail, end) == 0;
}

static int names_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool folder_read(const char *path, struct folder *ret_folder)
{
    struct folder folder = {0};
    size_t room = 0, others_room = 0;
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (!directory) {
        fprintf(stderr, "vectors: %s: %s\n", path, strerror(errno));
        return false;
    }
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        if (ends_with(entry->d_name, ".jsonl") || ends_with(entry->d_name, ".jsonl.gz")) {
            folder.names = room_more(folder.names, folder.count, &room, sizeof *folder.names);
            folder.names[folder.count++] = mem_text(entry->d_name);
        } else {
            folder.others =
                room_more(folder.others, folder.others_count, &others_room, sizeof *folder.others);
            folder.others[folder.others_count++] = mem_text(entry->d_name);
        }
    }
    closedir(directory);
    if (folder.count > 1)
        qsort(folder.names, folder.count, sizeof *folder.names, names_order);
    if (folder.others_count > 1)
        qsort(folder.others, folder.others_count, sizeof *folder.others, names_order);
    *ret_folder = folder;
    return true;
}

void folder_done(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++)
        mem_free(folder->names[i]);
    for (size_t i = 0; i < folder->others_count; i++)
        mem_free(folder->others[i]);
    mem_free(folder->names);
    mem_free(folder->others);
}

/* ---- lines ---- */

struct lines {
    gzFile file;
    char path[1024];
    struct buffer line;
};

struct lines *lines_open(const char *folder, const char *name)
{
    struct lines *lines = mem_new(sizeof *lines);

    if (!lines)
        return NULL;
    snprintf(lines->path, sizeof lines->path, "%s/%s", folder, name);
    buffer_init(&lines->line, LINE_MAX_BYTES);
    lines->file = gzopen(lines->path, "rb");
    if (!lines->file) {
        fprintf(stderr, "vectors: %s: %s\n", lines->path, strerror(errno));
        lines_close(lines);
        return NULL;
    }
    gzbuffer(lines->file, 1 << 17);
    return lines;
}

int lines_next(struct lines *lines, char **ret_line, size_t *ret_size, uint32_t *ret_sum)
{
    char part[4096];
    bool ended = false;
    int code = Z_OK;

    buffer_clear(&lines->line);
    while (!ended && gzgets(lines->file, part, sizeof part)) {
        size_t size = strlen(part);

        ended = size > 0 && part[size - 1] == '\n';
        if (buffer_append(&lines->line, slice_of(part, size - ended)))
            return -1;
    }
    gzerror(lines->file, &code);
    if (code != Z_OK && code != Z_STREAM_END) {
        fprintf(stderr, "vectors: %s: it can't be read to its end\n", lines->path);
        return -1;
    }
    if (!ended && lines->line.size == 0)
        return 0;
    *ret_sum = (uint32_t)crc32(0, lines->line.data, (unsigned)lines->line.size);
    *ret_line = (char *)lines->line.data;
    *ret_size = lines->line.size;
    return 1;
}

void lines_close(struct lines *lines)
{
    if (!lines)
        return;
    if (lines->file)
        gzclose(lines->file);
    buffer_done(&lines->line);
    mem_free(lines);
}

/* ---- one history ---- */

/* Deltas are numbered in some files only: there each operation has a number more. */
static bool has_deltas(const json_t *steps)
{
    const json_t *step;
    size_t i;

    json_array_foreach(steps, i, step)
    {
        const char *verb = json_string_value(json_array_get(step, 0));

        if (!verb)
            continue;
        if (strcmp(verb, "delta") == 0 || strcmp(verb, "group") == 0 ||
            (strcmp(verb, "op") == 0 && json_array_size(step) == 5))
            return true;
    }
    return false;
}

bool history_parse(const char *line, size_t size, struct history *ret_history,
                   char ret_problem[PROBLEM_MAX])
{
    struct history history = {0};
    const json_t *replicas;
    json_error_t error;
    const char *type;

    ret_problem[0] = '\0';
    history.json = json_loadb(line, size, JSON_ALLOW_NUL, &error);
    history.id = json_string_value(json_object_get(history.json, "id"));
    history.source = json_string_value(json_object_get(history.json, "src"));
    history.steps = json_object_get(history.json, "steps");
    replicas = json_object_get(history.json, "n");
    type = json_string_value(json_object_get(history.json, "type"));
    history.kind = kind_find(type);
    if (!history.json)
        snprintf(ret_problem, PROBLEM_MAX, "it is no JSON: %s", error.text);
    else if (!history.id || !type || !json_is_array(history.steps) || !json_is_integer(replicas))
        snprintf(ret_problem, PROBLEM_MAX, "it is no history: id, type, n or steps is missing");
    else if (!history.kind)
        snprintf(ret_problem, PROBLEM_MAX, "%s: type \"%s\" is not known", history.id, type);
    else if (json_integer_value(replicas) < 1 || json_integer_value(replicas) > REPLICAS_MAX)
        snprintf(ret_problem, PROBLEM_MAX, "%s: %lld replicas; 1 to %d can be played", history.id,
                 (long long)json_integer_value(replicas), REPLICAS_MAX);
    else if (history.kind->shape != SHAPE_TEXT && !json_object_get(history.json, "final"))
        snprintf(ret_problem, PROBLEM_MAX, "%s: there is no final value", history.id);
    if (ret_problem[0]) {
        json_decref(history.json);
        return false;
    }
    history.replicas = (unsigned)json_integer_value(replicas);
    history.steps_count = json_array_size(history.steps);
    history.is_dvv = strcmp(type, "dvv") == 0;
    history.has_deltas = history.kind->shape != SHAPE_TEXT && has_deltas(history.steps);
    *ret_history = history;
    return true;
}

void history_done(struct history *history)
{
    json_decref(history->json);
    history->json = NULL;
}

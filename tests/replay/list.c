/* The list of differences. Lines: "reason RULE: why", and "RULE ID SUM VALUES" for each history
 * that has some, SUM being the CRC-32 of its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/replay/data.h"

static bool line_take(struct list *list, const char *line)
{
    struct listed item = {0};
    struct reason reason = {0};

    if (line[0] == '#' || line[0] == '\n' || line[0] == ' ' || line[0] == '\0')
        return true;
    if (sscanf(line, "reason %31[^:]:", reason.rule) == 1) {
        list->reasons = room_more(list->reasons, list->reasons_count, &list->reasons_room,
                                  sizeof *list->reasons);
        list->reasons[list->reasons_count++] = reason;
        return true;
    }
    if (sscanf(line, "%31s %63s %8x %zu", item.rule, item.id, &item.sum, &item.values) != 4 ||
        !list_reason(list, item.rule))
        return false;
    list->items = room_more(list->items, list->count, &list->room, sizeof *list->items);
    list->items[list->count++] = item;
    return true;
}

bool list_read(const char *path, struct list *ret_list)
{
    FILE *file = fopen(path, "r");
    struct list list = {0};
    bool fine = file != NULL;
    unsigned number = 0;
    char line[512];

    if (!file)
        fprintf(stderr, "vectors: %s can't be read\n", path);
    while (fine && fgets(line, sizeof line, file)) {
        number++;
        fine = line_take(&list, line);
        if (!fine)
            fprintf(stderr,
                    "vectors: %s:%u: neither \"reason RULE: ...\" nor \"RULE ID SUM VALUES\" "
                    "of a rule with a reason\n",
                    path, number);
    }
    if (file)
        fclose(file);
    if (fine)
        *ret_list = list;
    else
        list_done(&list);
    return fine;
}

struct listed *list_find(struct list *list, const char *id, uint32_t sum)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].sum == sum && strcmp(list->items[i].id, id) == 0)
            return &list->items[i];
    }
    return NULL;
}

struct reason *list_reason(struct list *list, const char *rule)
{
    for (size_t i = 0; i < list->reasons_count; i++) {
        if (strcmp(list->reasons[i].rule, rule) == 0)
            return &list->reasons[i];
    }
    return NULL;
}

void list_done(struct list *list)
{
    mem_free(list->items);
    mem_free(list->reasons);
}

/* Who has rights of a bounded counter: the wheel is asked, then the cell is read here. */
#include "base/error.h"
#include "engine/node.h"
#include "engine/rights.h"

struct rights_look {
    const char *bucket;
    struct rights_asked asked;
};

static void look(void *arg, struct engine *engine)
{
    struct rights_look *asking = arg;

    rights_ask(engine, asking->bucket, &asking->asked);
}

int node_rights(struct node *node, struct read *read, struct buffer *ret_rights)
{
    struct rights_look asking = {.bucket = read->shard ? read->shard : read->bucket};
    int code = node_call(node, look, &asking);

    if (code)
        return error_set(&read->error, code, "rights of a bounded counter: %s", error_text(code));
    return rights_read_cell(node->disk, &asking.asked, read, ret_rights);
}

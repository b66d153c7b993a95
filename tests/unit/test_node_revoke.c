#include <string.h>

#include "tests/unit/node_pair.h"

static bool says(struct node *node, const char *name)
{
    struct buffer json;
    bool found;
    buffer_init(&json, 1 << 16);
    CHECK_OK(admin(node, "revoked", "list", &json));
    CHECK_OK(buffer_append_u8(&json, 0));
    found = strstr((const char *)json.data, name);
    buffer_done(&json);
    return found;
}

TEST(who_is_revoked_at_one_node_is_so_at_all)
{
    static const char name[] = "device/00c0ffee00c0ffee";
    const struct principal device = {.kind = PRINCIPAL_DEVICE, .id = 0x00c0ffee00c0ffee};
    struct token token = {0};
    struct pair pair;
    struct buffer json;
    bool found = false;
    pair_init(&pair);
    pair_open(&pair);
    pair_meet(&pair);
    buffer_init(&json, 1 << 16);
    CHECK(!node_is_revoked(&pair.nodes[1]->sink, &device));
    CHECK_OK(admin(pair.nodes[0], "revoke", name, &json));
    CHECK(says(pair.nodes[0], name));
    CHECK(node_is_revoked(&pair.nodes[0]->sink, &device));
    for (int i = 0; i < 1000 && !found; i++) { /* each is a way there and back */
        CHECK_OK(add(pair.nodes[0], rig_add("a", "n", 1), NEAP_ALL, false, &token));
        token_done(&token);
        found = says(pair.nodes[1], name);
    }
    CHECK(found);
    CHECK(node_is_revoked(&pair.nodes[1]->sink, &device));
    buffer_done(&json);
    pair_close(&pair);
}

TEST(what_is_no_name_is_not_revoked_and_nobody_revokes_himself)
{
    char own[PRINCIPAL_TEXT_MAX];
    struct principal self = {.kind = PRINCIPAL_NODE};
    struct pair pair;
    struct buffer json;
    pair_init(&pair);
    pair_open(&pair);
    buffer_init(&json, 1 << 16);
    CHECK_ERROR(admin(pair.nodes[0], "revoke", "the tall one", &json), NEAP_INVALID);
    CHECK_ERROR(admin(pair.nodes[0], "revoke", NULL, &json), NEAP_INVALID);
    CHECK_ERROR(admin(pair.nodes[0], "revoked", "some", &json), NEAP_INVALID);
    self.id = pair.nodes[0]->wheel.engine.store.identity.node;
    CHECK_ERROR(admin(pair.nodes[0], "revoke", principal_text(&self, own), &json), NEAP_REFUSED);
    buffer_done(&json);
    pair_close(&pair);
}

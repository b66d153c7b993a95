/* A node with threads that admits others, and a net within the process. */
#include <string.h>

#include "base/alloc.h"
#include "engine/api_join.h"
#include "engine/join.h"
#include "engine/request.h"
#include "tests/unit/desk.h"
#include "tests/unit/node_pair.h"
#include "trust/credentials.h"
#include "trust/keep.h"

/* One who asks, over a link of his own to node 0. */
struct asker {
    struct transport transport;
    struct pair *pair;
    enum net_side side;
    struct principal who;
    unsigned messages; /* of one link */
};

static int asker_call(struct transport *transport, struct slice message, uint32_t timeout_ms,
                      struct buffer *ret_answer)
{
    struct asker *asker = (struct asker *)transport;
    struct hub_client client;
    int code;

    (void)timeout_ms;
    code = hub_client_open_as(&client, &asker->pair->hub, "a", asker->side, &asker->who);
    if (!code)
        code = hub_client_call(&client, message);
    if (!code)
        code = buffer_set(ret_answer, buffer_slice(&client.reply));
    hub_client_close(&client);
    return code;
}

static void asker_open(struct pair *pair, struct home *home, struct principal *grants,
                       struct asker *ret_asker, struct invitation *ret_invitation)
{
    struct issued issued;
    struct buffer line;

    CHECK_OK(directory_token(home->path, grants, home->now_s, 600, 0, &line, NULL));
    CHECK_OK(invitation_read(buffer_slice(&line), ret_invitation, NULL));
    CHECK_OK(issue_read(buffer_slice(&ret_invitation->certificate), &issued, NULL));
    *ret_asker = (struct asker){
        .transport.call = asker_call, .pair = pair, .side = NET_PEER, .who = issued.principal};
    secret_done(&line);
}

static int ask(struct asker *asker, struct home *home, const struct invitation *invitation,
               struct neap_error *error)
{
    struct issued issued;
    int code = join_ask(&asker->transport, home->other, invitation->fingerprint, TIMEOUT_MS,
                        &issued, error);

    if (!code)
        issued_done(&issued);
    return code;
}

TEST(a_node_with_the_cas_key_admits_who_has_a_token)
{
    struct principal grants = device_of_fish();
    struct credentials *credentials;
    struct invitation invitation;
    struct neap_error error = {0};
    struct asker asker;
    struct home home;
    struct pair pair;

    home_open(&home);
    pair_open(&pair);
    asker_open(&pair, &home, &grants, &asker, &invitation);
    /* Not before it has a cluster directory. */
    CHECK_ERROR(ask(&asker, &home, &invitation, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "no cluster directory"));
    pair.nodes[0]->directory = mem_text(home.path);
    CHECK_OK(ask(&asker, &home, &invitation, NULL));
    CHECK_OK(credentials_open(home.other, &credentials, NULL));
    CHECK(principal_equal(credentials_principal(credentials), &grants));
    credentials_close(credentials);
    /* The peers go on with each other. */
    pair_meet(&pair);
    invitation_done(&invitation);
    principal_done(&grants);
    pair_close(&pair);
    home_close(&home);
}

TEST(whoever_comes_without_a_certificate_is_not_admitted)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct invitation invitation;
    struct neap_error error = {0};
    struct asker asker;
    struct home home;
    struct pair pair;

    home_open(&home);
    pair_open(&pair);
    pair.nodes[0]->directory = mem_text(home.path);
    asker_open(&pair, &home, &grants, &asker, &invitation);
    asker.who = (struct principal){0};
    CHECK_ERROR(ask(&asker, &home, &invitation, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "over TLS alone"));
    CHECK(!keep_has(home.other, "node.pem"));
    invitation_done(&invitation);
    pair_close(&pair);
    home_close(&home);
}

/* Where clients connect nobody is admitted: what he says is no request of a client. */
TEST(the_listener_of_clients_admits_nobody)
{
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct invitation invitation;
    struct neap_error error = {0};
    struct asker asker;
    struct home home;
    struct pair pair;

    home_open(&home);
    pair_open(&pair);
    pair.nodes[0]->directory = mem_text(home.path);
    asker_open(&pair, &home, &grants, &asker, &invitation);
    asker.side = NET_CLIENT;
    CHECK(ask(&asker, &home, &invitation, &error) != 0);
    CHECK(!keep_has(home.other, "node.pem"));
    invitation_done(&invitation);
    pair_close(&pair);
    home_close(&home);
}

struct crowd {
    struct asker asker;
    struct slice question;
    struct buffer answer;
    int code;
};

static void *crowd_main(void *arg)
{
    struct crowd *one = arg;

    buffer_init(&one->answer, JOIN_ANSWER_MAX);
    one->code = asker_call(&one->asker.transport, one->question, TIMEOUT_MS, &one->answer);
    return NULL;
}

/* Eight come at once with copies of one token, each with a key of his own. */
TEST(of_those_who_come_at_once_with_one_token_one_is_admitted)
{
    enum { CROWD = 8 };
    struct principal grants = {.kind = PRINCIPAL_NODE};
    struct buffer keys[CROWD], requests[CROWD], questions[CROWD];
    struct crowd crowd[CROWD];
    struct invitation invitation;
    pthread_t threads[CROWD];
    struct asker asker;
    struct home home;
    struct pair pair;
    unsigned admitted = 0;

    home_open(&home);
    pair_open(&pair);
    pair.nodes[0]->directory = mem_text(home.path);
    asker_open(&pair, &home, &grants, &asker, &invitation);
    for (size_t i = 0; i < CROWD; i++) {
        CHECK_OK(issue_key(&keys[i], NULL));
        CHECK_OK(issue_request(buffer_slice(&keys[i]), &requests[i], NULL));
        CHECK_OK(join_question_write(buffer_slice(&requests[i]), &questions[i]));
        crowd[i] = (struct crowd){.asker = asker, .question = buffer_slice(&questions[i])};
        must(!pthread_create(&threads[i], NULL, crowd_main, &crowd[i]));
    }
    for (size_t i = 0; i < CROWD; i++) {
        struct slice papers;
        int code;

        must(!pthread_join(threads[i], NULL));
        CHECK_OK(crowd[i].code);
        code = join_answer_read(buffer_slice(&crowd[i].answer), &papers, NULL);
        CHECK(code == 0 || code == NEAP_REFUSED);
        admitted += code == 0;
        secret_done(&crowd[i].answer);
        secret_done(&keys[i]);
        buffer_done(&requests[i]);
        buffer_done(&questions[i]);
    }
    CHECK_EQUAL(admitted, 1);
    invitation_done(&invitation);
    pair_close(&pair);
    home_close(&home);
}

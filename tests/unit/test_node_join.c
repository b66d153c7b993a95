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

/* One who asks, over a link of his own to node 0 of a pair. */
struct asker {
    struct transport transport;
    struct home home;
    struct pair pair;
    enum net_side side;
    struct principal grants, who; /* what his token gives; who he is on the link */
    struct invitation invitation;
    struct neap_error error; /* what he is told */
};

static int asker_call(struct transport *transport, struct slice message, uint32_t timeout_ms,
                      struct buffer *ret_answer)
{
    struct asker *asker = (struct asker *)transport;
    struct hub_client client;
    int code;

    (void)timeout_ms;
    code = hub_client_open_as(&client, &asker->pair.hub, "a", asker->side, &asker->who);
    if (!code)
        code = hub_client_call(&client, message);
    if (!code)
        code = buffer_set(ret_answer, buffer_slice(&client.reply));
    hub_client_close(&client);
    return code;
}

static void asker_open(struct asker *asker, struct principal grants)
{
    struct issued issued;
    struct buffer line;

    *asker = (struct asker){.transport.call = asker_call, .side = NET_PEER, .grants = grants};
    home_open(&asker->home);
    pair_open(&asker->pair);
    CHECK_OK(
        directory_token(asker->home.path, &asker->grants, asker->home.now_s, 600, 0, &line, NULL));
    CHECK_OK(invitation_read(buffer_slice(&line), &asker->invitation, NULL));
    CHECK_OK(issue_read(buffer_slice(&asker->invitation.certificate), &issued, NULL));
    asker->who = issued.principal;
    secret_done(&line);
}

/* From now on node 0 has a cluster directory. */
static void asker_trusted(struct asker *asker)
{
    asker->pair.nodes[0]->directory = mem_text(asker->home.path);
}

static void asker_close(struct asker *asker)
{
    invitation_done(&asker->invitation);
    principal_done(&asker->grants);
    pair_close(&asker->pair);
    home_close(&asker->home);
}

static int ask(struct asker *asker)
{
    struct issued issued;
    int code = join_ask(&asker->transport, asker->home.other, asker->invitation.fingerprint,
                        TIMEOUT_MS, &issued, &asker->error);

    if (!code)
        issued_done(&issued);
    return code;
}

TEST(a_node_with_the_cas_key_admits_who_has_a_token)
{
    struct credentials *credentials;
    struct asker asker;

    asker_open(&asker, device_of_fish());
    /* Not before it has a cluster directory. */
    CHECK_ERROR(ask(&asker), NEAP_REFUSED);
    CHECK(strstr(asker.error.text, "no cluster directory"));
    asker_trusted(&asker);
    CHECK_OK(ask(&asker));
    CHECK_OK(credentials_open(asker.home.other, &credentials, NULL));
    CHECK(principal_equal(credentials_principal(credentials), &asker.grants));
    credentials_close(credentials);
    /* The peers go on with each other. */
    pair_meet(&asker.pair);
    asker_close(&asker);
}

TEST(whoever_comes_without_a_certificate_is_not_admitted)
{
    struct asker asker;

    asker_open(&asker, (struct principal){.kind = PRINCIPAL_NODE});
    asker_trusted(&asker);
    asker.who = (struct principal){0};
    CHECK_ERROR(ask(&asker), NEAP_REFUSED);
    CHECK(strstr(asker.error.text, "over TLS alone"));
    CHECK(!keep_has(asker.home.other, "node.pem"));
    asker_close(&asker);
}

/* Where clients connect nobody is admitted: what he says is no request of a client. */
TEST(the_listener_of_clients_admits_nobody)
{
    struct asker asker;

    asker_open(&asker, (struct principal){.kind = PRINCIPAL_NODE});
    asker_trusted(&asker);
    asker.side = NET_CLIENT;
    CHECK(ask(&asker) != 0);
    CHECK(!keep_has(asker.home.other, "node.pem"));
    asker_close(&asker);
}

struct crowd {
    struct asker *asker;
    struct slice question;
    struct buffer answer;
    int code;
};

static void *crowd_main(void *arg)
{
    struct crowd *one = arg;

    buffer_init(&one->answer, JOIN_ANSWER_MAX);
    one->code = asker_call(&one->asker->transport, one->question, TIMEOUT_MS, &one->answer);
    return NULL;
}

/* Eight come at once with copies of one token, each with a key of his own. */
TEST(of_those_who_come_at_once_with_one_token_one_is_admitted)
{
    enum { CROWD = 8 };
    struct buffer keys[CROWD], requests[CROWD], questions[CROWD];
    struct crowd crowd[CROWD];
    pthread_t threads[CROWD];
    struct asker asker;
    unsigned admitted = 0;

    asker_open(&asker, (struct principal){.kind = PRINCIPAL_NODE});
    asker_trusted(&asker);
    for (size_t i = 0; i < CROWD; i++) {
        CHECK_OK(issue_key(&keys[i], NULL));
        CHECK_OK(issue_request(buffer_slice(&keys[i]), &requests[i], NULL));
        CHECK_OK(join_question_write(buffer_slice(&requests[i]), &questions[i]));
        crowd[i] = (struct crowd){.asker = &asker, .question = buffer_slice(&questions[i])};
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
    asker_close(&asker);
}

/* Questions of one replica to another whether they are equal, and their answers. */
#include "gossip/verify_state.h"
#include "tests/fuzz/fuzz.h"

static bool question_try(struct slice input)
{
    static uint32_t index[VERIFY_NODES_MAX];
    struct verify_question question;
    struct buffer again;
    int error = verify_question_read(input, index, &question);

    must(error == 0 || error == NEAP_INVALID || error == NEAP_LIMIT);
    buffer_init(&again, input.size + 64);
    if (!error) {
        must(question.nodes.count << question.below <= VERIFY_SUMS_MAX);
        must(!verify_question_write(&question, &again));
        must(slice_equal(buffer_slice(&again), input));
    }
    verify_paths_done(&question.paths);
    buffer_done(&again);
    return !error;
}

static bool answer_try(struct slice input)
{
    static uint64_t sums[VERIFY_SUMS_MAX];
    struct verify_answer answer;
    struct slice path = {0};
    struct buffer again;
    uint64_t sum;
    int error = verify_answer_read(input, sums, &answer);

    must(error == 0 || error == NEAP_INVALID || error == NEAP_LIMIT);
    buffer_init(&again, input.size + 64);
    if (!error) {
        must(!verify_answer_write(&answer, &again));
        must(slice_equal(buffer_slice(&again), input));
        while (!verify_cells_next(&answer.cells, &path, &sum))
            must(path.size >= 8);
    }
    verify_paths_done(&answer.paths);
    buffer_done(&again);
    return !error;
}

FUZZ(verify)
{
    bool question = question_try(input), answer = answer_try(input);

    return question || answer;
}

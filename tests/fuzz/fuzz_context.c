/* A context from a peer, with something behind it. */
#include "crdt/context.h"
#include "tests/fuzz/fuzz.h"

FUZZ(context)
{
    struct context context = {0};
    struct reader reader;
    struct writer writer;
    struct buffer again;
    bool accepted;

    reader_init(&reader, input);
    accepted = context_read(&reader, &context) == 0;
    must(accepted == (reader.error == 0));
    if (accepted) {
        buffer_init(&again, input.size);
        writer_init(&writer, &again);
        context_write(&writer, &context);
        must(!writer.error);
        must(slice_equal(buffer_slice(&again), slice_of(input.data, again.size)));
        must(again.size == input.size - reader.left.size);
        must(context_covers(&context, &context) && context_equal(&context, &context));
        must(!context_join(&context, &context));
        buffer_done(&again);
    } else {
        must(context.count == 0);
    }
    context_done(&context);
    return accepted;
}

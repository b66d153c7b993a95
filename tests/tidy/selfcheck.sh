#!/bin/sh
# Each rule of the other checks refuses what it is there for: a small tree that keeps all rules gets
# one violation at a time.
tidy=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d "${TMPDIR:-/tmp}/selfcheck.XXXXXX") || exit 2
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 2
top_srcdir=.
NM="sh fake_nm"
export top_srcdir NM
cases=0
failed=0

# put FILE LINE...: adds lines to a file of the tree.
put()
{
    file=$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$@" >>"$file"
}

# The tree says what must not be refused: all words stand somewhere as comments, strings, members.
put base/alloc.c '#include <stdatomic.h>' '#include "base/alloc.h"' 'static _Atomic int calls;' \
    'void *mem_new(void)' '{' '    return malloc(1);' '}'
put base/alloc.h '/* malloc(1) and time(NULL) of others. */' 'void *mem_new(void);'
put base/hash.c '#include <sodium.h>' 'static const char *const names[] = {"time(", "a\"free("};'
put base/pack.c '#include <msgpack/pack.h>' 'static const struct format {' '    int width;' \
    '} formats[] = {' '    {1},' '};'
put base/clock_os.c '#include <time.h>' 'int now(void)' '{' '    return clock_gettime(0, 0);' '}'
put base/error.c 'void must_failed(void)' '{' '    fputs("", stderr); // exit(1) is not for us' '}'
put crdt/cell.c '#include "base/alloc.h"' '#include "neap.h"' 'struct cell;' 'enum kind { A, B };' \
    'int cell_free(struct cell *cell)' '{' '    static const char name[] = "free(x)";' \
    '    return cell->ops->free(cell) + cell->time(name);' '}' \
    '__attribute__((format(printf, 1, 2))) static int' 'cell_line(const char *format, ...);'
put store/disk_rocks.c '#include <rocksdb/c.h>' '#include "crdt/cell.h"'
put trust/principal.c '#include <mbedtls/ssl.h>' '#include "base/alloc.h"'
put store/disk_mem.c '#include <pthread.h>'
put store/disk.c '#include "store/disk_mem.h"'
put gossip/net_nng.c '#include <nng/nng.h>' '#include "store/disk.h"' '#include "trust/principal.h"'
put gossip/net_nng_call.c "#include <nng/nng.h>"
put gossip/net_nng_link.c "#include <nng/nng.h>"
put engine/node.c '#include <pthread.h>' '#include "gossip/net.h"'
put include/neap.h '#include <stddef.h>' '#include <stdint.h>' 'extern "C" {' \
    'int neap_open(void); /* not neap_shut() */' 'struct neap_error {' '    int code;' '};'
put tools/neap.c '#include "neap.h"' '#include "tools/table.h"' '#include <time.h>' \
    'static int verbose;' 'void table(void)' '{' '    free(malloc(1));' '}'
put examples/hello.c '#include <neap.h>'
put tests/tidy/symbols.txt 'neap_open'
put names 'neap_open@@NEAP'
put fake_nm 'cat names'
put .libs/libneap.so ''
for source in base/alloc base/hash base/pack base/clock base/error trust/principal crdt/cell store/disk_rocks \
    store/disk_mem gossip/net_nng engine/node; do
    put "tests/unit/test_$(basename $source).c" '#include "tests/support/test.h"'
    put Makefile.am "tests/unit/test_$(basename $source).c"
done

# Whoever has no test of his own, and whoever tests him, as unit.sh names them.
for pair in $(sed -n "/^instead='/,/^'/p" "$tidy/unit.sh" | grep / | tr ' ' '+'); do
    put "${pair%+*}" ''
    test -f "${pair#*+}" || put Makefile.am "${pair#*+}"
    put "${pair#*+}" ''
done

# result TEXT CONDITION-STATUS
result()
{
    cases=$((cases + 1))
    if test "$2" = 0; then
        echo "ok $cases - $1"
    else
        failed=1
        echo "not ok $cases - $1"
        sed 's/^/# /' output
    fi
}

for check in layers lines banned symbols unit; do
    sh "$tidy/$check.sh" >output 2>&1
    result "$check accepts a tree that keeps the rules" $?
done

# refused CHECK RULE: this rule, and no other, is broken, and the check says so when it ends.
refused()
{
    sh "$tidy/$1.sh" >output 2>&1
    status=$?
    broken=$(grep '^not ok' output | sed 's/^not ok [0-9]* - //')
    test "$status" = 1 && test "$broken" = "$2"
}

# inject CHECK RULE FILE LINE...: the rule refuses these lines in that file.
inject()
{
    check=$1
    broken_rule=$2
    shift 2
    rm -f kept
    test ! -f "$1" || cp "$1" kept
    put "$@"
    refused "$check" "$broken_rule"
    result "$broken_rule: $1: $(printf '%s' "$2" | cut -c 1-60 | tr '#' '%')" $?
    rm -f "$1"
    test ! -f kept || mv kept "$1"
}

inject layers 'base includes base' base/hash.c '#include "crdt/cell.h"'
inject layers 'base includes base' base/hash.c '#  include "pack.h"'
inject layers 'crdt includes base, crdt' crdt/cell.c '#include "store/batch.h"'
inject layers 'trust includes base, trust' trust/principal.c '#include "crdt/cell.h"'
inject layers 'crdt includes base, crdt' crdt/cell.c '#include "trust/principal.h"'
inject layers 'store includes base, crdt, store' store/disk_mem.c '#include "gossip/net.h"'
inject layers 'gossip includes base to gossip' gossip/net_nng.c '#include "engine/engine.h"'
inject layers 'engine includes base to engine' engine/node.c '#include "tools/table.h"'
inject layers 'tools include neap.h and tools' tools/neap.c '#include "base/alloc.h"'
inject layers 'examples include neap.h' examples/hello.c '#include "base/alloc.h"'
inject layers 'headers of the house stand in quotes' base/hash.c '#include <crdt/cell.h>'
inject layers 'neap.h includes stddef.h and stdint.h' include/neap.h '#include <stdio.h>'
inject layers 'RocksDB is known to its door' store/disk_mem.c '#include <rocksdb/c.h>'
inject layers 'nng is known to its door' engine/node.c '#include <nng/nng.h>'
inject layers 'mbedTLS is known to trust' gossip/net_nng.c '#include <mbedtls/ssl.h>'
inject layers 'libsodium is known to hash, checksum and clock' crdt/cell.c '#include <sodium.h>'
inject layers 'msgpack-c is known to pack' crdt/cell.c '#include <msgpack.h>'
inject layers 'locks are known to node and disks' gossip/net_nng.c '#include <pthread.h>'
inject layers 'threads are started by the node' store/disk_mem.c '    pthread_create(a, b, c, d);'
inject layers 'time and chance are known to the clock' crdt/cell.c '#include <time.h>'
inject layers 'time and chance are asked by the clock' engine/node.c '    now = time(NULL);'
inject layers 'time and chance are asked by the clock' crdt/cell.c '    random();'
inject layers 'sim asks neither time nor chance' sim/plan.c '    seed = clock_gettime(a, b);'
inject layers 'the system is known to doors' crdt/cell.c '#include <unistd.h>'
inject layers 'the system is known to doors' store/disk_mem.c '#include <sys/stat.h>'
inject layers 'the system is called by doors' crdt/cell.c '    printf("%d", 1);'
inject layers 'the system is called by doors' store/disk_mem.c '    if (!fopen("a", "r"))'
inject layers 'memory is taken by alloc and doors' crdt/cell.c '    free(cell);'
inject layers 'memory is taken by alloc and doors' base/hash.c '    char *copy = strdup("a");'
inject layers 'stderr is written by must' crdt/cell.c '    fputs("a", stderr);'

# numbers N: so many words.
numbers()
{
    ${AWK:-awk} -v count="$1" 'BEGIN { while (count--) print count ";" }'
}

long=$(printf '%0101d' 0)
inject lines 'no line is over 100 columns' tests/unit/test_cell.c "// $long"
inject lines 'no function is over 70 lines' crdt/cell.c 'int f(void)' '{' \
    $(numbers 69) '}'
inject lines 'no file is over 800 lines' bench/local.c $(numbers 801)
inject lines 'no tab and no blank at the end of a line' include/neap.h 'int neap_x; '
inject lines 'no tab and no blank at the end of a line' tools/neap.c '	int x;'

for call in strcpy strcat sprintf strtok atoi rand time gets alloca sleep usleep; do
    inject banned 'no call that is banned' tests/unit/test_cell.c "    x = $call(a);"
done
inject banned 'no call that is banned' tools/neap.c '    /* wait */ sleep (1);'
inject banned 'no test sleeps' tests/unit/test_cell.c '    nanosleep(&moment, NULL);'
mutable='no variable that lives longer than a call and changes'
inject banned "$mutable" crdt/cell.c 'static int count;'
inject banned "$mutable" crdt/cell.c '    static int count = 0;'
inject banned "$mutable" crdt/cell.c 'static const char *name;'
inject banned "$mutable" crdt/cell.c 'static void (*hook)(void) = NULL;'
inject banned "$mutable" crdt/cell.c 'static struct cell cells[] = {'
inject banned "$mutable" crdt/cell.c 'static _Atomic int calls;'
inject banned "$mutable" crdt/cell.c 'static _Thread_local int calls;'
inject banned "$mutable" crdt/cell.c '_Thread_local int calls;'
inject banned "$mutable" crdt/cell.c 'int count;'
inject banned "$mutable" crdt/cell.c 'struct cell *cells = NULL;'
inject banned "$mutable" crdt/cell.c 'extern int count;'
inject banned "$mutable" crdt/cell.c 'struct cells {' '    int count;' '} cells;'
inject banned 'no expression draws twice' gossip/peer.c '    wait = rng_below(rng, 9) + rng_below(rng, 9);'
inject banned 'no expression draws twice' sim/plan.c '    strike(node, rng_below(rng, 9),' \
    '           rng_u64(&world->rng));'
inject banned 'no expression draws twice' sim/plan.c '    node_draw(rng)->slow_ms = rng_below(rng, 9);'
inject banned 'no typedef of a struct' crdt/cell.c 'typedef struct cell cell_t;'

inject symbols 'libneap.so exports the names of the list' names 'batch_put'
inject symbols 'the public headers declare the names of the list' include/neap.h 'int neap_shut(void);'
inject symbols 'libneap.so exports the names of the list' names 'neap_shut'
inject symbols 'the list is sorted and names nothing twice' tests/tidy/symbols.txt 'neap_open'
rm .libs/libneap.so
inject symbols 'libneap.so exports the names of the list' Makefile.am 'lib_LTLIBRARIES = libneap.la'

inject unit 'each source has its test' crdt/flag.c 'struct flag;'
inject unit 'each source has its test' store/crate_part.c 'struct crate;'
inject unit 'each test is built' tests/unit/test_flag.c '#include "tests/support/test.h"'
rm store/disk.c
refused unit 'nothing is excused that does not exist'
result 'nothing is excused that does not exist: store/disk.c' $?

echo "1..$cases"
exit $failed

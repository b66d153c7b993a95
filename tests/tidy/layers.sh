#!/bin/sh
# Which file may use what: a folder includes only folders to its left, and only doors touch the
# world. The tables below are the rules.
. "$(dirname "$0")/tap.sh"

house='base trust crdt store gossip engine'
doors='base/clock_os\.c|store/disk_rocks[a-z_]*\.[ch]|store/(files|identity)_os\.c'
doors="$doors|trust/[a-z]*_os\\.c|gossip/net_nng[a-z_]*\\.[ch]|engine/node[a-z_]*\\.[ch]"

# Own headers: neap.h, and those of the folders named (the last one is the folder itself).
own()
{
    folder=$1
    shift
    left=$(echo "$*" | tr ' ' '|')
    test -z "$(sources "$folder")" || grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' \
        $(sources "$folder") | grep -vE "\"(neap\\.h\"|neap_trust\\.h\"|($left)/)"
}

# door NAME PATTERN FILES: headers that match the pattern only in the files that match FILES.
door()
{
    rule "$1" "$(includes "$2" "$(sources_but "$3" $house include)")"
}

rule 'base includes base' "$(own base base)"
rule 'trust includes base, trust' "$(own trust base trust)"
rule 'crdt includes base, crdt' "$(own crdt base crdt)"
rule 'store includes base, crdt, store' "$(own store base crdt store)"
rule 'gossip includes base to gossip' "$(own gossip base trust crdt store gossip)"
rule 'engine includes base to engine' "$(own engine base trust crdt store gossip engine)"
rule 'tools include neap.h and tools' "$(own tools tools)"
rule 'sim includes all but doors and tools' "$(own sim base trust crdt store gossip engine sim)"
rule 'examples include neap.h' "$(own examples neap.h)"
rule 'headers of the house stand in quotes' \
    "$(includes '(base|trust|crdt|store|gossip|engine|tools)/' "$(sources $house tools include)" |
        grep '<')"
rule 'neap.h includes stddef.h and stdint.h' \
    "$(includes '.' "$(sources include)" | grep -vE '<(stddef|stdint)\.h>|"neap\.h"')"

door 'RocksDB is known to its door' 'rocksdb/' 'store/disk_rocks[a-z_]*\.[ch]'
door 'nng is known to its door' 'nng/' 'gossip/net_nng[a-z_]*\.[ch]'
door 'mbedTLS is known to trust' 'mbedtls/' 'trust/[a-z_]*\.[ch]'
door 'libsodium is known to hash, checksum and clock' 'sodium' \
    'base/hash\.c|base/checksum\.c|base/clock_os\.c'
door 'msgpack-c is known to pack' 'msgpack' 'base/pack\.c'
# The disks are read from any thread, so they lock; threads are started by the node alone.
door 'locks are known to node and disks' '(pthread|threads|semaphore)\.h' \
    'engine/node[a-z_]*\.[ch]|store/disk_(cache|mem|rocks)[a-z_]*\.c'
rule 'threads are started by the node' "$(calls 'pthread_create|thrd_create|nng_thread_create' \
    "$(sources_but 'engine/node[a-z_]*\.c' $house)")"
door 'time and chance are known to the clock' \
    '(time|sys/time|sys/times|sys/timerfd|sys/random)\.h' 'base/clock_os\.c'
door 'the system is known to doors' \
    '(unistd|fcntl|dirent|signal|poll|netdb|spawn|dlfcn)\.h|(sys|netinet|arpa|net|linux)/' "$doors"

chance='rand|rand_r|srand|random|srandom|drand48|arc4random|getrandom|getentropy'
moment='clock_gettime|gettimeofday|time|times|clock|nanosleep|clock_nanosleep|timespec_get'
rule 'time and chance are asked by the clock' \
    "$(calls "$moment|$chance|randombytes_[a-z]*" "$(sources_but 'base/clock_os\.c' $house)")"

# A seed decides everything there; how long it took is the tool's affair.
rule 'sim asks neither time nor chance' \
    "$(calls "$moment|$chance|randombytes_[a-z]*" "$(sources_but 'sim/neap_sim\.c' sim)")"

files='open|openat|fopen|fdopen|freopen|creat|unlink|rename|mkdir|rmdir|opendir'
process='popen|system|fork|vfork|exec[lv]p?e?|kill|exit|_exit|signal|sigaction|getenv|setenv|putenv'
speech='socket|connect|listen|printf|puts|putchar|perror|syslog'
rule 'the system is called by doors' \
    "$(calls "$files|$process|$speech" "$(sources_but "$doors" $house)")"

memory='malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc'
memory="$memory|strdup|strndup|asprintf|vasprintf|getline|getdelim|open_memstream"
rule 'memory is taken by alloc and doors' \
    "$(calls "$memory" "$(sources_but "base/alloc\\.c|$doors" $house)")"

rule 'stderr is written by must' \
    "$(code "$(sources_but 'base/error\.c' $house)" | grep -wE 'stderr|stdout')"
finish

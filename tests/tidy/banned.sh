#!/bin/sh
# Calls that are never right here, and state that hides from the signatures.
. "$(dirname "$0")/tap.sh"

house='base trust crdt store gossip engine'

text='strcpy|stpcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|gets'
number='atoi|atol|atoll|atof|rand|srand'
other='time|sleep|usleep|alloca|setjmp|longjmp|tmpnam|mktemp'
rule 'no call that is banned' "$(calls "$text|$number|$other" \
    "$(sources $house sim include tools tests bench examples)")"
rule 'no test sleeps' \
    "$(calls 'nanosleep|clock_nanosleep|thrd_sleep' "$(sources tests)")"

# A variable that is static, or outside of functions, is const or atomic. A pointer has its const
# behind the last star.
mutable='
    function constant(text)
    {
        if (text ~ /(^|[^A-Za-z0-9_])_Atomic([^A-Za-z0-9_]|$)/ && path == "base/alloc.c")
            return 1
        sub(/[=;{].*/, "", text)
        sub(/.*\*/, "", text)
        return text ~ /(^|[^A-Za-z0-9_])const([^A-Za-z0-9_]|$)/
    }
    # Whether it names a function: the first parenthesis comes before all else, and holds no star.
    function callable(text)
    {
        gsub(/__attribute__ *\(\([^)]*\)*\)\)/, "", text)
        sub(/[=;{].*/, "", text)
        return text ~ /\(/ && text !~ /^[^(]*\( *\*/
    }
    {
        path = $0
        sub(/:.*/, "", path)
        text = $0
        sub(/^[^:]*:[0-9]*:/, "", text)
    }
    text ~ /^[a-z_]/ { opened = text }
    text ~ /^extern ""/ { next }
    text ~ /^ *(static|_Thread_local|extern)[^A-Za-z0-9_]/ {
        if (!callable(text) && !constant(text))
            print
        next
    }
    # In the first column without static: neither a type nor a function.
    text ~ /^[a-z_A-Z]/ && text ~ /[=;]/ && text !~ /^typedef / {
        if (text !~ /^(struct|union|enum) *[a-z0-9_]*( *\{.*\})? *;/ && text !~ /^[a-z_]+:/ &&
            !callable(text) && !constant(text))
            print
        next
    }
    text ~ /^\} *[a-z]/ && opened !~ /^typedef / && !constant(opened) { print }
'
rule 'no variable that lives longer than a call and changes' \
    "$(code "$(sources $house include)" | $AWK "$mutable")"
# Which of two calls in one expression comes first is up to the compiler, and with chance that shows:
# the same seed would be another history. So each statement hands a rng to one call, or to calls that
# &&, || or ?: keep in order.
draws='
    {
        text = $0
        sub(/^[^:]*:[0-9]*:/, "", text)
        if (text ~ /^ *#/)
            next
        if (statement == "")
            place = substr($0, 1, length($0) - length(text))
        statement = statement " " text
        opened = gsub(/\(/, "(", statement) - gsub(/\)/, ")", statement)
    }
    text ~ /[;{}] *$/ || (!opened && statement ~ /^ *(else +)?(if|for|while|switch) *\(/) {
        calls = statement
        sub(/rng_init *\([^,]*,/, "", calls)
        count = gsub(/[(,] *&?([a-z_]+(->|\.))*(rng|entropy) *[,)]|world_below *\(|PICK *\(/, "@", calls)
        if (count > 1 && statement !~ /&&|\|\||[?]/)
            print place statement
        statement = ""
    }
'
rule 'no expression draws twice' "$(code "$(sources $house sim)" | $AWK "$draws")"
rule 'no typedef of a struct' \
    "$(code "$(sources $house sim include tools)" | grep -E 'typedef +(struct|union|enum)')"
finish

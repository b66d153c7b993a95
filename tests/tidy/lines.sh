#!/bin/sh
# Nothing is too long to be read: lines, functions, files.
. "$(dirname "$0")/tap.sh"

files=$(sources base trust crdt store gossip engine sim include tools tests bench examples)
test -n "$files" || files=/dev/null

rule 'no line is over 100 columns' \
    "$($AWK 'length($0) > 100 { print FILENAME ":" FNR ": " length($0) " columns" }' $files)"
# With our format a function begins with a brace of its own in the first column.
rule 'no function is over 70 lines' "$($AWK '
    FNR == 1 { start = 0 }
    /^\{/ { start = FNR }
    /^\}/ && start {
        if (FNR - start + 1 > 70)
            print FILENAME ":" start ": " FNR - start + 1 " lines"
        start = 0
    }' $files)"
# But for the manual, which is to be one file.
rule 'no file is over 800 lines' "$($AWK '
    FNR == 801 && FILENAME !~ /include\/neap.h$/ { print FILENAME ": more than 800 lines" }' $files)"
rule 'no tab and no blank at the end of a line' \
    "$(grep -nE '	|[[:space:]]$' $files /dev/null | cut -c 1-100)"
finish

#!/bin/sh
# What shells complete is what the tables of neap say.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
mkdir "$work/bin" && ln -s "$NEAP" "$work/bin/neap" && PATH=$work/bin:$PATH

# after WORD...: what bash offers for the last word, sorted, on one line.
after()
{
    bash -c '. "$0"; COMP_WORDS=(neap "$@"); COMP_CWORD=$#; _neap; printf "%s\n" "${COMPREPLY[@]}"' \
        "$work/bash" "$@" | sort | tr '\n' ' ' | sed 's/^ *//; s/ *$//'
}

# offers TEXT WORD...
offers()
{
    want=$1
    shift
    got=$(after "$@")
    test "$got" = "$want" && return 0
    echo "after $*: \`$got', not \`$want'"
    return 1
}

scripts()
{
    gives 0 completion bash && cp "$work/out" "$work/bash" && bash -n "$work/bash" &&
        gives 0 completion zsh && cp "$work/out" "$work/zsh" && grep -q '^#compdef neap$' "$work/zsh" &&
        fails 2 'bash or zsh' completion fish && fails 2 usage completion
}
check "there are scripts for bash and zsh" scripts

all_commands()
{
    gives 0 --help || return 1
    commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$work/out" | sort | tr '\n' ' ')
    offers "${commands% }" '' || return 1
    for command in $commands; do
        grep -qE "^        '$command:" "$work/zsh" && grep -qx "    $command)" "$work/zsh" && continue
        echo "zsh does not know $command"
        return 1
    done
}
check "commands are those of --help" all_commands

all_flags()
{
    gives 0 --help || return 1
    flags=$(sed -n '/^Flags:/,/^$/p' "$work/out" | cut -c1-22 |
        sed -n 's/^  .*\(--[a-z-]*\).*/\1/p' | sort -u)
    offers "$(echo "$flags" | tr '\n' ' ' | sed 's/ $//')" -- && test -n "$flags" || return 1
    for flag in $flags; do
        grep -qE -- "${flag}[[}]" "$work/zsh" && continue
        echo "zsh does not know $flag"
        return 1
    done
}
check "flags are those of --help" all_flags

# The letters by which commands take flags stand in neap.c and in cli_completion.c.
takers()
{
    sed -n "s/.*'\\([a-zA-Z]\\)', \"--\\([a-z-]*\\)\"}.*/\\1 \\2/p" "$source/tools/neap.c" | sort >"$work/parser"
    sed -n "s/^ *{\"\\([a-z-]*\\)\", [^,]*, '\\([a-zA-Z]\\)',.*/\\2 \\1/p" \
        "$source/tools/cli_completion.c" | grep -v ' cluster$' | sort >"$work/completion"
    test -s "$work/parser" && diff "$work/parser" "$work/completion"
}
check "each command is offered the flags that it takes" takers

words()
{
    offers 'off on' isolate '' && offers 'cancel follow pause resume' -n x task '' && offers pause task pa &&
        offers 'create list revoke' token '' && offers 'json table' -o '' && offers 'json' --output j &&
        offers 'all each edge local one quorum' get --level '' && offers '--cluster --dir --limit --node --output --timeout' big -- &&
        offers '--kind' token --k && offers '' get --once '' && offers '' explain shop '' &&
        offers 'dpkg json' import --format '' &&
        offers 'client device node' token --kind ''
}
check "arguments and values of flags" words

buckets()
{
    daemon a && gives 0 -n "$work/a.sock" put shop apple red && gives 0 -n "$work/a.sock" put stock x 1 &&
        offers 'shop stock' -n "$work/a.sock" get '' && offers stock --node "$work/a.sock" verify st &&
        offers 'shop stock' -n "$work/a.sock" -o json keys s && offers 'shop stock' -n "$work/a.sock" top '' && offers '' -n "$work/none.sock" get '' &&
        end a TERM
}
check "buckets are those of the node" buckets

if command -v zsh >/dev/null; then
    check "zsh reads its script" zsh -n "$work/zsh"
else
    skip "zsh reads its script" "zsh is not installed"
fi
if command -v shellcheck >/dev/null; then
    check "shellcheck has nothing to say of the other" shellcheck -s bash "$work/bash"
else
    skip "shellcheck has nothing to say of the other" "it is not installed"
fi
finish

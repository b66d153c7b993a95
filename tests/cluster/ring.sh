#!/bin/sh
# A bucket on a ring as its callers see it, through any node: all of its keys, while slots move too.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"
# shellcheck source=tests/support/python.sh
. "$source/tests/support/python.sh"

"$NEAP" init --file "$work/cluster" >/dev/null
at() { echo "ipc://$work/$1.peer"; }

# member NODE ZONE [ARGUMENTS...]
member()
{
    name=$1 zone=$2
    shift 2
    daemon "$name" --cluster "$work/cluster" --listen "$(at "$name")" --name "$name" --zone "$zone" "$@"
}

on()
{
    node=$1
    shift
    timeout 60 "$NEAP" -n "$work/$node.sock" "$@"
}

# sees NODE OTHER
sees() { on "$1" peers 2>/dev/null | grep -qE "^[0-9a-f]{16} $2 .*connected"; }

commit()
{
    on a plan show main >"$work/plan" && on a plan commit main "$(sed -n 's/.*plan commit main //p' "$work/plan")"
}

# settled VERSION NODE...: each knows that one layout alone.
settled()
{
    version=$1
    shift
    for each; do
        on "$each" ring main >"$work/ring" 2>/dev/null && test "$(grep -c '^version' "$work/ring")" = 1 &&
            grep -q "^version $version-" "$work/ring" || return 1
    done
}

begun()
{
    member a north && member b south --peers "$(at a)" && member c west --peers "$(at a)" &&
        member d north --peers "$(at a)" && until_true 60 sees a b && until_true 60 sees a c && until_true 60 sees a d &&
        until_true 60 sees d b && until_true 60 sees d c && gives 0 -n "$work/a.sock" plan create main 3 16 || return 1
    for each in a b c; do
        gives 0 -n "$work/a.sock" plan join main "$each" || return 1
    done
    commit && until_true 60 settled 1 a b c d
}
check "a ring of three nodes, and one that is no part of it" begun

written()
{
    i=100
    while test $i -lt 200; do
        echo "{\"key\": \"k$i\", \"type\": \"lww\", \"value\": \"v$i\"}"
        echo "k$i	lww	v$i" >&3
        i=$((i + 1))
    done >"$work/lines" 3>"$work/keys"
    gives 0 -n "$work/d.sock" import box@main "$work/lines"
}
check "lines are imported into a bucket of it, through the other one" written

# lists NODE [FLAGS...]: all keys there are.
lists()
{
    on "$@" keys box@main >"$work/list" 2>&1 && cmp "$work/keys" "$work/list"
}

listed()
{
    for each in a b c d; do
        lists "$each" --level quorum || return 1
    done
    on d --from k150 --limit 3 keys box@main >"$work/list" && sed -n 51,53p "$work/keys" | cmp - "$work/list" &&
        prints '' -n "$work/d.sock" keys none@main && fails 3 'no ring of that name' -n "$work/d.sock" keys box@other &&
        fails 4 'not handed on' -n "$work/d.sock" --level edge keys box@main
}
check "each node lists all keys, in one order" listed

named()
{
    for each in a b c d; do
        until_true 20 prints box@main -n "$work/$each.sock" ring main buckets || return 1
    done
    gives 0 -n "$work/d.sock" ring main && grep -q ', 1 bucket; ' "$work/out"
}
check "each node knows which buckets are on the ring" named

exported()
{
    gives 0 -n "$work/d.sock" --level quorum export box@main && cp "$work/out" "$work/export" &&
        test "$(wc -l <"$work/export")" = 100 && gives 0 -n "$work/a.sock" import mesh "$work/export" &&
        gives 0 -n "$work/a.sock" export mesh && cmp "$work/out" "$work/export"
}
check "what is exported of it is what a bucket without a ring has" exported

# A ring with one owner of each slot: two keys mostly have none in common.
thin()
{
    gives 0 -n "$work/a.sock" plan create thin 1 16 || return 1
    for each in a b c; do
        gives 0 -n "$work/a.sock" plan join thin "$each" || return 1
    done
    on a plan show thin >"$work/plan" &&
        on a plan commit thin "$(sed -n 's/.*plan commit thin //p' "$work/plan")" && until_true 60 on d keys box@thin
}
check "a ring with one owner of each slot" thin

# In Python, through NODE: a batch of COUNT keys.
NEAP_LIBRARY=$build/.libs/libneap.so PYTHONPATH=$source/bindings/python PYTHONDONTWRITEBYTECODE=1
export NEAP_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE
batch()
{
    python - "$work/$1.sock" "$2" <<'END'
import sys, neap
with neap.connect(sys.argv[1]) as db:
    try:
        with db.batch() as batch:
            for number in range(int(sys.argv[2])):
                db.lww_set(("box@thin", "t%d" % number), "x", batch=batch)
    except neap.Error as error:
        print(error)
    print([item.name.decode() for item in db.keys("box@thin")])
END
}
batches()
{
    batch d 20 >"$work/out" && grep -q 'no node owns all of them' "$work/out" && grep -qx '\[\]' "$work/out" &&
        batch d 1 >"$work/out" && grep -qx "\['t0'\]" "$work/out"
}
if test -f "$build/.libs/libneap.so" && python_can; then
    check "a batch that no node owns all slots of is refused as a whole" batches
else
    skip "a batch that no node owns all slots of is refused as a whole" "no shared library that python3 can load"
fi

# Listings go on at each node until slots have moved; each of them has all keys.
moved()
{
    gives 0 -n "$work/a.sock" plan join main d && gives 0 -n "$work/a.sock" plan leave main a && commit || return 1
    listings=0
    until settled 2 a b c d; do
        for each in a b c d; do
            lists "$each" --level quorum && lists "$each" || return 1
            listings=$((listings + 2))
        done
        test $listings -lt 2000 || return 1
    done
    echo "$listings listings"
    lists a --level quorum && lists d
}
check "no key is missing, and none comes twice, while a node replaces another" moved

gone()
{
    end c KILL || true
    until_true 60 lists a --level quorum && until_true 60 lists d && end b KILL || true
    until_true 60 fails 3 'too few|nothing was|no node' -n "$work/a.sock" --level quorum keys box@main
}
check "what too few owners can be reached for is an error, not a shorter list" gone
finish

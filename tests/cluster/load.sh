#!/bin/sh
# import and export: what goes out comes back in, whatever the bytes; and what long work shows.
# shellcheck source=tests/cluster/cluster.sh
. "${top_srcdir:-.}/tests/cluster/cluster.sh"

check "a daemon starts" daemon a
NEAP_NODE=$work/a.sock
export NEAP_NODE

# In the order of export: keys as bytes, fields as bytes, elements as bytes.
cat >"$work/all.jsonl" <<'END'
{"key":{"hex":"00ff"},"type":"lww","value":{"hex":"ff00fe"}}
{"key":"a","number":-5,"type":"counter"}
{"key":"a","type":"flag","value":true}
{"key":"a","type":"lww","value":""}
{"element":"","key":"a","type":"set"}
{"element":"x\u0000y","key":"a","type":"set"}
{"element":{"hex":"c3"},"key":"a","type":"set"}
{"key":"b","type":"register","value":"one"}
{"key":"b","type":"register","value":"two"}
{"fields":["","é"],"key":"map","number":9223372036854775807,"type":"counter"}
{"fields":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15"],"key":"map","type":"lww","value":"deep"}
{"fields":["open"],"key":"map","type":"flag","value":true}
{"element":"e","fields":[{"hex":"80"},"s"],"key":"map","type":"set"}
{"key":"tab\t\"quote\"\\","type":"lww","value":"line\nline"}
END
sorted()
{
    sort "$1" >"$work/$2"
}
round()
{
    gives 0 import one "$work/all.jsonl" && test ! -s "$work/out" && gives 0 export one &&
        cp "$work/out" "$work/one" && sorted "$work/one" one.sorted &&
        sorted "$work/all.jsonl" all.sorted && cmp "$work/all.sorted" "$work/one.sorted" &&
        "$NEAP" export one | "$NEAP" import two && gives 0 export two && cmp "$work/one" "$work/out"
}
check "export gives what import took; into another bucket the same again" round

same_cells()
{
    gives 0 digest one && keys=$(awk 'END { print $2, $3 }' "$work/out") && gives 0 digest two &&
        test "$keys" = "$(awk 'END { print $2, $3 }' "$work/out")"
}
check "as many keys and cells" same_cells

large()
{
    head -c 1048576 /dev/zero | tr '\0' v >"$work/value"
    printf '{"key":"k","type":"lww","value":"%s"}\n' "$(cat "$work/value")" >"$work/large" &&
        gives 0 import large "$work/large" && gives 0 export large && cmp "$work/large" "$work/out" &&
        printf '{"key":"k","type":"lww","value":"%sx"}\n' "$(cat "$work/value")" >"$work/over" &&
        fails 2 'line 1' import large "$work/over"
}
check "a value as large as may be, and one byte more" large

many()
{
    awk 'BEGIN { for (i = 0; i < 3000; i++)
        printf "{\"element\":\"e%05d\",\"key\":\"k%02d\",\"type\":\"set\"}\n", i, i % 50 }' |
        sort -t '"' -k 8,8 -k 4,4 >"$work/many" && gives 0 import many "$work/many" &&
        gives 0 export many && cmp "$work/many" "$work/out" && gives 0 digest many &&
        test "$(awk 'END { print $2, $3 }' "$work/out")" = "50 3000"
}
check "more than a batch" many

# A time to live goes on where it was; what it has run out for stays away.
expires()
{
    # By the hundred seconds: so much later it may be there.
    hour=$(($(date +%s) / 100 + 36))
    printf '%s\n' '{"element":"e","expires":'"$hour"'50000,"key":"k","type":"set"}' \
        '{"element":"f","key":"k","type":"set"}' \
        '{"expires":'"$hour"'50000,"key":"k","type":"register","value":"v"}' \
        '{"expires":1700000000000,"key":"old","type":"lww","value":"v"}' >"$work/expires" &&
        "$NEAP" import brief "$work/expires" 2>"$work/err" &&
        grep -qx 'neap: import: 1 had expired and are left out' "$work/err" || return 1
    "$NEAP" export brief | "$NEAP" import again && gives 0 export again &&
        test "$(wc -l <"$work/out")" = 3 && test "$(grep -c '"expires":'"$hour"'[0-9]\{5\},' "$work/out")" = 2 &&
        grep -qx '{"element":"f","key":"k","type":"set"}' "$work/out" &&
        gives 0 put --ttl 1h live k v && gives 0 export live && grep -q '"expires":[0-9]\{13\},' "$work/out"
}
check "what expires does so in the end" expires

# bad LINE PATTERN: it is refused; the line before it is in.
bad()
{
    bucket=bad$cases
    { printf '%s\n%s\n' '{"key":"k","number":1,"type":"counter"}' "$1" >"$work/bad"; } &&
        fails 2 "line 2: $2; the lines before it are imported" import "$bucket" "$work/bad" &&
        prints 1 get "$bucket" k && gives 0 delete "$bucket" k
}
bad_lines()
{
    bad nonsense 'not JSON' && bad '{}' '`key. is missing or not a string' && bad '[]' '`key. is missing or not a string' &&
        bad '{"key":1,"type":"lww","value":"v"}' '`key. is missing or not a string' &&
        bad '{"key":"k","value":"v"}' '`type. is missing or unknown' &&
        bad '{"key":"k","type":"any","value":"v"}' '`type. is missing or unknown' &&
        bad '{"key":"k","type":"list","value":"v"}' '`type. is missing or unknown' &&
        bad '{"expires":0,"key":"k","type":"lww","value":"v"}' '`expires. is not a time: milliseconds since 1970' &&
        bad '{"expires":"1h","key":"k","type":"lww","value":"v"}' '`expires. is not a time: milliseconds since 1970' &&
        bad '{"key":"k","type":"lww"}' '`value. is missing or not a string' && bad '{"key":"k","type":"set"}' '`element. is missing or not a string' &&
        bad '{"key":"k","type":"counter","number":"1"}' '`number. is not a whole number' &&
        bad '{"key":"k","type":"counter","number":1.5}' '`number. is not a whole number' &&
        bad '{"key":"k","type":"flag","value":false}' '`value. of a flag is true, or there is no line' &&
        bad '{"key":"k","type":"map"}' 'a map has no line of its own, only its fields' &&
        bad '{"key":{"hex":"0"},"type":"lww","value":"v"}' '`key. is missing or not a string' &&
        bad '{"key":{"hex":"zz"},"type":"lww","value":"v"}' '`key. is missing or not a string' &&
        bad '{"key":"k","key":"l","type":"lww","value":"v"}' 'not JSON' &&
        bad '{"key":"k","fields":"f","type":"lww","value":"v"}' '`fields. are not at most 16 strings' &&
        bad '{"key":"k","fields":[1],"type":"lww","value":"v"}' '`fields. are not at most 16 strings' &&
        bad '{"key":"k","fields":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"],"type":"lww","value":"v"}' '`fields. are not at most 16 strings'
}
check "a bad line is named; the lines before it are in" bad_lines

sources()
{
    printf '{"key":"k","number":7,"type":"counter"}' >"$work/line" && "$NEAP" import in <"$work/line" &&
        "$NEAP" import in - <"$work/line" && prints 14 get in k &&
        fails 2 'cannot read .*: No such file' import in "$work/absent" &&
        fails 2 'cannot read .* to its end' import in "$work" && gives 0 import in /dev/null
}
check "from stdin and files; a counter is added to" sources

full()
{
    "$NEAP" export one 2>"$work/err" >/dev/full
    test $? = 1 && grep -q 'cannot write' "$work/err"
}
check "a full disk is noticed" full

nothing()
{
    prints '' export nowhere
}
check "export of nothing" nothing

cat >"$work/status" <<'END'
Package: zlib1g
Status: install ok installed
Section: libs
Installed-Size: 168
Architecture: amd64
Depends: libc6 (>= 2.14), a | b:any,c
Description: compression
 more: of it

Package: adduser
Version: 3.134
END
dpkg()
{
    prints '2 packages' --format dpkg import deb "$work/status" &&
        prints libs -f section get deb zlib1g && prints 168 -f size get deb zlib1g &&
        prints 'a
b
c
libc6' -f depends get deb zlib1g && prints compression -f description get deb zlib1g &&
        prints 3.134 -f version get deb adduser && gives 0 digest deb &&
        test "$(awk 'END { print $2, $3 }' "$work/out")" = "2 9"
}
check "dpkg's status file" dpkg
dpkg_real()
{
    gives 0 -o json --format dpkg import real /var/lib/dpkg/status && test ! -s "$work/out" &&
        gives 0 digest real &&
        test "$(awk 'END { print $2 }' "$work/out")" = "$(sed -n 's/^Package: //p' \
            /var/lib/dpkg/status | sort -u | wc -l)"
}
if test -r /var/lib/dpkg/status; then
    check "the system's own" dpkg_real
else
    skip "the system's own" "no dpkg here"
fi

# A terminal (script makes one) sees progress, a file does not.
terminal()
{
    gives 0 import seen "$work/many" && test ! -s "$work/err" &&
        script -qec "'$NEAP' import seen2 '$work/many'" /dev/null </dev/null >"$work/seen" &&
        grep -q 'cells imported: 500' "$work/seen" && grep -q 'cells imported: 3000' "$work/seen" &&
        script -qec "'$NEAP' export seen2 >'$work/file'" /dev/null </dev/null >"$work/seen" &&
        grep -q 'cells exported: 3000' "$work/seen" && cmp "$work/many" "$work/file" &&
        gives 0 export seen2 && test ! -s "$work/err"
}
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    check "progress on a terminal, and only there" terminal
else
    skip "progress on a terminal, and only there" "script cannot make a terminal here"
fi
check "a clean end" end a TERM
finish

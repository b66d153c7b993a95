#!/bin/sh
# plot.sh bench.json [curves.svg]: cost against size, of what `make bench` has measured: what two nodes
# send, and compute, to be equal again, against how many of their cells differ.
rows=$1 out=${2:-curves.svg}

command -v gnuplot >/dev/null || {
    echo "curves: skipped, gnuplot is not installed"
    exit 0
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# curve WHAT FIGURE: "cells figure" a line.
curve()
{
    awk -F'"' -v what="wire: $1, " -v figure=": $2" '
        $2 == "work" {
            end = length($4) - length(figure) + 1
            count = 0
            if (index($4, what) == 1 && substr($4, end) == figure)
                count = substr($4, length(what) + 1) + 0
        }
        $2 == "figure" && count > 0 {
            sub(/^[ :]*/, "", $3)
            print count, $3 + 0
            count = 0
        }' "$rows"
}

for what in "links lost" "pushes lost" damage "behind the horizon"; do
    name=$(echo "$what" | tr ' ' -)
    curve "$what" metadata >"$work/bytes-$name"
    curve "$what" "CPU of both nodes" >"$work/cpu-$name"
done
test -s "$work/bytes-damage" || {
    echo "curves: $rows has none"
    exit 1
}
cd "$work" || exit 1
gnuplot >/dev/null <<'GNUPLOT' || exit 1
set terminal svg size 800,900 background "white"
set output "curves.svg"
set logscale xy
set key left top
set grid
set xlabel "cells that differ"
names = "links-lost pushes-lost damage behind-the-horizon"
set multiplot layout 2,1
set ylabel "bytes that are not values"
plot for [name in names] "bytes-".name using 1:2 with linespoints title name
set ylabel "ms of CPU, both nodes"
plot for [name in names] "cpu-".name using 1:2 with linespoints title name
unset multiplot
GNUPLOT
cd "$OLDPWD" && cp "$work/curves.svg" "$out" && echo "curves: $out"

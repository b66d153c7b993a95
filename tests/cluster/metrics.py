"""The text format of Prometheus, checked. usage: metrics.py FILE|URL [STATS.json]: each metric has HELP and
TYPE before its first sample and stands together, counters are called _total, labels are quoted; with STATS each
number of `neap -o json stats` is in it."""
import json
import re
import sys
import urllib.request

SAMPLE = re.compile(r'^([a-z_]+)(?:\{([a-z]+)="([^"\\]+)"\})? (-?\d+)$')


def read(name):
    if not name.startswith("http:"):
        return open(name, encoding="utf-8").read()
    with urllib.request.urlopen(name, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers
        return answer.read().decode()


def check(text):
    kinds, helps, samples, now = {}, set(), {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            now = line.split(" ")[2]
            assert now not in helps and len(line.split(" ", 3)[3]) > 8, line
            helps.add(now)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == now and kind in ("counter", "gauge", "untyped"), line
            kinds[name] = kind
        else:
            found = SAMPLE.match(line)
            assert found, line
            name, _, label, number = found.groups()
            assert name == now and name in kinds, line
            assert (name, label) not in samples, line
            assert (kinds[name] == "counter") == name.endswith("_total"), line
            samples[name, label] = int(number)
    return samples


def main():
    samples = check(read(sys.argv[1]))
    print(f"{len(samples)} samples")
    assert ("neap_writes_total", None) in samples and ("neap_peers", None) in samples
    if len(sys.argv) > 2:
        stats = json.load(open(sys.argv[2], encoding="utf-8"))
        labels = {label for _, label in samples if label}
        assert len(samples) == len(stats) + 1, (len(samples), len(stats))
        for name in stats:
            assert not name.startswith("links.") or name[6:] in labels, name
        assert samples["neap_writes_total", None] == stats["writes"]


main()

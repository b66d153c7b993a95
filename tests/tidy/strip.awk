# Prints each line as "path:line:text" without comments and without what is in quotes.
FNR == 1 { inside = 0 }
{
    text = $0
    kept = ""
    while (text != "") {
        if (inside) {
            at = index(text, "*/")
            if (!at)
                break
            text = substr(text, at + 2)
            inside = 0
            continue
        }
        if (!match(text, /\/\/|\/\*|["']/)) {
            kept = kept text
            break
        }
        kept = kept substr(text, 1, RSTART - 1)
        mark = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (mark == "//")
            break
        if (mark == "/*") {
            inside = 1
            kept = kept " "
            continue
        }
        # A string or a character: up to the same mark that no backslash takes away.
        kept = kept mark mark
        while (text != "") {
            first = substr(text, 1, 1)
            text = substr(text, first == "\\" ? 3 : 2)
            if (first == mark)
                break
        }
    }
    print FILENAME ":" FNR ":" kept
}

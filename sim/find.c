#include "sim/find.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

bool differs(struct why why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why.text, why.size, format, arguments);
    va_end(arguments);
    return false;
}

struct scan *scan_of(struct sim_node *node, enum disk_family family)
{
    static const struct slice whole;
    struct view view = {.disk = node->disk};
    struct scan *scan;
    must(view_scan(&view, family, whole, whole, &scan) == 0);
    return scan;
}

#include "base/sorted.h"

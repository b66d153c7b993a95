#include "base/pack.h"

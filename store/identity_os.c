#include "store/identity.h"

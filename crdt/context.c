#include "crdt/context.h"

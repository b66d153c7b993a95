#include "crdt/types.h"

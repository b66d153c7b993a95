#include "crdt/path.h"

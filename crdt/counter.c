#include "crdt/type_ops.h"

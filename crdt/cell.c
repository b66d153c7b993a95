#include "crdt/cell.h"

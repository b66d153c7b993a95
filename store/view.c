#include "store/batch.h"

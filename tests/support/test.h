#ifndef NEAP_TEST_H
#define NEAP_TEST_H
#endif

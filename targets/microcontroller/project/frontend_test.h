/* The frontend on the golden audio against the golden features. */
#ifndef FRONTEND_TEST_H
#define FRONTEND_TEST_H

#include <stdint.h>

/* Returns 1 if a feature is further off than the tolerance, and says so; 0 if none is, or there is no frontend. */
uint32_t frontend_test(void);

#endif

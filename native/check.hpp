// The C++ tests' only need: a condition that, when false, names itself and ends the test.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                \
    }                                                                              \
  } while (false)

#define CHECK_THROWS(expression)             \
  do {                                       \
    bool thrown = false;                     \
    try {                                    \
      static_cast<void>(expression);         \
    } catch (const std::invalid_argument&) { \
      thrown = true;                         \
    }                                        \
    CHECK(thrown);                           \
  } while (false)

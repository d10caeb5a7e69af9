// Run-time choice between the plain and the AVX2 build of a function. Both give the same bits: neither contracts
// multiplications and additions, and the order of every sum is written down in the source.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(CHROMAPRESS_NO_DISPATCH)
#define CHROMAPRESS_DISPATCH __attribute__((target_clones("avx2", "default")))
#else
#define CHROMAPRESS_DISPATCH
#endif

// Into each of the builds.
#define CHROMAPRESS_INLINE [[gnu::always_inline]] inline
